"""``kvtop man``: the man page, from the parsers, the key table and the option table."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from kvtop import __version__
from kvtop.interface import Argument, Level, whole
from kvtop.keys import KEYS

_DESCRIPTION = """\
Print the man page (roff, macros of man(7)).

  kvtop man | man -l -
  kvtop man > ~/.local/share/man/man1/kvtop.1
"""
_ABOUT = (
    "kvtop starts a three-node Raft key-value cluster and stress clients on this machine and"
    " streams perf(1) over all of them onto the screen: who leads, how many operations a second"
    " at which latency, what the CPUs count, and which functions the time goes to, with Python,"
    " C and kernel frames in one stack. With --attach it shows the same over processes that"
    " already run.",
    "Every figure was measured; what could not be measured is shown as missing, with the reason.",
)
_EXIT = (
    ("0", "Done."),
    ("1", "It failed while running."),
    ("2", "Bad usage, or a target that cannot be profiled."),
    ("128+N", "Ended by signal N."),
)
_ENVIRONMENT = (
    (
        "KVTOP_OPTION",
        "Any option of kvtop: KVTOP_CLIENTS=16 is --clients 16. The command line wins.",
    ),
    ("KVTOP_TARGET", "The node that kvtop kv and kvtop stress ask, as HOST:PORT."),
    ("KVTOP_RESP_PASSWORD", "The password that kvtop server asks of clients of its RESP port."),
    ("NO_COLOR", "Without --theme: no colour."),
    (
        "XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_DATA_HOME",
        "Where the files below are, instead of the paths shown.",
    ),
)
_FILES = (
    (
        "~/.config/kvtop/config.toml",
        "Options, a line each: clients = 16, no_stress = true. Environment and command line win.",
    ),
    ("~/.config/kvtop/layers.toml", "Rules of layers of your own, before the built-in ones."),
    ("~/.local/state/kvtop/debug.log", "What --debug without a file writes."),
    ("~/.local/share/kvtop/bench/baseline.json", "What kvtop bench --save-baseline keeps."),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command: none."""
    parser.description = _DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def run(arguments: argparse.Namespace) -> int:
    """Print the page; the exit code."""
    print("\n".join(page(whole())))
    return 0


def page(top: Level) -> Iterator[str]:
    """Lines of roff."""
    yield f'.TH KVTOP 1 "" "raft\\-kvtop {_roff(__version__)}" "User Commands"'
    yield from (".SH NAME", f"kvtop \\- {_roff(_first_lower(top.description.rstrip('.')))}")
    yield from (".SH SYNOPSIS", ".B kvtop", "[\\fIOPTION\\fR]...", ".br", ".B kvtop")
    yield "\\fICOMMAND\\fR [\\fIOPTION\\fR]..."
    yield ".SH DESCRIPTION"
    yield from (_roff(_ABOUT[0]), ".PP", _roff(_ABOUT[1]))
    yield ".SH OPTIONS"
    for title, arguments in top.groups:
        yield from _group(title, arguments)
    yield ".SH COMMANDS"
    for command in top.children:
        yield from _command(command)
    yield from (".SH KEYS", "Panes have keys of their own; the key ? lists them all.")
    group = ""
    for key in KEYS:
        if key.group != group:
            group = key.group
            yield f".SS {_roff(group)}"
        yield from _entry(f"\\fB{_roff(key.label)}\\fR", key.text)
    for title, rows in (
        ("ENVIRONMENT", _ENVIRONMENT),
        ("FILES", _FILES),
        ("EXIT STATUS", _EXIT),
    ):
        yield f".SH {title}"
        for term, text in rows:
            yield from _entry(f"\\fB{_roff(term)}\\fR", text)
    yield from (".SH SEE ALSO", ".BR perf (1),", ".BR perf\\-record (1),", ".BR perf\\-stat (1)")


def _command(level: Level) -> Iterator[str]:
    yield f".SS {_roff(' '.join(level.path))}"
    yield from _prose(level.description or level.summary)
    for argument in level.arguments:
        if "--help" not in argument.flags:
            yield from _entry(_term(argument), argument.help)
    for child in level.children:
        usage = " ".join(f"[{a.metavar}]" if a.optional else a.metavar for a in child.positionals)
        yield from _entry(f"\\fB{_roff(child.name)}\\fR \\fI{_roff(usage)}\\fR", child.summary)


def _group(title: str, arguments: tuple[Argument, ...]) -> Iterator[str]:
    yield f".SS {_roff(title[:1].upper() + title[1:])}"
    for argument in arguments:
        yield from _entry(_term(argument), argument.help)


def _entry(term: str, text: str) -> Iterator[str]:
    """A tagged paragraph; ``term`` is roff already."""
    yield from (".TP", term, _roff(text) or "\\&")


def _prose(text: str) -> Iterator[str]:
    """Paragraphs; indented lines are examples and stay as they are."""
    shown = False
    for line in text.splitlines():
        if line.startswith("  ") != shown:
            shown = not shown
            yield from (".PP", ".nf") if shown else (".fi", ".PP")
        if line.strip():
            yield _roff(line)
    if shown:
        yield ".fi"


def _term(argument: Argument) -> str:
    if not argument.flags:
        return f"\\fI{_roff(argument.metavar)}\\fR"
    value = f"\\fI{_roff(argument.metavar)}\\fR" if argument.metavar else ""
    value = f" [{value}]" if value and argument.optional else f" {value}" if value else ""
    return ", ".join(f"\\fB{_roff(flag)}\\fR" for flag in argument.flags) + value


def _first_lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _roff(text: str) -> str:
    """Text that groff prints as it is: no escapes, no requests, dashes one can copy."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    text = text.replace("^", "\\(ha").replace("~", "\\(ti").replace("`", "\\(ga")
    return f"\\&{text}" if text.startswith((".", "\\(aq")) else text
