"""Counters per thread of the targets, or per core of the machine, while somebody looks.

``perf stat --per-thread`` opens every event once per thread, so it does not run all the time.
It knows the threads that were there when it started: where others come, it is started again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from kvtop.collectors.doctor import perf_missing, read_paranoid
from kvtop.collectors.perf_stat import SEPARATOR, StatParser, stream_stat
from kvtop.collectors.reporting import ALL_EXITED, Reporting
from kvtop.events import CountedBy, CounterReading, Emit, Health, Target

_LOOK_EVERY = 2.0
_RETRY = 5.0
WHOLE_MACHINE = (
    "Counters per core are those of the whole machine, which not everybody may see: run "
    "sudo sysctl kernel.perf_event_paranoid=0, or start kvtop with sudo."
)


class StatDetail(Reporting):
    """Emits CounterReading by thread or by core, and CollectorStatus; at rest until asked."""

    name = "stat_detail"

    def __init__(self, interval: float = 1.0) -> None:
        self.interval = interval
        self._by = CountedBy.TARGET
        self._events: tuple[str, ...] = ()
        self._targets: tuple[Target, ...] = ()
        self._changed = asyncio.Event()
        self._child: int | None = None

    @property
    def child_pids(self) -> tuple[int, ...]:
        """perf's process that runs for this collector: part of what kvtop costs."""
        return () if self._child is None else (self._child,)

    def count_by(self, by: CountedBy, events: Sequence[str]) -> None:
        """Count these events by thread or core from now on; by target means not at all."""
        self._by, self._events = by, tuple(events)
        self._status = None
        self._changed.set()

    def retarget(self, targets: Sequence[Target]) -> None:
        """Count the threads of these from now on."""
        if targets != self._targets:
            self._targets = tuple(targets)
            if self._by is CountedBy.THREAD:
                self._changed.set()

    async def run(self, emit: Emit) -> None:
        """Count until cancelled."""
        while True:
            self._changed.clear()
            if self._by is CountedBy.TARGET or not self._events:
                await self._changed.wait()
                continue
            threads = _threads(self._targets)
            if self._by is CountedBy.THREAD and not threads:
                self._report(emit, Health.UNAVAILABLE, ALL_EXITED)
                await self._changed.wait()
                continue
            counting = asyncio.create_task(self._count(threads, emit))
            watching = asyncio.create_task(self._until_other(threads))
            try:
                await asyncio.wait((counting, watching), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (counting, watching):
                    task.cancel()
                await asyncio.gather(counting, watching, return_exceptions=True)
            if counting.cancelled() or self._changed.is_set():
                continue
            self._report(emit, Health.UNAVAILABLE, counting.result())
            await _wait(self._changed, _RETRY)

    async def _until_other(self, threads: dict[int, str]) -> None:
        """Return when something else is to be counted, or threads have come."""
        while not await _wait(self._changed, _LOOK_EVERY):
            if self._by is CountedBy.THREAD and _threads(self._targets).keys() - threads.keys():
                return

    async def _count(self, threads: dict[int, str], emit: Emit) -> str:
        """Count until perf ends; one sentence on why it did."""
        from kvtop.collectors.checks import read_rights

        by = self._by
        if by is CountedBy.CORE and not read_rights().perfmon and (read_paranoid() or 0) > 0:
            return WHOLE_MACHINE
        args = ["perf", "stat", "-I", str(round(self.interval * 1000)), "-x", SEPARATOR]
        args += ["--log-fd", "1", "-e", ",".join(self._events)]
        if by is CountedBy.CORE:
            args += ["--per-core", "-a"]
        else:
            pids = ",".join(str(target.pid) for target in self._targets)
            args += ["--per-thread", "-p", pids]

        def name(who: str) -> str | None:
            if by is CountedBy.CORE:
                return who
            comm, _, tid = who.rpartition("-")
            label = threads.get(int(tid))
            return None if label is None else f"{label} {comm} {tid}"

        def started(pid: int) -> None:
            self._child = pid

        def deliver(reading: CounterReading) -> None:
            self._report(emit, Health.OK)
            emit(reading)

        try:
            return await stream_stat(args, StatParser("", by, name), started, deliver)
        except FileNotFoundError:
            return perf_missing()
        finally:
            self._child = None


def _threads(targets: Sequence[Target]) -> dict[int, str]:
    """Thread id -> label of its target, of the threads that there are now."""
    found = {}
    for target in targets:
        try:
            names = [path.name for path in Path(f"/proc/{target.pid}/task").iterdir()]
        except OSError:
            continue
        found.update({int(name): target.label for name in names})
    return found


async def _wait(event: asyncio.Event, seconds: float) -> bool:
    """Whether it was set within the time."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
