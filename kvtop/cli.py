"""The command line, and nothing else: it loads the screen only when one is wanted."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from kvtop import __version__
from kvtop.config import Config, UsageError, add_options, load

_EPILOG = """\
Without --attach, kvtop starts a Raft key-value cluster and stress clients on this machine.
Exit codes: 0 done, 1 failed while running, 2 bad usage or target, 128+n ended by signal n.
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``kvtop`` without a subcommand."""
    parser = argparse.ArgumentParser(
        prog="kvtop",
        description="Live perf profile of a Raft key-value cluster, or of any Linux process.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"kvtop {__version__}")
    add_options(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run kvtop; the return value is the exit code."""
    try:
        return _main(sys.argv[1:] if argv is None else argv)
    except UsageError as error:
        print(f"kvtop: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader of our output has gone, as `| head` does; leave nothing for exit to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _main(argv: Sequence[str]) -> int:
    config = load(build_parser().parse_args(argv))
    if not sys.platform.startswith("linux"):
        raise UsageError("kvtop runs on Linux only, because its figures come from Linux perf.")
    if not (config.batch or config.json):
        _check_terminal()
    return _run(config)


def _check_terminal() -> None:
    """Refuse where a screen could not be drawn or would get no keys."""
    hint = "use --batch for tables or --json for JSON lines"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"the screen needs a terminal on standard input and error; {hint}.")
    if os.environ.get("TERM", "dumb") == "dumb":
        raise UsageError(f"TERM is 'dumb' or not set, which cannot show the screen; {hint}.")


def _run(config: Config) -> int:
    runner = importlib.import_module("kvtop.run")
    code: int = runner.run(config)
    return code


if __name__ == "__main__":
    sys.exit(main())
