"""What the processes use, the profiled ones and kvtop's own, from /proc."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from kvtop.events import CollectorStatus, Emit, Health, OwnUsage, ProcessUsage, Target

MACHINE = 0
"""The PID that stands for every process: perf is started with -a instead of -p."""


def started_since(pids: Iterable[int], since: float) -> tuple[int, ...]:
    """Descendants of processes that began at ``since`` (CLOCK_BOOTTIME seconds) or later."""
    family: set[int] = set()
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            family.update(child.pid for child in psutil.Process(pid).children(recursive=True))
    return tuple(sorted(pid for pid in family if _start_time(pid) >= since))


def _start_time(pid: int) -> float:
    """Seconds after boot, to a clock tick (proc(5), field 22 of stat); -1 if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return -1
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def process_exists(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not reaped does not."""
    if pid == MACHINE:
        return True
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


class Processes:
    """Emits ProcessUsage per target and OwnUsage, ``interval`` seconds apart.

    ``perf_pids`` gives the processes of perf that run for kvtop; those that ended are counted
    through the times of reaped children (times(2)).
    """

    name = "processes"

    def __init__(
        self,
        targets: Sequence[Target] = (),
        perf_pids: Callable[[], Iterable[int]] = tuple,
        interval: float = 1.0,
    ) -> None:
        self.interval = interval
        self._perf_pids = perf_pids
        self._targets = tuple(targets)
        self._known: dict[int, psutil.Process] = {}
        self._cpu: dict[int, tuple[float, float]] = {}
        self._own: tuple[float, float, float] | None = None
        self._process = psutil.Process()

    def retarget(self, targets: Sequence[Target]) -> None:
        """Watch these from now on."""
        self._targets = tuple(targets)

    async def run(self, emit: Emit) -> None:
        """Read until cancelled."""
        emit(CollectorStatus(time.monotonic(), self.name, Health.OK))
        while True:
            self._forget(t.pid for t in self._targets)
            for target in self._targets:
                usage = self._read(target)
                if usage is not None:
                    emit(usage)
            own = self._read_own()
            if own is not None:
                emit(own)
            await asyncio.sleep(self.interval)

    def _forget(self, wanted: Iterable[int]) -> None:
        for pid in self._known.keys() - set(wanted):
            del self._known[pid]
            self._cpu.pop(pid, None)

    def _read(self, target: Target) -> ProcessUsage | None:
        """One reading; None where the process is gone."""
        pid = target.pid
        try:
            process = self._known.get(pid)
            if process is None:
                process = self._known[pid] = psutil.Process(pid)
            with process.oneshot():
                now = time.monotonic()
                times = process.cpu_times()
                status = process.status()
                rss = process.memory_info().rss
                threads = process.num_threads()
        except psutil.Error:
            self._known.pop(pid, None)
            self._cpu.pop(pid, None)
            return None
        spent = times.user + times.system
        before = self._cpu.get(pid)
        self._cpu[pid] = now, spent
        percent = _percent(before, now, spent)
        return ProcessUsage(now, target.label, pid, percent, rss, threads, status)

    def _read_own(self) -> OwnUsage | None:
        """Usage since the last reading; None the first time."""
        now = time.monotonic()
        times = os.times()
        own = times.user + times.system
        perf = times.children_user + times.children_system
        rss = self._process.memory_info().rss
        for pid in self._perf_pids():
            try:
                process = psutil.Process(pid)
                spent = process.cpu_times()
                perf += spent.user + spent.system
                rss += process.memory_info().rss
            except psutil.Error:
                continue
        before = self._own
        self._own = now, own, perf
        if before is None:
            return None
        at, own_before, perf_before = before
        own_percent = _percent((at, own_before), now, own) or 0.0
        perf_percent = _percent((at, perf_before), now, perf) or 0.0
        return OwnUsage(now, own_percent + perf_percent, rss, perf_percent)


def _percent(before: tuple[float, float] | None, now: float, spent: float) -> float | None:
    """Percent of one core since ``before``; None for the first reading."""
    if before is None or now <= before[0]:
        return None
    # A child that ended between two readings may not be counted yet: never below nothing.
    return max(0.0, 100 * (spent - before[1]) / (now - before[0]))
