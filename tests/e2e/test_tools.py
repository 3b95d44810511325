"""The key ``y`` in a real terminal: system calls of the cluster that kvtop started."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

from tests.e2e.leftovers import Footprint
from tests.e2e.terminal import Terminal

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.geteuid() != 0, reason="tracepoints are root's to read"),
]


def test_system_calls_of_the_real_cluster(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kvtop", "--rate", "300", "--clients", "2"]
    with Terminal(command, 120, 40, tmp_path) as terminal:
        terminal.wait_for("leader")
        terminal.keys("y")
        # What every log entry takes: it is written and synced before it counts.
        terminal.wait_for(r"fdatasync +[\d.,]+")
        terminal.wait_for(r"(sendto|write|sendmsg) +[\d.,k]+")
        children = psutil.Process(terminal.shell_pid).children(recursive=True)
        terminal.keys("Escape")
        terminal.wait_for("q quit")
        terminal.keys("q")
        assert terminal.wait_exit() == 0
        Footprint(tuple(children)).assert_gone()
