"""What collectors share that tell how they work, and that record while somebody looks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from kvtop.collectors.doctor import kernel_closed, not_permitted, perf_missing, read_paranoid
from kvtop.collectors.processes import process_exists
from kvtop.events import CollectorStatus, Emit, Health

TRIES = 3
"""Failures in a row after which a recording is given up."""
ALL_EXITED = "Every profiled process has exited."


class Reporting:
    """Emits CollectorStatus whenever it changes how the collector works."""

    name: str
    _status: tuple[Health, str] | None = None

    def _report(self, emit: Emit, health: Health, reason: str = "") -> None:
        if self._status != (health, reason):
            self._status = health, reason
            emit(CollectorStatus(time.monotonic(), self.name, health, reason))


class GiveUpError(Exception):
    """There is no use in recording again: one sentence with the reason."""


class Following(Reporting):
    """Records processes that may change meanwhile, again and again until it makes no sense."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = tuple(pids)
        self._changed = asyncio.Event()

    def retarget(self, pids: Sequence[int]) -> None:
        """Follow these processes from now on; nothing is interrupted where they are the same."""
        if set(pids) != set(self._pids):
            self._pids = tuple(pids)
            self._changed.set()

    def _is_final(self, reason: str) -> bool:
        """Whether a recording that ended for this reason would do so again."""
        paranoid = read_paranoid()
        return reason in (perf_missing(), not_permitted(paranoid), kernel_closed(paranoid))

    async def _keep_recording(
        self,
        once: Callable[[tuple[int, ...]], Awaitable[str]],
        emit: Emit,
        without_targets: bool = False,
    ) -> None:
        """Run ``once`` over the processes that live; it says in one sentence why it ended."""
        failures = 0
        while failures < TRIES:
            self._changed.clear()
            alive = tuple(pid for pid in self._pids if process_exists(pid))
            if not alive and not without_targets:
                self._report(emit, Health.UNAVAILABLE, ALL_EXITED)
                await self._changed.wait()
                continue
            try:
                reason = await once(alive)
            except GiveUpError as error:
                self._report(emit, Health.UNAVAILABLE, str(error))
                return
            if self._changed.is_set() or not all(map(process_exists, alive)):
                failures = 0
                continue
            failures = TRIES if self._is_final(reason) else failures + 1
            self._report(emit, Health.UNAVAILABLE, reason)
