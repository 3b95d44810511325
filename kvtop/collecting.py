"""Collectors at work: kept running for a whole run, or only while somebody looks."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from kvtop.events import CollectorStatus, Emit, Health, LogLine, Marker, MarkerKind, Target

_log = logging.getLogger("kvtop.collecting")
RESTART_DELAYS = (0.5, 1.0, 2.0, 5.0, 10.0)


class Collector(Protocol):
    """One source of figures; ``run`` works until cancelled and leaves no child behind."""

    name: str

    async def run(self, emit: Emit) -> None:
        """Collect and emit."""
        ...


class FollowingCollector(Collector, Protocol):
    """A collector whose processes may change, and which runs perf for them."""

    @property
    def child_pids(self) -> tuple[int, ...]:
        """perf's processes that run for it."""
        ...

    def retarget(self, pids: Sequence[int]) -> None:
        """Follow these processes from now on."""
        ...


One = TypeVar("One", bound=FollowingCollector)


class OnDemand(Generic[One]):
    """One collector at a time, which runs while somebody looks at what it tells."""

    def __init__(self, launch: Callable[[Collector], asyncio.Task[None]]) -> None:
        """``launch`` runs a collector; its task is awaited, so that perf is reaped, elsewhere."""
        self.collector: One | None = None
        self._launch = launch
        self._running: asyncio.Task[None] | None = None

    def begin(self, collector: One) -> None:
        """Run this one from now on, in place of the one before."""
        self.end()
        self.collector, self._running = collector, self._launch(collector)

    def end(self) -> None:
        """End the one that runs, if there is one."""
        if self._running is not None:
            self._running.cancel()
            self.collector = self._running = None

    def retarget(self, targets: Sequence[Target]) -> None:
        """The targets are these now."""
        if self.collector is not None:
            self.collector.retarget([target.pid for target in targets])

    @property
    def child_pids(self) -> tuple[int, ...]:
        """perf's processes that run for it."""
        return () if self.collector is None else self.collector.child_pids


async def keep_running(collector: Collector, emit: Emit) -> None:
    """Run a collector; one that fails is started again, at growing distances."""
    for failures in range(1_000_000):
        try:
            await collector.run(emit)
            return
        except Exception as error:
            delay = RESTART_DELAYS[min(failures, len(RESTART_DELAYS) - 1)]
            now = time.monotonic()
            reason = f"{collector.name} failed ({error!r}); trying again in {delay:g} s."
            _log.exception("%s failed", collector.name)
            emit(CollectorStatus(now, collector.name, Health.DEGRADED, reason))
            emit(LogLine(now, collector.name, "error", reason))
            emit(Marker(now, MarkerKind.GAP, f"{collector.name} failed"))
            await asyncio.sleep(delay)
