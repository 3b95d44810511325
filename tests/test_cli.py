"""The command line as a person meets it: sentences, exit codes, and no screen loaded in vain."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kvtop.cli import COMMANDS


def kvtop(*argv: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kvtop", *argv],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        env=os.environ | environ,
    )


@pytest.mark.parametrize("argv", [["--help"], ["--version"]])
def test_help_and_version_go_to_stdout(argv: list[str]) -> None:
    done = kvtop(*argv)
    assert done.returncode == 0
    assert "kvtop" in done.stdout
    assert done.stderr == ""


def test_without_a_terminal_it_says_what_to_use() -> None:
    done = kvtop()
    assert done.returncode == 2
    assert "--batch" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--mix", "1"], "READ:WRITE"),
        (["--colour"], "unrecognized arguments: --colour"),
        (["frobnicate"], "no command 'frobnicate'"),
        (["stress", "--threads", "none"], "--threads"),
        (["server", "--config", "/nonexistent.conf"], "/nonexistent.conf"),
        (["--batch", "--attach", "999999999"], "999999999"),
        (["--batch", "--attach", "4194304,1"], "4194304"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(argv: list[str], sentence: str) -> None:
    done = kvtop(*argv)
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_the_command_line_does_not_load_the_screen() -> None:
    code = "import sys, kvtop.cli, kvtop.batch; print('textual' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False", done.stderr


def test_every_command_has_help() -> None:
    for name in COMMANDS:
        done = kvtop(name, "--help")
        assert done.returncode == 0
        assert f"kvtop {name}" in done.stdout


def test_simple_stress_reports_what_it_did() -> None:
    done = kvtop("simple-stress", "--threads", "2", "--operations", "5")
    assert done.returncode == 0, done.stderr
    assert "10" in done.stdout
