"""``kvtop replay``: the screen over a recording, without perf, root or the target."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from dataclasses import replace
from math import inf

from kvtop.config import UsageError, add_options, load
from kvtop.moment import moment
from kvtop.profile.text import safe_text
from kvtop.recording.meta import RecordingError
from kvtop.recording.reader import Recording

SCREEN_OPTIONS = ("theme", "no_mouse", "refresh", "window", "layers", "output")
_LARGE = 1_000_000
"""Bytes from which on it takes a moment to read, which is said."""
_DESCRIPTION = """\
Show a recording (kvtop --record FILE, key R) on the same screen, without perf, root or the target.

  kvtop replay out.kvtop
  kvtop replay out.kvtop --start 1:30 --speed 4
  kvtop replay out.kvtop --to-end

space stands still and plays on, , and . go 5 s, { and } a minute, ( and ) change the speed,
0 and $ go to the beginning and the end; ? lists every key.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.description = _DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("file", metavar="FILE", help="the recording")
    parser.add_argument(
        "--start",
        type=moment,
        default=0.0,
        metavar="TIME",
        help="begin so far into it: seconds, M:SS or H:MM:SS (0)",
    )
    parser.add_argument(
        "--speed", type=_speed, default=1.0, metavar="FACTOR", help="0.1 to 100 (1)"
    )
    parser.add_argument("--to-end", action="store_true", help="show all of it at once")
    add_options(parser, SCREEN_OPTIONS)


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.1 <= speed <= 100:
        raise argparse.ArgumentTypeError("must be from 0.1 to 100")
    return speed


def run(arguments: argparse.Namespace) -> int:
    """Show it until the user leaves; the exit code."""
    chosen = {name: getattr(arguments, name) for name in SCREEN_OPTIONS}
    # What the load was is not in the options of the replay.
    config = replace(load(argparse.Namespace(**chosen)), no_stress=True, record=None)
    try:
        recording = Recording.open(arguments.file)
        if not (sys.stdin.isatty() and sys.stderr.isatty()) or (
            os.environ.get("TERM", "dumb") == "dumb"
        ):
            raise UsageError("kvtop replay needs a terminal; kvtop report writes a page of it.")
        from kvtop.replay_app import ReplayApp
        from kvtop.replay_session import ReplaySession
        from kvtop.run import show

        start = inf if arguments.to_end else arguments.start
        session = ReplaySession(config, recording, start, arguments.speed)
        if recording.path.stat().st_size > _LARGE:
            print(f"kvtop: reading {safe_text(arguments.file)} …", file=sys.stderr)
        with asyncio.Runner() as runner:
            return runner.run(show(session, ReplayApp))
    except RecordingError as error:
        raise UsageError(str(error)) from error
