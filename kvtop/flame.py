"""``kvtop flame``: converts a profile, without a screen."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import replace
from math import inf
from pathlib import Path

from kvtop.config import UsageError
from kvtop.events import Role, StackSample
from kvtop.export.detect import READABLE, Format
from kvtop.export.outputs import KNOWN, Content, Output, output_of, render, write_file
from kvtop.export.svg import SvgView
from kvtop.moment import moment
from kvtop.opening.files import STDIN, open_profile
from kvtop.opening.model import Profile, ProfileError, Sink, Split, Wanted
from kvtop.profile.ring import SampleRing, matching_stacks
from kvtop.profile.text import safe_text

_DESCRIPTION = f"""\
Convert a profile without opening a screen.
Reads {READABLE}.
Which it is, is told by the content; it may be gzipped.

  perf script | kvtop flame > out.svg            in place of stackcollapse-perf.pl | flamegraph.pl
  kvtop flame perf.data -o out.svg -o out.folded
  kvtop flame out.kvtop --start 0:20 --end 0:40 -o out.svg     a part of a recording
  kvtop flame out.svg --only 'malloc|free' -o malloc.speedscope.json
  kvtop flame before.data --diff after.data -o diff.svg     red: more than before, blue: less
"""


def add_input_arguments(parser: argparse.ArgumentParser) -> None:
    """What every command that opens a profile takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="the profile; - or none is standard input"
    )
    parser.add_argument(
        "--format",
        type=Format,
        metavar="FORMAT",
        help=f"do not look at the content, it is one of {', '.join(Format)}",
    )
    parser.add_argument("--event", help="the event to show, where several were recorded")
    parser.add_argument(
        "--weight",
        choices=("samples", "period"),
        default="samples",
        help="what perf's samples count: one each, or their period (samples)",
    )
    parser.add_argument(
        "--start",
        type=moment,
        default=0.0,
        metavar="TIME",
        help="leave out what is before: seconds, M:SS or H:MM:SS from its beginning (0)",
    )
    parser.add_argument(
        "--end", type=moment, default=inf, metavar="TIME", help="and what is after (its end)"
    )
    parser.add_argument("--title", help="instead of the file's name")
    parser.add_argument("--only", type=pattern, metavar="REGEX", help="stacks that match it")
    parser.add_argument("--exclude", type=pattern, metavar="REGEX", help="no stacks that match it")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.description = _DESCRIPTION
    add_input_arguments(parser)
    add = parser.add_argument
    add(
        "-o",
        "--output",
        action="append",
        metavar="FILE",
        help=f"may be given several times; the end of the name says what it is: {KNOWN} "
        "(standard output)",
    )
    add(
        "--to",
        type=Output,
        metavar="FORMAT",
        help=f"whatever the name: one of {', '.join(Output)} (svg on standard output)",
    )
    add(
        "--split",
        type=Split,
        default=Split.COMMAND,
        metavar="BY",
        help="a box at the root for each command (of a recording: target), process, thread, "
        "or none (command)",
    )
    add("--count-name", metavar="NAME", help="what the weights count (samples)")
    add(
        "--diff",
        metavar="FILE",
        help="the later profile to compare with: a red and blue .svg, or a .folded of two weights",
    )
    add(
        "--per-second",
        action="store_true",
        help="--diff: begin with samples a second instead of shares (p in the page)",
    )
    add("--inverted", action="store_true", help="SVG: the root on top")
    add("--reverse", action="store_true", help="SVG: leaf functions first, callers on them")
    add("--glue", action="store_true", help="SVG: show the interpreter's own frames")
    add(
        "--width",
        type=int,
        default=0,
        metavar="PIXELS",
        help="SVG: this wide (as wide as the window)",
    )


def pattern(text: str) -> re.Pattern[str]:
    """A regex; capitals in it make it heed them, as in the flamegraph's search."""
    try:
        return re.compile(text, 0 if any(c.isupper() for c in text) else re.IGNORECASE)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no regular expression: {error}") from None


