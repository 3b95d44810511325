"""A user's whole journey in a real terminal, against real perf and a real cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal

pytestmark = pytest.mark.e2e

KVTOP = [sys.executable, "-m", "kvtop"]


def test_cluster_flamegraph_svg_and_a_killed_leader(tmp_path: Path) -> None:
    with Terminal(KVTOP, 120, 40, tmp_path) as terminal:
        leader = terminal.wait_for(r"(node\d) +up +♛ leader")[1]
        terminal.wait_for(r"ops/s +\d")
        terminal.wait_for(r"py   \w+")

        terminal.keys("f")
        terminal.wait_for("esc back")
        terminal.wait_for(r"kvserver|raft|step|_forever|_PyEval|Runner\.run")
        terminal.keys("Escape")
        terminal.wait_for("q quit")

        terminal.keys("s")
        saved = terminal.wait_for(r"kvtop-\d{8}-\d{6}\.svg")[0]
        assert "<svg" in (tmp_path / saved).read_text()[:2000]

        terminal.keys("S")
        terminal.wait_for(r"kvtop-\d{8}-\d{6}(?!\.svg)\b")
        directory = next(path for path in tmp_path.iterdir() if path.is_dir())
        kept = {path.name for path in directory.iterdir()}
        assert {"perf.data", "perf.unfold", "perf.folded", "perf.svg"} <= kept
        report = subprocess.run(
            ["perf", "report", "-i", str(directory / "perf.data"), "--stdio", "--no-children"],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "Overhead" in report.stdout

        terminal.keys("k")
        terminal.wait_for(r"Yes +\(y\)")
        terminal.keys("y")
        terminal.wait_for(rf"{leader}.*(down|DOWN)")
        new = terminal.wait_for(r"(node\d) +up +♛ leader")[1]
        assert new != leader
        terminal.keys("q")
        assert terminal.wait_exit() == 0


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40), (200, 50)])
def test_nothing_is_wider_or_higher_than_the_terminal(
    tmp_path: Path, columns: int, rows: int
) -> None:
    with Terminal([*KVTOP, "--rate", "500"], columns, rows, tmp_path) as terminal:
        terminal.wait_for("leader")
        terminal.wait_for("q quit")
        screen = terminal.text().rstrip("\n").split("\n")
        assert len(screen) <= rows
        assert max(map(len, screen)) <= columns
        assert "q quit" in screen[-1]
        terminal.resize(20, 5)
        terminal.resize(columns, rows)
        terminal.wait_for("leader")
        terminal.keys("q")
        assert terminal.wait_exit() == 0
