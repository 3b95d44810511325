"""``kvtop view``: opens a profile as a flamegraph in the terminal."""

from __future__ import annotations

import argparse
import gc
import os
import sys

from kvtop.config import UsageError, add_options, load
from kvtop.export.detect import READABLE
from kvtop.flame import add_input_arguments, open_wanted
from kvtop.opening.files import STDIN
from kvtop.opening.model import ProfileError

SCREEN_OPTIONS = ("theme", "no_mouse")
_DESCRIPTION = f"""\
Open a profile as a flamegraph in the terminal: search, zoom, group, save as SVG.
Reads {READABLE}.
Which it is, is told by the content; it may be gzipped.

  kvtop view perf.data
  kvtop view out.kvtop --start 0:20 --end 0:40
  perf script | kvtop view -
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.description = _DESCRIPTION
    add_input_arguments(parser)
    add_options(parser, SCREEN_OPTIONS)


def run(arguments: argparse.Namespace) -> int:
    """Show it until the user leaves; the exit code."""
    name = arguments.file or STDIN
    config = load(argparse.Namespace(**{key: getattr(arguments, key) for key in SCREEN_OPTIONS}))
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        raise UsageError("kvtop view needs a terminal; kvtop flame converts without one.")
    try:
        profile = open_wanted(arguments)
    except ProfileError as error:
        raise UsageError(str(error)) from error
    if name == STDIN:
        _keys_from_terminal()
    elif not sys.stdin.isatty():
        raise UsageError("kvtop view needs its standard input to be the terminal, for the keys.")
    from kvtop.view_app import ViewApp

    # Stacks and frames are many and live as long as the screen: not to be looked through again.
    gc.freeze()
    return ViewApp(profile, theme=config.theme).run(mouse=not config.no_mouse) or 0


def _keys_from_terminal() -> None:
    """Put the terminal in the place of the pipe that the profile came through."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY)
    except OSError as error:
        raise UsageError("there is no terminal for the keys: give a FILE instead of -.") from error
    os.dup2(terminal, 0)
    os.close(terminal)
