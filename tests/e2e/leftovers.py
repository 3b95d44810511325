"""Finds what a run of kvtop left behind: processes of its tree, sockets, temporary files."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Footprint:
    """The processes of a run (PID and start time), and what /tmp held before it."""

    processes: tuple[psutil.Process, ...]

    @classmethod
    def of(cls, pid: int) -> Footprint:
        """The tree under ``pid``, itself included."""
        root = psutil.Process(pid)
        return cls((root, *root.children(recursive=True)))

    def alive(self) -> list[str]:
        """Processes of the run that still run (a zombie has ended)."""
        found = []
        for process in self.processes:
            try:
                if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(f"{process.pid} {' '.join(process.cmdline())[:120]}")
            except psutil.NoSuchProcess:
                continue
        return found

    def files(self) -> list[str]:
        """Temporary files that carry a PID of the run in their names, and kvtop's directories."""
        pids = {str(process.pid) for process in self.processes}
        found = []
        for path in Path(tempfile.gettempdir()).iterdir():
            parts = path.name.replace(".", "-").split("-")
            if path.name.startswith(("jit-", "jitted-", "perf-", "kvtop-")) and pids & set(parts):
                found.append(str(path))
        return found

    def assert_gone(self, seconds: float = 10) -> None:
        """Fail unless processes and files go away within ``seconds``."""
        deadline = time.monotonic() + seconds
        while (left := self.alive() + self.files()) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not left, f"left behind: {left}"
