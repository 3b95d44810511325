"""Habits in a real terminal: the mouse is asked for, or left alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal

pytestmark = pytest.mark.e2e

KVTOP = [sys.executable, "-m", "kvtop"]


def reports_mouse(terminal: Terminal) -> bool:
    """Whether the program on the screen asked the terminal for mouse events."""
    return terminal._tmux("display-message", "-p", "-t", "t", "#{mouse_any_flag}").strip() == "1"


@pytest.mark.parametrize("options", [[], ["--no-mouse"]])
def test_no_mouse_leaves_it_to_the_terminal(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "x.folded").write_text("main;work 3\n")
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        for command, shown in (
            (["view", "x.folded"], "main"),
            (["--attach", str(busy.pid)], "self %"),
        ):
            with Terminal([*KVTOP, *command, *options], 100, 30, tmp_path) as terminal:
                terminal.wait_for(shown)
                assert reports_mouse(terminal) == (not options)
                terminal.keys("q")
                assert terminal.wait_exit() == 0
            terminal.exit_file.unlink()
    finally:
        busy.kill()
        busy.wait()
