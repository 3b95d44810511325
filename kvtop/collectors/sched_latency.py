"""The run queue: how long threads that could run waited for a CPU.

Runs, time on a CPU and time on the queue are the kernel's own sums, which cost nothing to read
(/proc/PID/task/TID/schedstat; kernel documentation, scheduler/sched-stats.rst). The longest wait is
in no sum: it comes from sched:sched_wakeup and sched:sched_switch. Others wake a thread, and others
ran before it, so these are recorded on the whole machine; the kernel is told to pass on only those
of the targets' threads.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from kvtop.collectors.tally import Tally
from kvtop.collectors.thread_names import ThreadNames
from kvtop.collectors.trace_stream import GAP, TraceEvent, TraceOptions
from kvtop.collectors.trace_tool import TraceTool
from kvtop.collectors.tracepoints import Format
from kvtop.events import Emit, Health
from kvtop.tool_events import QueueRow, Tool

_WAKEUP, _WAKEUP_NEW = "sched:sched_wakeup", "sched:sched_wakeup_new"
_SWITCH = "sched:sched_switch"
_LONGEST_FILTER = 4000
"""Characters; the kernel takes a page of them."""
_STATES = 0xFF
"""Of prev_state; the bit above them is set for a thread that was preempted."""
_WHOLE = 0.9
_FIRST_TURNS = 3


class SchedStat(NamedTuple):
    """A thread's sums since it began; nanoseconds."""

    pid: int
    ran: int
    waited: int
    runs: int


def read_schedstat(pids: Iterable[int]) -> dict[int, SchedStat]:
    """The sums of every thread of these processes, by thread id."""
    found = {}
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("[0-9]*"):
            try:
                parts = (task / "schedstat").read_text().split()
            except OSError:
                continue
            if len(parts) == 3 and all(part.isdigit() for part in parts):
                found[int(task.name)] = SchedStat(pid, *map(int, parts))
    return found


class SchedLatency(TraceTool):
    """Rows by thread. Without tracepoints it tells all but the longest wait."""

    TOOL = Tool.RUN_QUEUE
    EVENTS: ClassVar[tuple[str, ...]] = (_WAKEUP, _WAKEUP_NEW, _SWITCH)

    def __init__(self, pids: Sequence[int]) -> None:
        super().__init__(pids)
        self._delays: Tally[int] = Tally()
        self._sums: Tally[tuple[int, int]] = Tally()
        self._ready: dict[int, int] = {}
        """Since when a thread could run, ns."""
        self._stat: dict[int, SchedStat] = {}
        self._recorded: frozenset[int] = frozenset()
        """Threads whose wake-ups and switches are recorded."""
        self._threads = ThreadNames()
        self._turns = 0

    def prepare(self, formats: dict[str, Format]) -> None:
        self._wakeup = {
            formats[event].id: formats[event].reader("pid") for event in (_WAKEUP, _WAKEUP_NEW)
        }
        self._switch_id = formats[_SWITCH].id
        self._switch = formats[_SWITCH].reader("prev_pid", "prev_state", "next_pid")

    def options(self, pids: tuple[int, ...]) -> TraceOptions:
        self._recorded = frozenset(read_schedstat(pids))
        return TraceOptions(self.EVENTS, filters=filters_for(self._recorded))

    def take(self, events: list[TraceEvent]) -> None:
        ready, mine = self._ready, self._recorded
        for time_ns, kind, _, _, raw in events:
            if kind == self._switch_id:
                if len(raw) < self._switch.size:
                    continue
                before, state, after = self._switch.unpack_from(raw)
                since = ready.pop(after, None)
                if since is not None and after in mine:
                    self._delays.at(after).add(time_ns - since)
                if state & _STATES == 0 and before in mine:
                    ready[before] = time_ns
                else:
                    ready.pop(before, None)
            elif (reader := self._wakeup.get(kind)) is not None:
                if len(raw) >= reader.size:
                    (tid,) = reader.unpack_from(raw)
                    if tid in mine:
                        ready.setdefault(tid, time_ns)
            elif kind == GAP:
                ready.clear()

    async def run(self, emit: Emit) -> None:
        self._stat = read_schedstat(self._pids)
        await super().run(emit)
        _, reason = self._status or (Health.OK, "")
        while True:
            # What it told last was why it has no tracepoints.
            began = time.monotonic()
            await asyncio.sleep(1.0)
            self.turn(0.0, time.monotonic() - began)
            self._report(emit, Health.DEGRADED, reason)
            self.tell(emit, 0.0, 0)

    def turn(self, recorded: float, passed: float) -> None:
        stat = read_schedstat(self._pids)
        self._turns += 1
        if 0 < recorded < _WHOLE * passed and self._turns <= _FIRST_TURNS:
            # perf has only begun: a sum of more than was recorded would not go with its longest.
            self._stat = stat
            return
        for tid, now in stat.items():
            before = self._stat.get(tid)
            if before is None or now.runs < before.runs:
                continue
            one = self._sums.at((now.pid, tid))
            one.count += now.runs - before.runs
            one.total += now.ran - before.ran
            one.size += now.waited - before.waited
        self._stat = stat
        if recorded and stat.keys() - self._recorded:
            # Threads that are in no filter.
            self.again()
        self._sums.turn(passed, passed)
        self._delays.turn(recorded, passed)

    def covered(self) -> tuple[float, float]:
        return self._sums.recorded, self._delays.share

    def rows(self) -> tuple[QueueRow, ...]:
        delays = self._delays.sums()
        seconds = self._sums.recorded
        rows = []
        for (pid, tid), one in self._sums.sums().items():
            delay = delays.get(tid)
            longest = delay.longest / 1e9 if delay is not None and delay.timed else None
            comm = self._threads.name(pid, tid)
            rows.append(
                QueueRow(
                    *(pid, tid, comm, one.count, one.total / 1e9, one.size / 1e9, longest, seconds)
                )
            )
        return tuple(rows)


def filters_for(tids: Iterable[int]) -> dict[str, str]:
    """Filters that let only these threads pass; none where they are too many for the kernel."""
    tids = sorted(tids)
    woken = " || ".join(f"pid == {tid}" for tid in tids)
    switched = " || ".join(f"prev_pid == {tid} || next_pid == {tid}" for tid in tids)
    if not tids or len(switched) > _LONGEST_FILTER:
        return {}
    return {_WAKEUP: woken, _WAKEUP_NEW: woken, _SWITCH: switched}
