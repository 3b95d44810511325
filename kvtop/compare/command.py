"""``kvtop diff``: compares two runs, and fails where a condition does."""

from __future__ import annotations

import argparse
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from kvtop.compare.conditions import ConditionError, parse_condition
from kvtop.compare.functions import Basis
from kvtop.config import UsageError
from kvtop.export.detect import READABLE
from kvtop.opening.files import STDIN
from kvtop.profile.text import safe_text

if TYPE_CHECKING:
    from kvtop.compare.comparison import Comparison

ROWS = 15

_DESCRIPTION = f"""\
Compare two runs: throughput, latency, counters, and which functions gained or lost.
Reads {READABLE}.
Several files a side, A1,A2,A3 and B1,B2,B3, are repeated runs; their variance is used.

  kvtop diff before.kvtop after.kvtop
  kvtop diff before.kvtop after.kvtop --fail-on 'cpu/op>5%' --fail-on 'p99>10%'
  kvtop diff before.data after.data --fail-on 'self:malloc|free>2pp'
  kvtop diff before.kvtop after.kvtop -o diff.svg       red: more than before, blue: less
  kvtop diff before.kvtop after.kvtop --format markdown > comment.md

A condition is FIGURE>N% or FIGURE<-N%; FIGURE is one of the table (ops/s, p99, cpu/op), or
self:REGEX or total:REGEX for functions, which take pp (points of share) as well. It fails
where the change is past N and is no noise.
Exit codes: 0 no condition fails, 1 one does, 2 bad usage, or what cannot be judged.
"""


class Form(StrEnum):
    """What can be written."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    SVG = "svg"


_SUFFIXES = {".json": Form.JSON, ".md": Form.MARKDOWN, ".svg": Form.SVG, ".txt": Form.TEXT}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.description = _DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("before", metavar="FILE", help="before: a file, or several with commas between them")
    add("after", metavar="FILE", help="after: what it is compared with, likewise")
    add(
        "--format",
        type=Form,
        choices=list(Form),
        help="what to write (by the end of -o's name, else text)",
    )
    add("-o", "--output", metavar="FILE", help="where to write it (standard output)")
    add(
        "--fail-on",
        action="append",
        default=[],
        metavar="CONDITION",
        help="exit with 1 where it is so for sure: 'cpu/op>5%%'; may be given several times",
    )
    add(
        "--confidence",
        type=_confidence,
        default=0.99,
        metavar="PERCENT",
        help="how sure a change must be to be no noise (99)",
    )
    add(
        "--by",
        type=Basis,
        choices=list(Basis),
        help="functions by operation, second or share (operation where known, else share)",
    )
    add("--skip", type=_seconds, default=0.0, metavar="SECONDS", help="leave out a run's start")
    add(
        "--target",
        action="append",
        default=[],
        metavar="GLOB",
        help="recordings: only processes with such a label, as node*; may be given several times",
    )
    add("--event", help="the event to compare, where several were sampled")
    add("--glue", action="store_true", help="tell the interpreter's own frames apart")
    add(
        "--rows",
        type=_rows,
        metavar="N",
        help=f"functions a table ({ROWS}; of JSON all)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Compare; the exit code. UsageError says what is wrong with the input."""
    from kvtop.compare.comparison import compare
    from kvtop.compare.inputs import Choice, open_pair
    from kvtop.compare.model import CompareError

    form = _form(arguments)
    before, after = arguments.before.split(","), arguments.after.split(",")
    if not all((*before, *after)):
        raise UsageError("a file's name is empty: write A1,A2 without a comma at the end.")
    if [*before, *after].count(STDIN) > 1:
        raise UsageError("only one of the files can be standard input.")
    try:
        conditions = [parse_condition(text) for text in arguments.fail_on]
        choice = Choice(tuple(arguments.target), arguments.skip, arguments.event)
        pair = open_pair(before, after, choice)
        comparison = compare(pair, conditions, arguments.confidence, arguments.by, arguments.glue)
        text = _written(form, comparison, arguments.rows)
    except ConditionError as error:
        raise UsageError(f"--fail-on {error}.") from error
    except CompareError as error:
        raise UsageError(str(error)) from error
    if not _put(arguments.output, text):
        return 1
    return 1 if comparison.fails else 0


def _written(form: Form, comparison: Comparison, rows: int | None) -> str:
    """The comparison in a format; each has a module of its own."""
    match form:
        case Form.TEXT:
            from kvtop.compare.text import write_text

            return write_text(comparison, rows or ROWS)
        case Form.MARKDOWN:
            from kvtop.compare.markdown import write_markdown

            return write_markdown(comparison, rows or ROWS)
        case Form.JSON:
            from kvtop.compare.data import write_json

            return write_json(comparison, rows)
        case Form.SVG:
            from kvtop.compare.picture import write_picture

            return write_picture(comparison)


def _form(arguments: argparse.Namespace) -> Form:
    if arguments.format is not None:
        form: Form = arguments.format
        return form
    name = arguments.output or ""
    return next((form for end, form in _SUFFIXES.items() if name.lower().endswith(end)), Form.TEXT)


def _put(name: str | None, text: str) -> bool:
    if name is None or name == STDIN:
        sys.stdout.write(text)
        sys.stdout.flush()
        return True
    from kvtop.export.outputs import write_file

    try:
        write_file(Path(name), text.encode())
    except OSError as error:
        print(f"kvtop: cannot write {safe_text(name)}: {error.strerror}.", file=sys.stderr)
        return False
    return True


def _confidence(text: str) -> float:
    value = float(text.rstrip("% "))
    if not 50 <= value < 100:
        raise argparse.ArgumentTypeError("it must be from 50 to less than 100 percent")
    return value / 100


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError("it must be 0 or more seconds")
    return value


def _rows(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("it must be 1 or more")
    return value
