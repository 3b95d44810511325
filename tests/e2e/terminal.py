"""A real terminal for end-to-end tests: tmux on a private socket, keys in, text out."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType


class Terminal:
    """One tmux session of a given size; ends its server, and so its program, on exit."""

    def __init__(self, command: Sequence[str], columns: int, rows: int, cwd: Path) -> None:
        self._socket = f"kvtop-test-{os.getpid()}-{time.monotonic_ns()}"
        self.exit_file = cwd / "exit-code"
        line = (
            f"{shlex.join(command)}; echo $? > {shlex.quote(str(self.exit_file))}; exec sleep 600"
        )
        self._tmux(
            "-f", "/dev/null", "new-session", "-d", "-s", "t",
            "-x", str(columns), "-y", str(rows), "-c", str(cwd),
            "env", "-u", "COLUMNS", "-u", "LINES", "TERM=xterm-256color",
            "COLORTERM=truecolor", "TEXTUAL_ANIMATIONS=none",
            "sh", "-c", line,
        )  # fmt: skip

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _tmux(self, *args: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", self._socket, *args], capture_output=True, text=True, timeout=20
        )
        if done.returncode:
            raise RuntimeError(f"tmux {args[0]}: {done.stderr.strip()}")
        return done.stdout

    @property
    def shell_pid(self) -> int:
        """PID of the shell that runs the program."""
        return int(self._tmux("display-message", "-p", "-t", "t", "#{pane_pid}"))

    def close(self) -> None:
        """End the terminal as a closed window does (the program gets SIGHUP)."""
        subprocess.run(["tmux", "-L", self._socket, "kill-server"], capture_output=True)

    def keys(self, *names: str) -> None:
        """Press keys by tmux name ("Enter", "Escape", "C-c", "f")."""
        self._tmux("send-keys", "-t", "t", *names)

    def mouse(self, column: int, row: int, button: int = 0) -> None:
        """Press and release a button (0 left; 35 only moves) at a cell, 0 being the first.

        The bytes are those of a terminal's SGR mouse mode (xterm's ctlseqs, "SGR (1006)").
        """
        ends = ("M", "m") if button < 32 else ("M",)
        for end in ends:
            sequence = f"\x1b[<{button};{column + 1};{row + 1}{end}"
            self._tmux("send-keys", "-t", "t", "-H", *(f"{ord(c):x}" for c in sequence))

    def resize(self, columns: int, rows: int) -> None:
        """Change the window's size, as a person dragging its corner does."""
        self._tmux("resize-window", "-t", "t", "-x", str(columns), "-y", str(rows))

    def text(self) -> str:
        """What the screen shows now."""
        return self._tmux("capture-pane", "-p", "-t", "t")

    def wait_for(self, pattern: str, seconds: float = 60) -> re.Match[str]:
        """Wait until the screen matches; AssertionError shows the last screen."""
        deadline = time.monotonic() + seconds
        while True:
            screen = self.text()
            if match := re.search(pattern, screen):
                return match
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"no {pattern!r} within {seconds} s; the screen was:\n{screen}"
                )
            time.sleep(0.1)

    def wait_exit(self, seconds: float = 60) -> int:
        """The program's exit code, once it has ended."""
        deadline = time.monotonic() + seconds
        while not (self.exit_file.exists() and self.exit_file.read_text().strip()):
            if time.monotonic() > deadline:
                raise AssertionError(f"still running after {seconds} s:\n{self.text()}")
            time.sleep(0.05)
        return int(self.exit_file.read_text())
