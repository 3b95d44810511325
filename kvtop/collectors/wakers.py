"""Who ends a wait: the tracepoint sched:sched_waking, joined with the waits by thread and time.

A wait gets one more frame on its stack, "woken by ...". The tracepoint runs where the waking is
done (kernel, kernel/sched/core.c, try_to_wake_up()): in the waking thread, in softirq on top of
some thread (on the loopback device that is the sender, otherwise a bystander), or in an interrupt,
where the thread that runs is a bystander and is not named.
"""

from __future__ import annotations

import struct
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Collection

from kvtop.collectors.thread_names import ThreadNames
from kvtop.collectors.trace_stream import GAP, TraceEvent, TraceOptions, TraceStream
from kvtop.collectors.tracepoints import TracepointError, read_formats
from kvtop.collectors.waits import PIECE_NS
from kvtop.events import StackSample, WaitState
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.stacks import StackTable

EVENT = "sched:sched_waking"
NOT_SEEN = Frame("[waking not recorded]", "", Kind.UNKNOWN)
GOES_ON = Frame("[goes on]", "", Kind.UNKNOWN)
INTERRUPT = Frame("woken by an interrupt", "", Kind.GROUP)
_HARDIRQ, _SOFTIRQ = 0x08, 0x10
"""Bits of common_flags (kernel, include/linux/trace_events.h)."""
_FLAGS_AT = 2
_HOLD = 4.0
"""Waits are held back until the wakings of their time are there, but no longer than this."""
_LATE_NS = 1_500_000_000
"""Without any waking to tell how far the stream is: it is not further behind than this."""
_KEPT_NS = 5_000_000_000
_MOST_RANGES = 32
"""A filter's text is a page of memory at most, and every waking of the machine is held to it."""


class Wakers:
    """Runs beside the recordings of waits, and passes their samples on with who woke them."""

    def __init__(
        self,
        table: StackTable,
        tids: Collection[int],
        take: Callable[[list[StackSample]], None],
    ) -> None:
        """``take`` gets the samples that ``add`` was given, a little later."""
        self._stream: TraceStream | None = None
        self._table = table
        self._tids = frozenset(tids)
        self._take = take
        self._held: deque[StackSample] = deque()
        self._wakings: dict[int, list[tuple[int, Frame]]] = {}
        self._names = ThreadNames()
        self._reader = struct.Struct("")
        self._began_ns = self._progress_ns = 0

    @property
    def pids(self) -> tuple[int, ...]:
        """perf's process."""
        return self._stream.pids if self._stream is not None else ()

    async def run(self) -> str:
        """Record until perf ends; one sentence on why it did, or why it cannot be."""
        try:
            self._reader = read_formats([EVENT])[EVENT].reader("pid")
        except TracepointError as error:
            return str(error)
        options = TraceOptions((EVENT,), filters={EVENT: waking_filter(self._tids)})
        self._stream = stream = TraceStream(options, self._deliver)
        self._began_ns = time.monotonic_ns()
        return await stream.run()

    def add(self, samples: list[StackSample]) -> None:
        """Waits whose wakers are wanted."""
        self._held.extend(samples)

    def look(self, now: float) -> None:
        """Pass on what was held long enough, ``now`` in monotonic seconds; all with infinity."""
        due = []
        while self._held and (
            self._held[0].time * 1e9 <= self._progress_ns or now - self._held[0].time >= _HOLD
        ):
            due.append(self._with_waker(self._held.popleft()))
        if due:
            self._take(due)

    def _with_waker(self, sample: StackSample) -> StackSample:
        if sample.event != WaitState.BLOCKED:
            return sample
        frame = self.waker(sample.tid, round(sample.time * 1e9), sample.period)
        path = [*self._table.frames(sample.stack), self._table.intern(frame)]
        return sample._replace(stack=self._table.stack_id(path))

    def waker(self, tid: int, end_ns: int, length_ns: int) -> Frame:
        """Who ended a thread's wait."""
        known = self._wakings.get(tid, [])
        # Times of samples are floats: to the next microsecond.
        at = bisect_right(known, end_ns + 1000, key=lambda one: one[0]) - 1
        if at >= 0 and known[at][0] >= end_ns - length_ns:
            return known[at][1]
        # Shorter than a piece: it has ended, and perf missed its waking. Some kernels do not record
        # what an interrupt does on an idle core (seen with Linux 6.18 in a virtual machine).
        whole = 0 < self._began_ns <= end_ns - length_ns and end_ns <= self._progress_ns
        goes_on = whole and length_ns >= PIECE_NS and tid in self._tids
        return GOES_ON if goes_on else NOT_SEEN

    def _deliver(self, events: list[TraceEvent]) -> None:
        quiet = time.monotonic_ns() - _LATE_NS
        self._progress_ns = max(self._progress_ns, events[-1].time_ns if events else quiet)
        for event in events:
            if event.type == GAP:
                # Between is what is not known: nobody is named by an older waking.
                self._began_ns = max(self._began_ns, event.time_ns)
                continue
            (tid,) = self._reader.unpack_from(event.raw)
            if tid in self._tids:
                known = self._wakings.setdefault(tid, [])
                known.append((event.time_ns, self._frame(event)))
                if event.time_ns - known[0][0] > 2 * _KEPT_NS:
                    del known[: bisect_right(known, event.time_ns - _KEPT_NS, key=lambda k: k[0])]

    def _frame(self, event: TraceEvent) -> Frame:
        flags = event.raw[_FLAGS_AT]
        if flags & _HARDIRQ or not event.tid:
            return INTERRUPT
        name = f"{self._names.name(event.pid, event.tid) or 'exited'} ({event.pid})"
        how = "woken in softirq, on" if flags & _SOFTIRQ else "woken by"
        return Frame(f"{how} {name}", f"thread {event.tid}", Kind.GROUP)


def waking_filter(tids: Collection[int]) -> str:
    """A filter of the tracepoint that lets these threads through, and as few others as it can."""
    ranges: list[list[int]] = []
    for tid in sorted(tids):
        if ranges and tid == ranges[-1][1] + 1:
            ranges[-1][1] = tid
        else:
            ranges.append([tid, tid])
    while len(ranges) > _MOST_RANGES:
        at = min(range(1, len(ranges)), key=lambda i: ranges[i][0] - ranges[i - 1][1])
        ranges[at - 1][1] = ranges.pop(at)[1]
    parts = [f"pid=={a}" if a == b else f"(pid>={a}&&pid<={b})" for a, b in ranges]
    return "||".join(parts)