def run(arguments: argparse.Namespace) -> int:
    """Convert; the exit code. UsageError says what is wrong with the input."""
    targets = _targets(arguments)
    if arguments.diff and arguments.diff == (arguments.file or STDIN) == STDIN:
        raise UsageError("only one of the two profiles can be standard input.")
    if arguments.width and not 320 <= arguments.width <= 32_000:
        raise UsageError("--width must be from 320 to 32,000 pixels.")
    samples: list[StackSample] = []
    timed = any(form is Output.FIREFOX for _, form in targets)
    try:
        profile = open_wanted(arguments, samples.extend if timed else None)
        after = open_wanted(arguments, name=arguments.diff) if arguments.diff else None
    except ProfileError as error:
        raise UsageError(str(error)) from error
    for note in [*profile.notes, *(after.notes if after is not None else ())]:
        print(f"kvtop: {note}.", file=sys.stderr)
    view = SvgView(arguments.inverted, arguments.reverse, arguments.glue, arguments.width)
    if after is None:
        files = _render(targets, profile, samples, arguments.split, view)
    else:
        from kvtop.flame_diff import render_diff

        files = [
            (name, render_diff(form, profile, after, arguments, view)) for name, form in targets
        ]
    for name, data in files:
        if name == STDIN:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            continue
        try:
            write_file(Path(name), data)
        except OSError as error:
            print(f"kvtop: cannot write {safe_text(name)}: {error.strerror}.", file=sys.stderr)
            return 1
    return 0


def _render(
    targets: list[tuple[str, Output]],
    profile: Profile,
    samples: list[StackSample],
    split: Split,
    view: SvgView,
) -> list[tuple[str, bytes]]:
    """Every file that was asked for, by name."""
    content = Content(
        profile.groups(split),
        profile.table,
        profile.meta,
        view,
        _ring(profile, samples),
        profile.start,
        profile.duration,
    )
    return [(name, render(form, content)) for name, form in targets]


def open_wanted(
    arguments: argparse.Namespace, sink: Sink | None = None, *, name: str | None = None
) -> Profile:
    """The profile that the options of `add_input_arguments` ask for; UsageError, ProfileError.

    ``name`` stands in for the FILE among them.
    """
    name = name or arguments.file or STDIN
    if name == STDIN and sys.stdin.isatty():
        raise UsageError("name a FILE, or pipe a profile in, such as the text of perf script.")
    if arguments.start >= arguments.end:
        raise UsageError("--start must be before --end.")
    by_period = arguments.weight == "period"
    wanted = Wanted(arguments.format, arguments.event, by_period, arguments.start, arguments.end)
    profile = open_profile(name, wanted, sink)
    if arguments.title:
        profile.meta = replace(profile.meta, title=arguments.title)
    if getattr(arguments, "count_name", None):
        profile.meta = replace(profile.meta, unit=arguments.count_name)
    _narrow(profile, arguments.only, arguments.exclude)
    return profile


def _targets(arguments: argparse.Namespace) -> list[tuple[str, Output]]:
    """Names ("-" is standard output) and what to write to each."""
    names: list[str] = arguments.output or [STDIN]
    if STDIN in names and sys.stdout.isatty() and arguments.to is not Output.FOLDED:
        raise UsageError("name a file to write, as in -o out.svg, or redirect standard output.")
    targets = []
    for name in names:
        form = arguments.to or (Output.SVG if name == STDIN else output_of(name))
        if form is None:
            raise UsageError(
                f"{name!r} does not say what to write: end it in {KNOWN}, or add --to."
            )
        targets.append((name, form))
    return targets


def _narrow(profile: Profile, only: re.Pattern[str] | None, no: re.Pattern[str] | None) -> None:
    """Leave out the stacks that are not wanted; one frame that matches decides."""
    for regex, wanted in ((only, True), (no, False)):
        if regex is None:
            continue
        every = {stack for counts in profile.folds.values() for stack in counts}
        matching = matching_stacks(profile.table, every, regex)
        kept = matching if wanted else every - matching
        if not kept:
            option = "--only" if wanted else "--exclude"
            raise UsageError(f"{option} {regex.pattern!r} leaves no stack: loosen it.")
        profile.folds = {
            thread: left
            for thread, counts in profile.folds.items()
            if (left := {stack: n for stack, n in counts.items() if stack in kept})
        }


def _ring(profile: Profile, samples: list[StackSample]) -> SampleRing | None:
    """The samples of what is shown, with their times; None where the file had none."""
    if not samples:
        return None
    ring = SampleRing(profile.table, inf, len(samples))
    shown = {stack for counts in profile.folds.values() for stack in counts}
    for sample in samples:
        if sample.event == profile.meta.event and sample.stack in shown:
            ring.append(sample, f"{sample.comm} ({sample.pid})", Role.OTHER)
    return ring
