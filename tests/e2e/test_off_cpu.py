"""The key ``o`` in a real terminal: waits of a process in ms, saved with their unit, all ended."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.e2e.leftovers import Footprint
from tests.e2e.terminal import Terminal

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.geteuid() != 0, reason="the kernel's part of stacks needs root"),
]

NAPS = "import time\nwhile True: time.sleep(0.01)"


def test_where_an_attached_process_waits(tmp_path: Path) -> None:
    naps = subprocess.Popen([sys.executable, "-c", NAPS])
    command = [sys.executable, "-m", "kvtop", "--attach", str(naps.pid), "--output", str(tmp_path)]
    try:
        with Terminal(command, 120, 40, tmp_path) as terminal:
            terminal.wait_for("task-clock")
            terminal.keys("o")
            terminal.wait_for(r"all · [\d,]+ ms[\s\S]*do_nanosleep")
            terminal.wait_for(r"off-CPU[\s\S]*switches/s|switches/s[\s\S]*off-CPU")
            terminal.keys("s")
            terminal.wait_for("Saved")
            children = psutil.Process(terminal.shell_pid).children(recursive=True)
            terminal.keys("o")
            terminal.wait_for("Counters")
            terminal.keys("q")
            assert terminal.wait_exit() == 0
            Footprint(tuple(children)).assert_gone()
    finally:
        naps.kill()
        naps.wait()
    (saved,) = tmp_path.glob("*.svg")
    assert re.search(r"[\d,]+ ms", saved.read_text())
    assert "do_nanosleep" in saved.read_text()
