"""Targets of every kind on the command line: a command, the machine, and bad ones."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.e2e.leftovers import Footprint
from tests.e2e.terminal import Terminal

pytestmark = pytest.mark.e2e

KVTOP = [sys.executable, "-m", "kvtop"]
SPIN = Path(__file__).parent.parent / "fixtures" / "spin.c"

PYTHON = """
def hash_keys(n):
    return sum(i * i for i in range(n))
def serve():
    while True:
        hash_keys(20000)
serve()
"""


@pytest.fixture(scope="module")
def spin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A C program that keeps a CPU busy."""
    compiler = shutil.which("gcc") or pytest.skip("needs gcc")
    program = tmp_path_factory.mktemp("c") / "spinner"
    subprocess.run([compiler, "-O0", "-g", "-o", program, SPIN, "-lpthread"], check=True)
    return program


def test_a_command_is_profiled_from_its_start_and_ended(spin: Path, tmp_path: Path) -> None:
    command = ["sh", "-c", f"echo hello; {spin}; exit 3"]
    with Terminal([*KVTOP, "--", *command], 120, 40, tmp_path) as terminal:
        terminal.wait_for("leaf")
        # The child of the shell has a row of its own, and what it prints is in the logs.
        terminal.wait_for(r"spinner\([0-9]+\)")
        terminal.wait_for(r"sh\s+hello")
        children = psutil.Process(terminal.shell_pid).children(recursive=True)
        terminal.keys("q")
        assert terminal.wait_exit() == 0
        terminal.wait_for(r"kvtop: sh\([0-9]+\) was ended with kvtop\.")
        Footprint(tuple(children)).assert_gone()


def test_the_code_of_a_command_is_told() -> None:
    done = subprocess.run(
        [*KVTOP, "--json", "--refresh", "0.5", "--", "sh", "-c", "echo un''seen; exit 7"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    assert "exited with code 7." in done.stderr
    assert "unseen" not in done.stdout


def test_python_stacks_of_a_program_that_was_not_started_for_perf(tmp_path: Path) -> None:
    script = tmp_path / "service.py"
    script.write_text(PYTHON)
    process = subprocess.Popen([sys.executable, str(script)])
    try:
        with Terminal([*KVTOP, "--attach", str(process.pid)], 120, 40, tmp_path) as terminal:
            terminal.wait_for("Python frames by py-spy")
            terminal.keys("P")
            terminal.wait_for(r"serve[\s\S]*hash_keys[\s\S]*Python stacks by py-spy, 50/s")
            terminal.keys("Escape")
            terminal.wait_for("Counters")
            terminal.keys("q")
            assert terminal.wait_exit() == 0
    finally:
        process.kill()
        process.wait()


def test_the_whole_machine(spin: Path) -> None:
    process = subprocess.Popen([spin])
    try:
        done = subprocess.run(
            [*KVTOP, "--json", "-a", "-n", "8", "--refresh", "1"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    finally:
        process.kill()
        process.wait()
    report = json.loads(done.stdout.splitlines()[-1])
    assert {reading["label"] for reading in report["counters"]} == {"machine"}
    assert process.pid in {usage["pid"] for usage in report["usage"]}
    assert "leaf" in " ".join(spot["symbol"] for spot in report["profile"]["hot_symbols"])


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--attach-name", "kvtop-no-such-program-[0-9]$"], "no process has a name"),
        (["--attach-name", "("], "must be a regular expression"),
        (["--cgroup", "/kvtop/nowhere"], "there is no cgroup /kvtop/nowhere"),
        (["--container", "kvtop-nowhere"], "no process runs in a container kvtop-nowhere"),
        (["--unit", "kvtop-nowhere"], "no process runs in the systemd unit kvtop-nowhere.service"),
        (["--children"], "--children needs processes"),
        (["-a", "--attach", "1"], "--all and --attach exclude each other"),
        (["--command-log", "x"], "--command-log needs a command"),
        (["--"], "after -- comes the command"),
        (["--", "kvtop-no-such-program"], "there is no such command in PATH"),
        (["--attach", "1", "--", "true"], "-- COMMAND and --attach exclude each other"),
    ],
)
def test_a_bad_target_is_one_sentence(argv: list[str], sentence: str) -> None:
    done = subprocess.run([*KVTOP, "--batch", *argv], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
