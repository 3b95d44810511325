"""``kvtop serve``: the same screen in a browser."""

from __future__ import annotations

import argparse
import sys

from kvtop.config import UsageError

_DESCRIPTION = """\
Serve the screen to a browser on this machine: every window that opens the link runs a kvtop.

  kvtop serve
  kvtop serve --port 8080 -- --attach 4211
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.description = _DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--port", type=_port, default=8000, metavar="N", help="TCP port (8000)")
    parser.add_argument(
        "arguments", nargs="*", metavar="OPTION", help="options of kvtop itself, after --"
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C; the exit code."""
    from kvtop.cli import build_parser
    from kvtop.config import load

    # A mistake is better told here than in every window.
    if load(build_parser().parse_args(arguments.arguments)).headless:
        raise UsageError("a browser shows the screen: leave --batch, --json and --once away.")
    try:
        from kvtop.web.server import WebServer
    except ModuleNotFoundError as error:
        raise UsageError(
            f"kvtop serve needs the Python package {error.name}: install kvtop with its extra,"
            " pip install '.[web]'."
        ) from error
    try:
        WebServer(arguments.arguments, arguments.port).serve()
    except OSError as error:
        print(f"kvtop: port {arguments.port} cannot be used: {error.strerror}.", file=sys.stderr)
        return 1
    return 0


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65535:
        raise argparse.ArgumentTypeError("must be from 1 to 65,535")
    return port
