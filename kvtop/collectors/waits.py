"""Context switches to waits: which stack a thread left the CPU in, and how long it stayed away.

``perf record -e context-switches -c N --switch-events`` writes a sample with the stack for every
Nth time that a thread leaves a CPU, and two small records for each switch, out and in
(PERF_RECORD_SWITCH in linux/perf_event.h). So a thread's waiting is known to the nanosecond, and
the stacks of a sample of it. A long wait is told as it was, with its stack or without one; the
sampled short ones share the time of all the short ones, in proportion to their lengths.

The length travels as the sample's period, which perf script prints: twice the nanoseconds, plus
one where the thread was ready to run and waited for a CPU.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from kvtop.collectors.perf_pipe import (
    EXIT,
    FORK,
    HEADER_ATTR,
    LOST,
    LOST_SAMPLES,
    SAMPLE,
    EventAttr,
    Record,
    read_attr,
)
from kvtop.collectors.settling import Settling
from kvtop.collectors.stack_copy import trim_stack

SWITCH = 14
_MISC_OUT, _MISC_PREEMPTED = 1 << 13, 1 << 14
_IN, _OUT, _OUT_READY, _STACK, _BORN, _GONE, _LOST = range(7)
_PERIOD = 1 << 8
_SAMPLE_TYPE_AT = 32
"""Where a HEADER_ATTR record holds perf_event_attr.sample_type."""
_TELL_NS = 250_000_000
PIECE_NS = 1_000_000_000
"""A wait that goes on is told in pieces of this length, to be seen before its end."""
_PIECES_A_SECOND = 100
_LONG_NS = 100_000_000
_SAME_SWITCH_NS = 10_000_000
"""A stack and the switch it belongs to are not further apart: taking the stack is all between."""

_HEAD = struct.Struct("=IHH")
_WHO = struct.Struct("=IIQ")
_U64 = struct.Struct("=Q")


class Unseen(NamedTuple):
    """A wait without a stack; ``end_ns`` is CLOCK_MONOTONIC, ``ready`` as in `split_period`.

    ``began`` is False where the thread left the CPU before the recording began.
    """

    end_ns: int
    pid: int
    tid: int
    length_ns: int
    ready: bool
    began: bool


def split_period(period: int) -> tuple[int, bool]:
    """Nanoseconds, and whether the thread was ready to run and waited for a CPU."""
    return period >> 1, bool(period & 1)


class _Piece(NamedTuple):
    end: int
    length: int
    ready: bool
    sample: bytes


@dataclass(slots=True)
class _Wait:
    since: int
    """What was before is told already."""
    ready: bool
    sample: bytes | None
    in_pieces: bool = False


@dataclass(slots=True)
class _Short:
    """The short waits of a thread in one state that were not told yet."""

    total: int = 0
    sampled: list[_Piece] = field(default_factory=list)


@dataclass(slots=True)
class _Thread:
    pid: int
    stack: tuple[int, bytes] | None = None
    """Time and record of the stack whose switch is yet to come."""
    wait: _Wait | None = None
    short: tuple[_Short, _Short] = field(default_factory=lambda: (_Short(), _Short()))
    """Blocked, and ready to run."""


class Waits:
    """Takes what perf recorded, gives what perf script is to see; counts are since the start."""

    def __init__(self) -> None:
        self.switches = 0
        """Times that a thread left a CPU."""
        self.stacks = 0
        """Stacks recorded with one."""
        self._attr: EventAttr | None = None
        self._who_at = self._period_at = 0
        self._began: int | None = None
        self._threads: dict[int, _Thread] = {}
        self._queue: Settling[tuple[int, int, int, int, bytes]] = Settling()
        self._told = 0
        self._long: list[_Piece] = []
        self._gone: set[int] = set()
        self._unseen: list[Unseen] = []

    def feed(self, records: Sequence[Record], now_ns: int) -> list[Record]:
        """The records to pass on by now: most at once, a sample when its wait is over.

        ``now_ns`` is CLOCK_MONOTONIC. Call it several times a second, also without records.
        """
        out: list[Record] = []
        for record in records:
            kind, misc, data = record
            if kind == SWITCH:
                pid, tid, time_ns = _WHO.unpack_from(data, 8)
                what = _IN
                if misc & _MISC_OUT:
                    what = _OUT_READY if misc & _MISC_PREEMPTED else _OUT
                self._put(time_ns, what, pid, tid)
                continue
            if kind == SAMPLE and self._attr is not None:
                pid, tid, time_ns = _WHO.unpack_from(data, self._who_at)
                self._put(time_ns, _STACK, pid, tid, trim_stack(data, self._attr))
                continue
            if kind == HEADER_ATTR and self._attr is None:
                record = self._declare(record)
            elif kind in (FORK, EXIT) and self._attr is not None:
                pid, _, tid = struct.unpack_from("=III", data, 8)
                what = _BORN if kind == FORK else _GONE
                self._put(self._attr.time_of(record), what, pid, tid)
            elif kind in (LOST, LOST_SAMPLES) and self._attr is not None:
                self._put(self._attr.time_of(record), _LOST, 0, 0)
            out.append(record)
        horizon = self._queue.horizon(now_ns, bool(records))
        self._replay(horizon)
        if horizon - self._told >= _TELL_NS:
            self._told = horizon
            self._take_pieces(horizon)
            out += self._tell()
        return out

    def take_unseen(self) -> list[Unseen]:
        """The waits without a stack since the last call."""
        taken, self._unseen = self._unseen, []
        return taken

    # Records

    def _put(self, time_ns: int, what: int, pid: int, tid: int, data: bytes = b"") -> None:
        self._queue.put((time_ns, what, pid, tid, data))

    def _declare(self, record: Record) -> Record:
        """The event's description, with a period in its samples.

        perf -P would add one as well, but with it a software event samples every time (seen in
        Linux 6.18: perf_swevent_event() in kernel/events/core.c).
        """
        self._attr = attr = read_attr(record.data)
        if attr is None:
            return record
        fields = attr.sample_type
        self._who_at = 8 + 8 * (fields >> 16 & 1) + 8 * (fields & 1)
        self._period_at = self._who_at + 16 + sum(8 * (fields >> bit & 1) for bit in (3, 6, 9, 7))
        data = bytearray(record.data)
        _U64.pack_into(data, _SAMPLE_TYPE_AT, fields | _PERIOD)
        return record._replace(data=bytes(data))

    def _sample(self, piece: _Piece, length: int) -> Record:
        """The sample of a wait, dated to its end, with its length as the period."""
        data, at = piece.sample, self._period_at
        kind, misc, size = _HEAD.unpack_from(data)
        period = _U64.pack(length << 1 | piece.ready)
        made = bytearray(b"".join((data[:at], period, data[at:])))
        _HEAD.pack_into(made, 0, kind, misc, size + 8)
        _U64.pack_into(made, self._who_at + 8, piece.end)
        return Record(kind, misc, bytes(made))

    # Threads

    def _replay(self, horizon: int) -> None:
        """Live through what happened up to the horizon, in its order."""
        for time_ns, what, pid, tid, data in self._queue.before(horizon):
            thread = self._threads.get(tid)
            if what == _STACK:
                self.stacks += 1
                if thread is None:
                    thread = self._threads[tid] = _Thread(pid)
                thread.stack = time_ns, data
            elif what == _IN:
                self._switched_in(thread, time_ns, pid, tid)
            elif what in (_OUT, _OUT_READY):
                self.switches += 1
                if thread is None:
                    thread = self._threads[tid] = _Thread(pid)
                self._switched_out(thread, time_ns, what == _OUT_READY)
            elif what == _BORN:
                if thread is None and self._began is not None and time_ns > self._began:
                    self._threads[tid] = _Thread(pid)
            elif what == _GONE:
                self._gone.add(tid)
            else:
                # Who came and went meanwhile is not known: nobody's time is told until he moves.
                for other in self._threads.values():
                    other.wait = other.stack = None
            if self._began is None and what < _BORN:
                self._began = time_ns

    def _switched_out(self, thread: _Thread, time_ns: int, ready: bool) -> None:
        sample = None
        if thread.stack is not None and time_ns - thread.stack[0] < _SAME_SWITCH_NS:
            sample = thread.stack[1]
        thread.stack = None
        thread.wait = _Wait(time_ns, ready, sample)

    def _switched_in(self, thread: _Thread | None, time_ns: int, pid: int, tid: int) -> None:
        if thread is None:
            self._threads[tid] = _Thread(pid)
            if self._began is not None:
                # It has slept since before the first switch that was recorded.
                self._unseen.append(Unseen(time_ns, pid, tid, time_ns - self._began, False, False))
        elif thread.wait is not None:
            self._over(thread, tid, thread.wait, time_ns)
            thread.wait = None

    def _over(self, thread: _Thread, tid: int, wait: _Wait, end: int) -> None:
        """A wait, or a piece of it, is over."""
        length = end - wait.since
        if length < 0 or (length < _LONG_NS and not wait.in_pieces):
            # Below 0: too much was told, because perf was slow to pass the end on.
            short = thread.short[wait.ready]
            short.total += length
            if wait.sample is not None and length > 0:
                short.sampled.append(_Piece(end, length, wait.ready, wait.sample))
        elif wait.sample is None:
            self._unseen.append(Unseen(end, thread.pid, tid, length, wait.ready, True))
        else:
            self._long.append(_Piece(end, length, wait.ready, wait.sample))

    def _take_pieces(self, horizon: int) -> None:
        """Of waits that go on, tell what is past."""
        waiting = [(tid, t, t.wait) for tid, t in self._threads.items() if t.wait is not None]
        longest = max(PIECE_NS, len(waiting) * 1_000_000_000 // _PIECES_A_SECOND)
        for tid, thread, wait in waiting:
            if horizon - wait.since >= longest:
                self._over(thread, tid, wait, horizon)
                wait.since, wait.in_pieces = horizon, True

    def _tell(self) -> list[Record]:
        """The samples of the waits that are over, in order of their ends."""
        told = [(p.end, at, p, p.length) for at, p in enumerate(self._long)]
        self._long.clear()
        for thread in self._threads.values():
            for short in thread.short:
                known = sum(piece.length for piece in short.sampled)
                if known <= 0 or short.total <= 0:
                    short.sampled.clear()
                    continue
                for piece in short.sampled:
                    share = piece.length * short.total // known
                    told.append((piece.end, len(told), piece, share))
                short.total = 0
                short.sampled.clear()
        for tid in self._gone:
            self._threads.pop(tid, None)
        self._gone.clear()
        told.sort(key=lambda one: one[:2])
        return [self._sample(piece, length) for _, _, piece, length in told if length > 0]
