"""``--attach``: C++ and Python targets, one that exits meanwhile, and ones that cannot be had."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.leftovers import Footprint
from tests.e2e.terminal import Terminal

pytestmark = pytest.mark.e2e

KVTOP = [sys.executable, "-m", "kvtop"]

CPP = """
#include <chrono>
#include <string>
namespace store {
volatile unsigned long sink;
__attribute__((noinline)) void hash_keys(unsigned long rounds) {
    for (unsigned long i = 0; i < rounds; i++) sink = sink + i * 2654435761u;
}
__attribute__((noinline)) void serve() {
    hash_keys(100000);
    sink = sink + 1;
}
}
int main(int argc, char **argv) {
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(std::stoi(argv[1]));
    while (std::chrono::steady_clock::now() < end) store::serve();
}
"""

PYTHON = """
import ctypes, time
def hash_keys(n):
    return sum(i * i for i in range(n))
def serve(end):
    while time.time() < end:
        hash_keys(20000)
        ctypes.CDLL(None).fflush(None)
serve(time.time() + 120)
"""


@pytest.fixture(scope="module")
def cpp_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("g++") or pytest.skip("needs g++")
    directory = tmp_path_factory.mktemp("cpp")
    source = directory / "store.cpp"
    source.write_text(CPP)
    program = directory / "store"
    # Without optimisation even functions that call nothing keep a frame pointer.
    subprocess.run([compiler, "-O0", "-g", "-o", program, source], check=True)
    return program


@pytest.fixture
def python_process(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    if sys.version_info < (3, 13):
        pytest.skip("-X perf_jit needs Python 3.13")
    script = tmp_path / "service.py"
    script.write_text(PYTHON)
    process = subprocess.Popen([sys.executable, "-X", "perf_jit", str(script)])
    yield process
    process.kill()
    process.wait()
    for path in Path("/tmp").glob(f"jit*-{process.pid}*"):
        path.unlink()


def first_report(enough: Callable[[dict[str, Any]], bool], *argv: str) -> dict[str, Any]:
    """The first report of a run that is enough."""
    command = [*KVTOP, "--json", "--refresh", "1", "-n", "60", *argv]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                report: dict[str, Any] = json.loads(line)
                if enough(report):
                    return report
        finally:
            process.terminate()
    raise AssertionError(f"not enough in the end: {line}")


def has_samples(report: dict[str, Any]) -> bool:
    stream = report["profile"]["stream"]
    return stream is not None and stream["samples"] > 200


def test_a_cpp_program_by_frame_pointers(cpp_program: Path, tmp_path: Path) -> None:
    process = subprocess.Popen([cpp_program, "120"])
    try:
        with Terminal([*KVTOP, "--attach", str(process.pid)], 120, 40, tmp_path) as terminal:
            terminal.wait_for(r"hash_keys")
            terminal.wait_for("task-clock")
            screen = terminal.text()
            assert "Cluster" not in screen
            assert "kill leader" not in screen
            terminal.keys("f")
            terminal.wait_for(r"main[\s\S]*serve[\s\S]*hash_keys")
            terminal.keys("Escape")
            terminal.wait_for("Counters")
            terminal.keys("q")
            assert terminal.wait_exit() == 0
    finally:
        process.kill()
        process.wait()


def test_a_python_process_with_its_own_functions(python_process: subprocess.Popen[bytes]) -> None:
    report = first_report(has_samples, "--attach", str(python_process.pid))
    spots = {spot["symbol"]: spot for spot in report["profile"]["hot_symbols"]}
    assert spots["serve"]["kind"] == spots["hash_keys"]["kind"] == "python"
    assert spots["serve"]["total_percent"] > 95
    stream = report["profile"]["stream"]
    assert stream["broken"] <= 0.05 * stream["samples"]


def test_two_processes_at_once(cpp_program: Path, python_process: subprocess.Popen[bytes]) -> None:
    process = subprocess.Popen([cpp_program, "120"])
    try:
        pids = f"{process.pid},{python_process.pid}"
        report = first_report(
            lambda report: (
                has_samples(report) and len({c["label"] for c in report["counters"]}) == 2
            ),
            "--attach",
            pids,
        )
    finally:
        process.kill()
        process.wait()
    symbols = " ".join(spot["symbol"] for spot in report["profile"]["hot_symbols"])
    assert "hash_keys" in symbols


def test_a_target_that_exits_is_said_and_its_past_stays(cpp_program: Path, tmp_path: Path) -> None:
    process = subprocess.Popen([cpp_program, "120"])
    with Terminal([*KVTOP, "--attach", str(process.pid)], 120, 40, tmp_path) as terminal:
        terminal.wait_for("hash_keys")
        process.kill()
        process.wait()
        terminal.wait_for("exited")
        assert "hash_keys" in terminal.text()
        children = psutil.Process(terminal.shell_pid).children(recursive=True)
        terminal.keys("q")
        assert terminal.wait_exit() == 0
        Footprint(tuple(children)).assert_gone()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_users_process_is_refused_with_a_sentence(tmp_path: Path) -> None:
    victim = subprocess.Popen(["sleep", "30"])
    try:
        # The interpreter may lie in a home that others cannot read, so only the identity changes.
        code = (
            "import os, sys, kvtop.run; from kvtop.cli import main;"
            "os.setgid(65534); os.setuid(65534); sys.exit(main(sys.argv[1:]))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, "--batch", "--attach", str(victim.pid)],
            capture_output=True,
            text=True,
            timeout=30,
            env=os.environ | {"HOME": "/nonexistent"},
            cwd=Path(__file__).parent.parent.parent,
        )
    finally:
        victim.kill()
        victim.wait()
    assert done.returncode == 2, done.stderr
    assert "belongs to user root" in done.stderr
    assert "sudo" in done.stderr
    assert done.stderr.count("\n") == 1
