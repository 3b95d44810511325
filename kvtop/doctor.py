"""``kvtop doctor``: what works here, what does not, what that costs, and how to mend it."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby

from kvtop.collectors.checks import Check, State
from kvtop.collectors.host_checks import all_checks
from kvtop.config import Config, add_options, read_options
from kvtop.profile.text import safe_text

_DESCRIPTION = """\
Look at everything that kvtop needs: perf, permissions, limits, events, stacks, Python frames,
symbols, terminal. Each is ok, degraded or missing; of the latter two it says what that costs and
the command that mends it. Nothing is changed. Exit code 1 if kvtop cannot profile here.

  kvtop doctor
  kvtop doctor --json | jq '.checks[] | select(.state != "ok")'
  kvtop doctor --ssh root@db1
"""
_MARKS = {State.OK: "ok", State.DEGRADED: "degraded", State.MISSING: "MISSING"}
_COLOURS = {State.OK: "32", State.DEGRADED: "33", State.MISSING: "31;1"}
_AREAS = (
    *("perf", "rights", "limits", "events", "stacks", "symbols", "python", "tools", "files"),
    "terminal",
)
_COMMANDS = ("sudo ", "export ", "ulimit ", "docker ")
_REMOTE = ("ssh", "ssh_command", "ssh_sudo")
_NAME = 18
_MARK = 9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.description = _DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    add_options(parser, _REMOTE)


def run(arguments: argparse.Namespace) -> int:
    """Look and print; 0 where kvtop is of use, 1 where something that it needs is missing."""
    config = Config(**read_options(arguments, _REMOTE))
    found = asyncio.run(_look(config))
    if not found:
        return 1
    checks = sorted(found, key=lambda check: _AREAS.index(check.area))
    if arguments.json:
        print(json.dumps(as_data(checks), indent=2))
    else:
        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        width = min(shutil.get_terminal_size((80, 24)).columns, 100)
        where = "here" if config.ssh is None else f"on {config.ssh}"
        print("\n".join(report(checks, width, colour, where)))
    return 0 if usable(checks) else 1


async def _look(config: Config) -> list[Check]:
    """The checks; none, and a sentence on stderr, where the machine cannot be reached."""
    if config.ssh is None:
        return await all_checks()
    from kvtop.remote.doctor import checks_there
    from kvtop.session import StartError

    try:
        return await checks_there(config)
    except StartError as error:
        print(f"kvtop: {error}", file=sys.stderr)
        return []


def usable(checks: Sequence[Check]) -> bool:
    """Whether nothing that kvtop cannot do without is missing."""
    return not any(check.needed and check.state is State.MISSING for check in checks)


def as_data(checks: Sequence[Check]) -> dict[str, object]:
    """The checks as plain data for JSON."""
    return {"usable": usable(checks), "checks": [dataclasses.asdict(check) for check in checks]}


def report(
    checks: Sequence[Check], width: int = 80, colour: bool = False, where: str = "here"
) -> Iterator[str]:
    """The checks as lines of text, in groups, and a sentence that sums them up."""
    for area, group in groupby(checks, lambda check: check.area):
        yield f"{area}:"
        for check in group:
            yield from _lines(check, width, colour)
    yield ""
    yield from _wrapped(verdict(checks, where), width)


def _lines(check: Check, width: int, colour: bool) -> Iterator[str]:
    mark = _MARKS[check.state].ljust(_MARK)
    if colour:
        mark = f"\x1b[{_COLOURS[check.state]}m{mark}\x1b[0m"
    indent = " " * (2 + _MARK + _NAME + 1)
    room = max(20, width - len(indent))
    first, *rest = _wrapped(check.found, room) or [""]
    yield f"  {mark}{check.name:<{_NAME}} {first}"
    yield from (indent + line for line in rest)
    if check.state is State.OK:
        return
    if check.cost:
        yield from (indent + line for line in _wrapped(f"costs: {check.cost}", room))
    if check.remedy.startswith(_COMMANDS):
        # Never broken: it is there to be copied.
        yield f"{indent}mend:  {safe_text(check.remedy)}"
    elif check.remedy:
        yield from (indent + line for line in _wrapped(f"mend:  {check.remedy}", room))


def _wrapped(text: str, room: int) -> list[str]:
    return textwrap.wrap(safe_text(text), room, break_on_hyphens=False)


def verdict(checks: Sequence[Check], where: str = "here") -> str:
    """One sentence for all."""
    missing = [check for check in checks if check.needed and check.state is State.MISSING]
    degraded = sum(check.state is not State.OK for check in checks)
    if missing:
        return f"kvtop cannot profile {where}: {missing[0].name}: {missing[0].found.rstrip('.')}."
    if degraded:
        return f"kvtop works {where}; {degraded} of {len(checks)} checks cost something, see above."
    return f"kvtop works {where}, with everything it can do."
