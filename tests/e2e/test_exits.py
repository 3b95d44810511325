"""Whatever way kvtop ends, no process, socket or temporary file of it is left."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.leftovers import Footprint
from tests.e2e.terminal import Terminal

pytestmark = pytest.mark.e2e

KVTOP = [sys.executable, "-m", "kvtop"]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    with Terminal([*KVTOP, "--clients", "2", "--rate", "500"], 120, 40, tmp_path) as terminal:
        terminal.wait_for(r"node0.*(leader|follower)")
        yield terminal


def kvtop_pid(terminal: Terminal) -> int:
    children = psutil.Process(terminal.shell_pid).children()
    return next(child.pid for child in children if "kvtop" in command_line(child))


def complete(pid: int) -> Footprint:
    """All that a run consists of, once all of it is there."""
    deadline = time.monotonic() + 30
    while True:
        footprint = Footprint.of(pid)
        names = [name for p in footprint.processes if (name := command_line(p))]
        nodes = sum("kvtop.workload.node" in name for name in names)
        if nodes == 3 and any(name.startswith("perf record") for name in names):
            return footprint
        assert time.monotonic() < deadline, names
        time.sleep(0.1)


def command_line(process: psutil.Process) -> str:
    """Empty for one that has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def listening(footprint: Footprint) -> list[int]:
    ports = []
    for process in footprint.processes:
        try:
            ports += [c.laddr.port for c in process.net_connections() if c.status == "LISTEN"]
        except psutil.Error:
            continue
    return ports


WAYS: dict[str, tuple[Callable[[Terminal, int], None], int | None]] = {
    "q": (lambda terminal, pid: terminal.keys("q"), 0),
    "ctrl-c": (lambda terminal, pid: terminal.keys("C-c"), 0),
    "SIGINT": (lambda terminal, pid: os.kill(pid, signal.SIGINT), 128 + signal.SIGINT),
    "SIGTERM": (lambda terminal, pid: os.kill(pid, signal.SIGTERM), 128 + signal.SIGTERM),
    "SIGHUP": (lambda terminal, pid: os.kill(pid, signal.SIGHUP), 128 + signal.SIGHUP),
    "SIGKILL": (lambda terminal, pid: os.kill(pid, signal.SIGKILL), 128 + signal.SIGKILL),
    "closed terminal": (lambda terminal, pid: terminal.close(), None),
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_left(terminal: Terminal, way: str) -> None:
    pid = kvtop_pid(terminal)
    footprint = complete(pid)
    ports = listening(footprint)
    assert len(ports) >= 3

    end, code = WAYS[way]
    end(terminal, pid)

    if code is not None:
        assert terminal.wait_exit() == code
    footprint.assert_gone()
    open_ports = {c.laddr.port for c in psutil.net_connections() if c.status == "LISTEN"}
    assert not open_ports & set(ports)


def test_a_crash_of_the_screen_leaves_nothing(tmp_path: Path) -> None:
    """The tick is made to raise: kvtop reports it and ends its children all the same."""
    script = tmp_path / "crash.py"
    script.write_text(
        "import sys\n"
        "from kvtop import app, cli\n"
        "ticks = 0\n"
        "def tick(self):\n"
        "    global ticks\n"
        "    ticks += 1\n"
        "    if ticks > 4:\n"
        "        raise RuntimeError('planted')\n"
        "app.KvtopApp.tick = tick\n"
        "sys.exit(cli.main(['--clients', '1', '--rate', '100']))\n"
    )
    with Terminal([sys.executable, str(script)], 120, 40, tmp_path) as terminal:
        deadline = time.monotonic() + 60
        footprint = Footprint.of(terminal.shell_pid)
        while not terminal.exit_file.exists() and time.monotonic() < deadline:
            seen = Footprint.of(terminal.shell_pid)
            if len(seen.processes) > len(footprint.processes):
                footprint = seen
            time.sleep(0.02)
        assert terminal.wait_exit() == 1
        assert len(footprint.processes) > 4
        Footprint(footprint.processes[1:], footprint.directories).assert_gone()


def test_killing_the_supervisor_ends_the_nodes(terminal: Terminal) -> None:
    """Nodes must not outlive their supervisor, and kvtop says that it is gone."""
    footprint = Footprint.of(kvtop_pid(terminal))
    assert footprint.directories
    tree = psutil.Process(kvtop_pid(terminal)).children(recursive=True)
    supervisor = next(p for p in tree if "kvtop.workload.supervisor" in command_line(p))
    nodes = Footprint(tuple(supervisor.children(recursive=True)))
    supervisor.kill()
    deadline = time.monotonic() + 30
    while nodes.alive() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert nodes.alive() == []
    terminal.wait_for("supervisor")
    terminal.keys("q")
    assert terminal.wait_exit() == 0
    footprint.assert_gone()
