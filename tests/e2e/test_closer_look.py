"""In a real terminal: the mouse on the flamegraph, callers and callees, samples per source line."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal

pytestmark = pytest.mark.e2e

PROGRAM = """
#include <stdint.h>
#include <time.h>
static volatile uint64_t sink;
__attribute__((noinline)) void divide(uint64_t n) {
    for (uint64_t i = 0; i < n; i++)
        sink += sink / (i | 3) / (sink | 5) / (i | 7) / (sink | 9) / (i | 11); /* the hot line */
}
__attribute__((noinline)) void left(void) { divide(30000); sink++; }
__attribute__((noinline)) void right(void) { divide(60000); sink++; }
int main(void) {
    for (time_t end = time(0) + 120; time(0) < end; sink++) { left(); right(); }
}
"""


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    compiler = shutil.which("gcc") or pytest.skip("needs gcc")
    source, program = tmp_path / "divide.c", tmp_path / "divide"
    source.write_text(PROGRAM)
    flags = ["-O0", "-g"]
    subprocess.run([compiler, *flags, "-o", program, source], check=True)
    process = subprocess.Popen([program])
    yield process
    process.kill()
    process.wait()


def test_mouse_callers_and_source(process: subprocess.Popen[bytes], tmp_path: Path) -> None:
    kvtop = [sys.executable, "-m", "kvtop", "--attach", str(process.pid)]
    with Terminal(kvtop, 120, 40, tmp_path) as terminal:
        terminal.wait_for(r"divide +divide")
        terminal.keys("f")
        terminal.wait_for(r"left +\S* ?right")

        # A click zooms into a box, one on the same box goes back; the details follow the mouse.
        lines = terminal.text().splitlines()
        row = next(n for n, line in enumerate(lines) if re.search(r"left .*right", line))
        column = lines[row].index("right") + 10  # the box moves a little with every sample
        terminal.mouse(column, row, button=35)
        terminal.wait_for(r"right  native  divide")
        terminal.mouse(column, row)
        terminal.wait_for("zoomed, esc goes back")
        line = terminal.text().splitlines()[row]
        assert line.index("right") < 5 and "left" not in line
        terminal.mouse(60, row)
        terminal.wait_for(r"left +\S* ?right")

        # Callers and callees of the selected box, then on to what it calls.
        terminal.keys("w")
        terminal.wait_for(r"100\.0[^\n]*● right")
        terminal.wait_for(r"[▴·] main[\s\S]*● right[\s\S]*[▾·] divide")
        terminal.keys("Down", "Enter")
        terminal.wait_for(r"▴ left[\s\S]*● divide|▴ right[\s\S]*● divide")

        # Samples per line.
        terminal.keys("a")
        match = terminal.wait_for(r"▶ +(\d+\.\d)% +\d+ +7  .*the hot line")
        assert float(match[1]) >= 90
        terminal.keys("i")
        terminal.wait_for(r"▶ +\d+\.\d% +\d+ +[0-9a-f]+  \w+")
        for opened in ("of the function itself", "● divide", "● right"):
            terminal.wait_for(opened)
            terminal.keys("Escape")
        terminal.wait_for(r"left +\S* ?right")
        terminal.keys("q")
        terminal.wait_for("Hot symbols")
        terminal.keys("q")
        assert terminal.wait_exit() == 0
