"""The man page: complete, and clean in the eyes of the programs that draw it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kvtop.cli import COMMANDS
from kvtop.interface import whole
from kvtop.keys import KEYS
from kvtop.manpage import page


@pytest.fixture(scope="module")
def source() -> str:
    return "\n".join(page(whole())) + "\n"


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_groff_has_no_warning_and_shows_everything(source: str) -> None:
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tascii", "-P-c", "-rLL=500n"],
        input=source,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stderr == ""
    shown = subprocess.run(
        ["col", "-bx"], input=done.stdout, capture_output=True, text=True, check=True
    ).stdout
    for level in whole().walk()[1:]:
        assert level.name in shown
    for argument in whole().arguments:
        assert ", ".join(argument.flags) in shown
        assert argument.help in shown
    for name in COMMANDS:
        assert f"\n   kvtop {name}\n" in shown
    for key in KEYS:
        assert any(
            line.split() == [key.label] or line.split()[:1] == [key.label]
            for line in shown.splitlines()
        ), key.label
        assert key.text in shown
    # What is copied from the page must be what was meant.
    assert "kvtop flame out.svg --only 'malloc|free'" in shown
    assert "~/.config/kvtop/config.toml" in shown


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="needs mandoc")
def test_mandoc_finds_no_error(source: str, tmp_path: Path) -> None:
    file = tmp_path / "kvtop.1"
    file.write_text(source)
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "error", str(file)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_it_names_the_variables_and_files_of_the_reference(source: str) -> None:
    reference = (Path(__file__).parent.parent / "docs" / "reference.md").read_text()
    sentence = reference.partition("Other variables: ")[2].partition("\n\n")[0]
    files = re.findall(r"^\| `(~/[^`]+)`", reference, re.MULTILINE)
    variables = re.findall(r"`([A-Z_]{5,})`", sentence)
    assert len(variables) >= 4 and len(files) >= 3
    plain = source.replace("\\(ti", "~").replace("\\-", "-")
    for name in (*variables, *files):
        assert name in plain


def test_the_command_prints_it(source: str) -> None:
    from tests.test_cli import kvtop

    assert kvtop("man").stdout == source
