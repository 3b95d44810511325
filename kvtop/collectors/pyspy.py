"""Python stacks of programs that were not started for perf: py-spy reads them from outside.

py-spy has a clock and samples of its own, and writes them when a recording ends. So recordings of
two seconds follow each other, and their stacks go to a ring of their own: a py-spy sample and a
perf sample are never counted together. It looks at each thread 50 times a second and counts those
that run Python or native code, not those that wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kvtop.collectors.attach import python_support
from kvtop.collectors.processes import process_exists
from kvtop.collectors.pyspy_history import LineHistory
from kvtop.collectors.pyspy_raw import mark_torn
from kvtop.collectors.pyspy_record import (
    MOST,
    RATE,
    RETRY,
    ROUND,
    Recording,
    SpyError,
    SpyMissingError,
    record,
)
from kvtop.collectors.reporting import Reporting
from kvtop.events import Emit, Health, SpiedBatch, StackSample, Target
from kvtop.profile.stacks import StackTable

_AFTER = 1.0
"""The screen and perf have the CPU first: what py-spy tells comes after two seconds anyway."""


class PySpy(Reporting):
    """Emits SpiedBatch, a recording each, and CollectorStatus; ``history`` keeps the lines."""

    name = "py-spy"

    def __init__(self, table: StackTable, targets: Sequence[Target] = ()) -> None:
        self.history = LineHistory()
        self._table = table
        self._targets = tuple(targets)
        self._changed = asyncio.Event()
        self._running: dict[int, asyncio.Task[None]] = {}
        self._children: dict[int, int] = {}
        self._left_out = 0

    @property
    def child_pids(self) -> tuple[int, ...]:
        """py-spy's processes: part of what kvtop costs."""
        return tuple(self._children.values())

    def looks_at(self, pid: int) -> bool:
        """Whether recordings of this process follow each other."""
        task = self._running.get(pid)
        return task is not None and not task.done()

    def retarget(self, targets: Sequence[Target]) -> None:
        """Look at the Python programs among these from now on."""
        self._targets = tuple(targets)
        self._changed.set()

    async def run(self, emit: Emit) -> None:
        """Look until cancelled."""
        running = self._running
        await asyncio.sleep(_AFTER)
        try:
            while True:
                self._changed.clear()
                wanted = await asyncio.to_thread(self._wanted)
                for pid in running.keys() - wanted:
                    task = running.pop(pid)
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                if wanted and self._status is None:
                    self._report(emit, Health.STARTING)
                for pid in sorted(wanted - running.keys()):
                    running[pid] = asyncio.create_task(self._follow(pid, emit))
                await self._changed.wait()
        finally:
            for task in running.values():
                task.cancel()
            await asyncio.gather(*running.values(), return_exceptions=True)
            running.clear()

    def _wanted(self) -> set[int]:
        """The Python programs whose functions perf has no names for."""
        wanted: list[int] = []
        for target in self._targets:
            support = python_support(target.pid)
            if support.is_python and not (support.jit_dump or support.perf_map):
                wanted.append(target.pid)
        self._left_out = max(0, len(wanted) - MOST)
        return set(wanted[:MOST])

    async def _follow(self, pid: int, emit: Emit) -> None:
        """Record one process again and again until it ends."""
        seconds = 1
        while process_exists(pid):
            try:
                recording = await record(pid, seconds, self._children)
            except SpyMissingError as error:
                self._report(emit, Health.UNAVAILABLE, str(error))
                return
            except SpyError as error:
                if process_exists(pid):
                    self._report(emit, Health.DEGRADED, str(error))
                    await asyncio.sleep(RETRY)
            else:
                self.history.add(recording)
                self._deliver(recording, emit)
            seconds = ROUND

    def _deliver(self, recording: Recording, emit: Emit) -> None:
        """Every sample of a recording gets its middle as its time: more is not known."""
        table, samples, pid = self._table, [], recording.pid
        for stack in mark_torn(recording.stacks):
            frames = [table.intern(frame) for frame in stack.frames]
            sample = StackSample(
                *(recording.time, pid, stack.tid or pid, stack.thread or "thread", self.name),
                *(1_000_000_000 // RATE, table.stack_id(frames)),
            )
            samples += [sample] * stack.samples
        reason = ""
        if self._left_out:
            reason = (
                f"py-spy looks at {MOST} Python programs, at {self._left_out} more it does not."
            )
        self._report(emit, Health.OK, reason)
        emit(SpiedBatch(tuple(samples)))
