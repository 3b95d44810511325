"""The commands of the page and of the workflow are commands of this kvtop."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from kvtop.bench.running import names_of
from kvtop.cli import command_parser

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github/workflows/bench.yml"
PAGE = ROOT / "docs/benchmarks.md"
_COMMAND = re.compile(
    r"^\s*(?:\"[^\"]*/kvtop\"|[\w./]*kvtop) bench\b(?P<rest>[^#\n]*)", re.MULTILINE
)


def commands(path: Path) -> list[str]:
    text = path.read_text()
    names = re.search(r"^\s*NAMES: (.+)$", text, re.MULTILINE)
    return [
        match["rest"].replace("$NAMES", names[1] if names else "")
        for match in _COMMAND.finditer(text)
    ]


@pytest.mark.parametrize(
    "command",
    [pytest.param(c, id=c.strip() or "bare") for p in (PAGE, WORKFLOW) for c in commands(p)],
)
def test_commands(command: str) -> None:
    arguments = command_parser("bench").parse_args(shlex.split(command))
    assert names_of(arguments.names, arguments.macro)


def test_both_have_commands() -> None:
    assert len(commands(PAGE)) >= 10
    assert len(commands(WORKFLOW)) == 2


def test_every_group_is_on_the_page() -> None:
    page = PAGE.read_text()
    for group in {name.partition(".")[0] for name in names_of([], True)}:
        assert f"`{group}`" in page
