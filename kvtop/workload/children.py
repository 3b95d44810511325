"""Child processes of the supervisor: their lives, their pipes, and what they leave behind."""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

MAX_LINE = 1 << 20
LEFTOVERS_OF = 20
"""Dead processes whose perf files are kept: perf may still resolve their past samples."""


class Child:
    """One process of a node or of stress clients. Its pipes are read line by line."""

    def __init__(self, name: str, kind: str, arguments: list[str]) -> None:
        """Start it. OSError if that fails."""
        self.name = name
        self.kind = kind
        self.paused = False
        self.process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
            bufsize=0,
        )
        self.pid = self.process.pid

    def signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """End it for sure (a stopped process dies of SIGKILL too) and reap it."""
        self.signal(signal.SIGKILL)
        self.process.wait()


class LineReader:
    """Lines from a non-blocking pipe; a line over the cap is dropped."""

    def __init__(self, descriptor: int, on_line: Callable[[bytes], None]) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self._on_line = on_line
        self._rest = b""

    def read(self) -> bool:
        """Hand over the lines that came; False at the end of the pipe."""
        try:
            data = os.read(self.descriptor, 1 << 16)
        except BlockingIOError:
            return True
        except OSError:
            return False
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._on_line(line)
        self._rest = b"" if len(rest) > MAX_LINE else rest
        return bool(data)

    def drain(self) -> None:
        """Hand over all that is there now."""
        while select_readable(self.descriptor) and self.read():
            pass


def select_readable(descriptor: int) -> bool:
    """Whether a read would not block."""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        return bool(selector.select(0))


class Leftovers:
    """Files to remove: what perf support writes for each PID, and what the user names."""

    def __init__(self) -> None:
        self._dead: list[int] = []
        self._paths: list[Path] = []

    def add_path(self, path: Path) -> None:
        """Remove this file or directory at the end."""
        self._paths.append(path)

    def add_dead(self, pid: int) -> None:
        """Remove the perf files of this process later: at the end, or when many have piled up."""
        self._dead.append(pid)
        while len(self._dead) > LEFTOVERS_OF:
            remove_perf_files(self._dead.pop(0))

    def remove_all(self) -> None:
        """Remove everything now."""
        for pid in self._dead:
            remove_perf_files(pid)
        self._dead.clear()
        for path in self._paths:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        self._paths.clear()


def remove_perf_files(pid: int, directory: Path = Path("/tmp")) -> None:
    """Remove what -X perf, -X perf_jit and ``perf inject --jit`` write for one process."""
    paths = [directory / f"jit-{pid}.dump", directory / f"perf-{pid}.map"]
    for path in [*paths, *directory.glob(f"jitted-{pid}-*.so")]:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            pass  # not ours, or not writable: nothing that this process could do
