"""The command line as a person meets it: sentences, exit codes, and no screen loaded in vain."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

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
        (["stress", "--threads", "none"], "--threads: 'none' must be from 1 to"),
        (["flame", "--width", "none"], "--width: 'none' must be a number"),
        (["flame", "--split", "x"], "'x' must be one of command, process, thread, none"),
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


def through_shell(line: str) -> subprocess.CompletedProcess[str]:
    """A command line that redirects, with $KVTOP for the program."""
    kvtop = shlex.join([sys.executable, "-m", "kvtop"])
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line.replace("$KVTOP", kvtop)],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("redirection", "reason"),
    [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")],
)
@pytest.mark.parametrize("words", ["--help", "completion bash"])
def test_output_that_cannot_be_written_is_told(words: str, redirection: str, reason: str) -> None:
    done = through_shell(f"$KVTOP {words} {redirection}")
    assert done.stderr == f"kvtop: cannot write standard output: {reason}.\n"
    assert done.returncode == 1


def test_a_reader_that_has_gone_is_no_complaint() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as output:
        argv = [sys.executable, "-m", "kvtop", "--help"]
        done = subprocess.run(argv, stdout=output, stderr=subprocess.PIPE, timeout=60)
    assert done.stderr == b""
    assert done.returncode == 1


def test_closed_streams_are_no_files_of_others(tmp_path: Path) -> None:
    """A file opened while 0, 1 or 2 is closed would get what is meant for the terminal."""
    profile = tmp_path / "a.folded"
    profile.write_text("main;work 3\n")
    done = through_shell(f"$KVTOP flame {profile} -o {tmp_path}/a.svg <&- >&- 2>&-")
    assert done.returncode == 0
    assert (tmp_path / "a.svg").read_text().rstrip().endswith("</svg>")
    done = through_shell("$KVTOP flame <&-")
    assert done.returncode == 2
    assert "standard input is empty" in done.stderr


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
