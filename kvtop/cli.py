"""The command line, and nothing else: it loads the screen only when one is wanted."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
from collections.abc import Sequence
from enum import Enum
from typing import NoReturn

from kvtop import __version__, standard_streams
from kvtop.config import UsageError, add_options, load
from kvtop.standard_streams import OutputError

COMMANDS = {
    "run": ("kvtop.run_command", "the same run without a screen, for scripts: record, summary"),
    "replay": ("kvtop.replay", "show a recording on the same screen, without perf or the target"),
    "flame": ("kvtop.flame", "convert a profile: SVG, folded, speedscope, pprof, Firefox"),
    "view": ("kvtop.view", "open such a profile as a flamegraph in the terminal"),
    "report": ("kvtop.report.command", "a recording or profile as an HTML page or Markdown"),
    "diff": ("kvtop.compare.command", "compare two runs; exit 1 where a condition fails"),
    "server": ("kvtop.workload.commands.server", "run nodes of the Raft store, without a screen"),
    "stress": ("kvtop.workload.commands.stress", "a fixed load, and how long it took"),
    "simple-stress": ("kvtop.workload.commands.simple_stress", "a load of the CPU alone"),
    "kv": ("kvtop.workload.commands.kv", "get, put, append, delete, scan, status"),
    "bench": ("kvtop.bench.command", "benchmarks of kvtop: measure, keep a baseline, compare"),
    "doctor": ("kvtop.doctor", "what works here, what does not, and how to mend it"),
    "serve": ("kvtop.serve", "the same screen in a browser"),
    "completion": ("kvtop.completion", "print a completion script for bash, zsh or fish"),
    "man": ("kvtop.manpage", "print the man page"),
}
"""Verb -> module with ``add_arguments(parser)`` and ``run(arguments) -> exit code``."""

_EPILOG = """\
Without a target, kvtop starts a Raft key-value cluster and stress clients on this machine.
kvtop [options] -- COMMAND ARGS starts a program, profiles it from its first instruction and
ends it when one leaves.

commands (each has a --help of its own):
{commands}

Every option may also come from the environment (KVTOP_CLIENTS=16) or from
~/.config/kvtop/config.toml (clients = 16); the command line wins.
Exit codes: 0 done, 1 failed while running, 2 bad usage or target, 128+n ended by signal n.
"""


_INVALID = re.compile(r"argument (\S+): invalid \w+ value: (.*)", re.DOTALL)


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one sentence."""

    def error(self, message: str) -> NoReturn:
        if invalid := _INVALID.fullmatch(message):
            message = f"argument {invalid[1]}: {invalid[2]} {self._wanted(invalid[1])}"
        raise UsageError(f"{message}; see {self.prog} --help.")

    def _wanted(self, argument: str) -> str:
        """What argparse would tell by the name of a Python function."""
        action = self._option_string_actions.get(argument.partition("/")[0])
        if action is not None and isinstance(action.type, type) and issubclass(action.type, Enum):
            return f"must be one of {', '.join(str(member.value) for member in action.type)}"
        return "must be a number"


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``kvtop`` without a command."""
    commands = "\n".join(f"  kvtop {name:<15}{text}" for name, (_, text) in COMMANDS.items())
    parser = _Parser(
        prog="kvtop",
        description="Live perf profile of a Raft key-value cluster, or of any Linux process.",
        epilog=_EPILOG.format(commands=commands),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"kvtop {__version__}")
    add_options(parser)
    return parser


def command_parser(name: str) -> argparse.ArgumentParser:
    """The parser of ``kvtop NAME``."""
    module_name, text = COMMANDS[name]
    parser = _Parser(prog=f"kvtop {name}", description=text, allow_abbrev=False)
    importlib.import_module(module_name).add_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run kvtop; the return value is the exit code."""
    standard_streams.prepare()
    try:
        try:
            return _main(sys.argv[1:] if argv is None else argv)
        finally:
            standard_streams.flush()
    except UsageError as error:
        print(f"kvtop: {error}", file=sys.stderr)
        return 2
    except OutputError as error:
        standard_streams.discard()
        if str(error):
            print(f"kvtop: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def raft_server() -> int:
    """The original project's ``raft_server``: ``kvtop server``."""
    return main(["server", *sys.argv[1:]])


def kv_stress_test() -> int:
    """The original project's ``kv_stress_test``: ``kvtop stress``."""
    return main(["stress", *sys.argv[1:]])


def simple_stress_test() -> int:
    """The original project's ``simple_stress_test``: ``kvtop simple-stress``."""
    return main(["simple-stress", *sys.argv[1:]])


def _main(argv: Sequence[str]) -> int:
    if not sys.platform.startswith("linux"):
        raise UsageError("kvtop runs on Linux only, because its figures come from Linux perf.")
    if argv and not argv[0].startswith("-"):
        return _command(argv[0], argv[1:])
    options, command = _split(argv)
    arguments = build_parser().parse_args(options)
    arguments.command = command
    config = load(arguments)
    if config.debug is not None:
        importlib.import_module("kvtop.debug_log").start(config.debug, list(argv))
    # Now, not when the layers are opened: a bad file is told before anything starts.
    importlib.import_module("kvtop.layers_config").user_rules(config.layers)
    if not config.headless:
        _check_terminal()
    code: int = importlib.import_module("kvtop.run").run(config)
    return code


def _split(argv: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """kvtop's own options, and the command after ``--``."""
    if "--" not in argv:
        return argv, ()
    at = argv.index("--")
    if at + 1 == len(argv):
        raise UsageError("after -- comes the command to profile: kvtop -- COMMAND ARGS.")
    return argv[:at], argv[at + 1 :]


def _command(name: str, argv: Sequence[str]) -> int:
    if name not in COMMANDS:
        raise UsageError(f"there is no command {name!r}; see kvtop --help.")
    module = importlib.import_module(COMMANDS[name][0])
    command: Sequence[str] | None = None
    if hasattr(module, "TAKES_COMMAND"):
        argv, command = _split(argv)
    arguments = command_parser(name).parse_args(argv)
    if command is not None:
        arguments.command = command
    code: int = module.run(arguments)
    return code


def _check_terminal() -> None:
    """Refuse where a screen could not be drawn or would get no keys."""
    if os.environ.get("TEXTUAL_DRIVER"):
        return  # textual-serve (and `kvtop serve`) draws it in a browser
    hint = "use --batch for tables or --json for JSON lines"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"the screen needs a terminal on standard input and error; {hint}.")
    if os.environ.get("TERM", "dumb") == "dumb":
        raise UsageError(f"TERM is 'dumb' or not set, which cannot show the screen; {hint}.")


if __name__ == "__main__":
    sys.exit(main())
