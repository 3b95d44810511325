"""Finds what a run of kvtop left behind: processes of its tree, sockets, temporary files."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Footprint:
    """The processes of a run, and the data directories that their command lines name."""

    processes: tuple[psutil.Process, ...]
    directories: frozenset[Path] = frozenset()

    @classmethod
    def of(cls, pid: int) -> Footprint:
        """The tree under ``pid``, itself included."""
        root = psutil.Process(pid)
        processes = (root, *root.children(recursive=True))
        directories = set()
        for process in processes:
            try:
                command = process.cmdline()
            except psutil.Error:
                continue
            if "--dir" in command:
                directories.add(Path(command[command.index("--dir") + 1]).parent)
        return cls(processes, frozenset(directories))

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
        """The run's data directories, and temporary files with one of its PIDs in the name."""
        pids = {str(process.pid) for process in self.processes}
        found = [str(path) for path in self.directories if path.exists()]
        for path in Path(tempfile.gettempdir()).iterdir():
            parts = path.name.replace(".", "-").split("-")
            if path.name.startswith(("jit-", "jitted-", "perf-", "kvtop-")) and pids & set(parts):
                found.append(str(path))
        return found

    def assert_gone(self, seconds: float = 30) -> None:
        """Fail unless processes and files go away within ``seconds``."""
        deadline = time.monotonic() + seconds
        while (left := self.alive() + self.files()) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not left, f"left behind: {left}"
