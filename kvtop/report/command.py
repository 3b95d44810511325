"""``kvtop report``: a recording, or a profile, as a report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kvtop.config import UsageError
from kvtop.export.outputs import write_file
from kvtop.layers_config import load_rules
from kvtop.opening.model import ProfileError
from kvtop.profile.text import safe_text
from kvtop.recording.meta import RecordingError
from kvtop.report.compose import compose
from kvtop.report.html import write_html
from kvtop.report.markdown import write_markdown
from kvtop.report.source import open_material

_DESCRIPTION = """\
Write a report: one HTML page that needs nothing else, or Markdown for a pull request.
FILE is a recording (kvtop run --record FILE), or any profile that kvtop flame reads, of which
there is less to tell.

  kvtop report out.kvtop                            writes out.html
  kvtop report out.kvtop -o out.md
  kvtop report perf.data -o - > perf.html
"""
FORMATS = ("html", "markdown")
_ENDS = {".html": "html", ".htm": "html", ".md": "markdown", ".markdown": "markdown"}
_STDOUT = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.description = _DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("file", metavar="FILE", help="the recording or profile")
    add("-o", "--output", metavar="FILE", help="the report; - is standard output (FILE's name)")
    add("--format", choices=FORMATS, help="html or markdown (by the name of the output, or html)")
    add("--title", help="instead of what the file says")
    add("--layers", type=Path, metavar="FILE", help="rules of layers before the built-in ones")


def run(arguments: argparse.Namespace) -> int:
    """Write the report; the exit code. UsageError says what is wrong with the input."""
    output, form = _target(arguments)
    try:
        material = open_material(arguments.file, load_rules(arguments.layers))
    except (RecordingError, ProfileError) as error:
        raise UsageError(str(error)) from error
    for note in material.notes:
        print(f"kvtop: {note}.", file=sys.stderr)
    html = form == "html"
    report = compose(material, arguments.title or "", flames=html)
    text = write_html(report) if html else write_markdown(report)
    if output == _STDOUT:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
        return 0
    try:
        write_file(Path(output), text.encode())
    except OSError as error:
        print(f"kvtop: cannot write {safe_text(output)}: {error.strerror}.", file=sys.stderr)
        return 1
    if sys.stderr.isatty():
        print(f"kvtop: wrote {safe_text(output)}.", file=sys.stderr)
    return 0


def _target(arguments: argparse.Namespace) -> tuple[str, str]:
    """Where the report goes, and in which format."""
    output, form = arguments.output, arguments.format
    if output is None:
        form = form or "html"
        if arguments.file == _STDOUT:
            return _STDOUT, form
        output = str(Path(arguments.file).with_suffix(".html" if form == "html" else ".md"))
        if output == arguments.file:
            raise UsageError("name the report with -o FILE: its name would be that of the input.")
        return output, form
    return output, form or _ENDS.get(Path(output).suffix.lower(), "html")
