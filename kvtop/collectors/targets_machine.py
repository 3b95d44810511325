"""``--all``: every process of the machine, of which the busiest get rows of their own."""

from __future__ import annotations

import asyncio
import os
import re
import time
from pathlib import Path

from kvtop.collectors.attach import AttachError, may_see_all
from kvtop.collectors.doctor import read_paranoid
from kvtop.collectors.processes import MACHINE
from kvtop.events import Emit, Role, Target, TargetsChanged
from kvtop.profile.text import safe_text

WHOLE = Target("machine", MACHINE, Role.OTHER, "every process")
_LOOK_EVERY = 2.0
_ROWS = 30
_KEPT_FOR = 10.0
"""Seconds that a row stays after its process was among the busiest."""


def check() -> None:
    """AttachError where this user may not profile the whole machine (perf_event_open(2))."""
    paranoid = read_paranoid()
    if paranoid is not None and paranoid > 0 and not may_see_all():
        raise AttachError(
            f"the kernel lets only root profile the whole machine (kernel.perf_event_paranoid is "
            f"{paranoid}): start kvtop with sudo, or run sudo sysctl kernel.perf_event_paranoid=0"
        )


class MachineWatch:
    """Emits TargetsChanged with the processes that used the most CPU time lately."""

    name = "targets"

    def __init__(self) -> None:
        self._ticks: dict[int, int] = {}
        self._busy_at: dict[int, float] = {}

    async def run(self, emit: Emit) -> None:
        """Look until cancelled."""
        shown: tuple[Target, ...] = ()
        self._look()
        pause = 0.3
        while True:
            await asyncio.sleep(pause)
            pause = _LOOK_EVERY
            targets = self._look()
            if targets and targets != shown:
                shown = targets
                emit(TargetsChanged(time.monotonic(), targets))

    def _look(self) -> tuple[Target, ...]:
        now = time.monotonic()
        ticks: dict[int, int] = {}
        names: dict[int, str] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    stat = (entry / "stat").read_text(errors="replace")
                except OSError:
                    continue
                pid = int(entry.name)
                head, _, rest = stat.rpartition(")")
                fields = rest.split()
                names[pid] = head.partition("(")[2]
                # utime and stime of proc_pid_stat(5).
                ticks[pid] = int(fields[11]) + int(fields[12])
        used = {pid: n - self._ticks.get(pid, n) for pid, n in ticks.items()}
        self._ticks = ticks
        for pid in sorted(used, key=lambda pid: -used[pid])[:_ROWS]:
            if used[pid] > 0:
                self._busy_at[pid] = now
        self._busy_at = {
            pid: at for pid, at in self._busy_at.items() if pid in ticks and now - at < _KEPT_FOR
        }
        return tuple(
            Target(
                f"{safe_text(names[pid], 40)}({pid})",
                pid,
                Role.OTHER,
                _command(pid),
                parent=MACHINE,
            )
            for pid in sorted(self._busy_at)
        )


def _command(pid: int) -> str:
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return safe_text(re.sub(r"\0", " ", os.fsdecode(raw.rstrip(b"\0"))), 200)
