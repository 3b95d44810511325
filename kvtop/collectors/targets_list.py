"""The processes of this machine that have a program, with what the picker shows of them."""

from __future__ import annotations

import time
from contextlib import suppress

import psutil

from kvtop.events import ListedProcess


class ProcessList:
    """Each ``read`` gives CPU shares since the one before."""

    def __init__(self) -> None:
        self._before: dict[tuple[int, float], float] = {}
        self._at = 0.0

    def read(self) -> list[ListedProcess]:
        """All of them, kvtop and threads of the kernel left out."""
        now, own = time.monotonic(), psutil.Process().pid
        seconds = now - self._at
        spent: dict[tuple[int, float], float] = {}
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error), process.oneshot():
                command = process.cmdline()
                if process.pid == own or not command or process.status() == "zombie":
                    continue
                times = process.cpu_times()
                key = process.pid, process.create_time()
                spent[key] = times.user + times.system
                before = self._before.get(key)
                percent = None if before is None else 100 * (spent[key] - before) / seconds
                found.append(
                    ListedProcess(
                        process.pid,
                        process.username(),
                        percent,
                        process.memory_info().rss,
                        process.name(),
                        " ".join(command),
                    )
                )
        self._before, self._at = spent, now
        return found
