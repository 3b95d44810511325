"""What the processes use, the profiled ones and kvtop's own, from /proc."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Sequence

from kvtop.collectors.procfs import ProcStat, descendants, read_stat
from kvtop.events import CollectorStatus, Emit, Health, OwnUsage, ProcessUsage, Target

MACHINE = 0
"""The PID that stands for every process: perf is started with -a instead of -p."""


def started_since(pids: Iterable[int], since: float) -> tuple[int, ...]:
    """Descendants of processes that began at ``since`` (CLOCK_BOOTTIME seconds) or later."""
    family = {child for pid in pids if pid != MACHINE for child in descendants(pid)}
    stats = (read_stat(pid) for pid in sorted(family))
    return tuple(stat.pid for stat in stats if stat is not None and stat.started >= since)


def process_exists(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not reaped does not."""
    if pid == MACHINE:
        return True
    stat = read_stat(pid)
    return stat is not None and not stat.ended


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
        self._last: dict[int, tuple[float, ProcStat]] = {}
        self._own: tuple[float, float, float] | None = None

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
        for pid in self._last.keys() - set(wanted):
            del self._last[pid]

    def _read(self, target: Target) -> ProcessUsage | None:
        """One reading; None where the process is gone."""
        pid, now = target.pid, time.monotonic()
        stat = read_stat(pid)
        if stat is None:
            self._last.pop(pid, None)
            return None
        known = self._last.get(pid)
        self._last[pid] = now, stat
        # A PID that is used again is another process.
        same = known is not None and known[1].started == stat.started
        before = (known[0], known[1].cpu) if known is not None and same else None
        return ProcessUsage(
            *(now, target.label, pid, _percent(before, now, stat.cpu)),
            *(stat.rss, stat.threads, stat.state),
        )

    def _read_own(self) -> OwnUsage | None:
        """Usage since the last reading; None the first time."""
        now = time.monotonic()
        times = os.times()
        own = times.user + times.system
        perf = times.children_user + times.children_system
        me = read_stat(os.getpid())
        rss = me.rss if me is not None else 0
        for pid in self._perf_pids():
            stat = read_stat(pid)
            if stat is not None:
                perf += stat.cpu
                rss += stat.rss
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
