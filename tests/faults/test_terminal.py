"""A terminal that becomes too small for anything, and large again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.collectors.helpers import SPIN, processes
from tests.e2e.terminal import Terminal
from tests.faults.helpers import needs_perf

pytestmark = [pytest.mark.e2e, needs_perf]


MAIN = r"self %[\s\S]*q quit"


@pytest.mark.parametrize(("view", "shown"), [("", MAIN), ("f", r"all · [\s\S]*esc back")])
def test_twenty_columns_by_five_and_back(tmp_path: Path, view: str, shown: str) -> None:
    with processes(SPIN) as (program,):
        kvtop = [sys.executable, "-m", "kvtop", "--attach", str(program.pid)]
        with Terminal(kvtop, 120, 40, tmp_path) as terminal:
            terminal.wait_for(MAIN)
            if view:
                terminal.keys(view)
            terminal.wait_for(shown)
            terminal.resize(20, 5)
            terminal.wait_for(r"\A(.{0,20}\n){5}\Z")
            terminal.keys("Down", "Up")
            terminal.resize(120, 40)
            terminal.wait_for(shown)
            if view:
                terminal.keys("Escape")
            terminal.wait_for(MAIN)
            terminal.keys("q")
            assert terminal.wait_exit() == 0
