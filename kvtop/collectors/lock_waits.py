"""Begins and ends of waits for locks to waits: which stack one began in, and how long it took.

``perf record`` writes a sample with the stack where a wait begins and one without where it ends
(lock:contention_begin and _end, the futex system call). What goes on to perf script is the first
one, dated to the end, with the length as its period: the nanoseconds times 64, plus the six flags
of the kernel's lock (include/trace/events/lock.h; 0 for a futex, which the event's name tells).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kvtop.collectors.perf_pipe import (
    HEADER_ATTR,
    LOST,
    LOST_SAMPLES,
    SAMPLE,
    EventAttr,
    Record,
    lost_count,
    read_attr,
)
from kvtop.collectors.settling import Settling

_MOST_PENDING = 50_000
_TRACEPOINT = 2
_RAW, _CALLCHAIN, _READ, _PERIOD, _IDENTIFIER = 1 << 10, 1 << 5, 1 << 4, 1 << 8, 1 << 16
_WHO = struct.Struct("=IIQ")
_U64 = struct.Struct("=Q")
_LONGEST_NS = (1 << 55) - 1
_OF_EVENTS = (5, 6, 69, 78)
"""THROTTLE, UNTHROTTLE, ID_INDEX, EVENT_UPDATE: may name events that perf script shall not know."""
FUTEX = 64


@dataclass(frozen=True, slots=True)
class LockPoint:
    """A tracepoint: where a wait begins or ends; ``fields`` reads address and flags of its lock.

    Without ``fields`` a thread has one such wait at a time.
    """

    begins: bool
    fields: struct.Struct | None


@dataclass(frozen=True, slots=True)
class _Event:
    point: LockPoint
    attr: EventAttr


@dataclass(frozen=True, slots=True)
class _Begin:
    """The sample of a wait's begin, and where its time and period are."""

    sample: bytes
    time_at: int
    period_at: int
    flags: int

    def told(self, end_ns: int, length: int) -> Record:
        """The sample dated to the wait's end, with its length as the period."""
        made = bytearray(self.sample)
        _U64.pack_into(made, self.time_at, end_ns)
        length = min(max(length, 0), _LONGEST_NS)
        _U64.pack_into(made, self.period_at, length << 7 | self.flags)
        return Record(SAMPLE, int.from_bytes(made[4:6], "little"), bytes(made))


def split_period(period: int) -> tuple[int, int]:
    """Nanoseconds and flags."""
    return period >> 7, period & 127


class LockWaits:
    """Takes what perf recorded, gives what perf script is to see. ``points`` are by kernel id."""

    def __init__(self, points: Mapping[int, LockPoint]) -> None:
        self.begun = 0
        """Waits that began, as far as they came."""
        self.lost = 0
        """Records that the kernel dropped."""
        self._points = dict(points)
        self._events: dict[int, _Event] = {}
        self._queue: Settling[tuple[int, tuple[int, int], _Begin | None]] = Settling()
        self._pending: dict[tuple[int, int], tuple[int, _Begin]] = {}
        """Since when a thread waits for a lock, ns, and where."""

    def feed(self, records: Sequence[Record], now_ns: int) -> list[Record]:
        """The records to pass on by now; ``now_ns`` is CLOCK_MONOTONIC. Call it often."""
        out: list[Record] = []
        for record in records:
            if record.type == SAMPLE and self._events:
                self._sample(record.data)
            elif record.type == HEADER_ATTR:
                if self._declare(record.data):
                    out.append(record)
            elif record.type in (LOST, LOST_SAMPLES):
                # An end may be among them: whose wait goes on is not known.
                self.lost += lost_count(record)
                self._queue.clear()
                self._pending.clear()
            elif record.type not in _OF_EVENTS:
                out.append(record)
        return out + self._replay(self._queue.horizon(now_ns, bool(records)))

    def _declare(self, data: bytes) -> bool:
        """Learn of an event; False for one that perf script shall not know."""
        attr = read_attr(data)
        if attr is None or attr.type != _TRACEPOINT or attr.config not in self._points:
            return True
        point = self._points[attr.config]
        needed = _RAW | _PERIOD | _IDENTIFIER
        if attr.sample_type & needed == needed and not attr.sample_type & _READ:
            at = 8 + int.from_bytes(data[12:16], "little")
            for (number,) in _U64.iter_unpack(data[at : at + (len(data) - at) // 8 * 8]):
                self._events[number] = _Event(point, attr)
        return point.begins

    def _sample(self, data: bytes) -> None:
        event = self._events.get(int.from_bytes(data[8:16], "little"))
        if event is None:
            return
        fields = event.attr.sample_type
        who_at = 16 + 8 * (fields & 1)
        period_at = who_at + 16 + 8 * sum(fields >> bit & 1 for bit in (3, 6, 9, 7))
        raw_at = period_at + 8
        if len(data) < raw_at + 8:
            return
        if fields & _CALLCHAIN:
            raw_at += 8 + 8 * int.from_bytes(data[raw_at : raw_at + 8], "little")
        _, tid, time_ns = _WHO.unpack_from(data, who_at)
        lock, flags = -1, FUTEX
        reader = event.point.fields
        if reader is not None:
            if len(data) < raw_at + 4 + reader.size:
                return
            found = reader.unpack_from(data, raw_at + 4)
            lock, flags = found[0], found[1] & 63 if len(found) > 1 else 0
        self.begun += event.point.begins
        begin = _Begin(data, who_at + 8, period_at, flags) if event.point.begins else None
        self._queue.put((time_ns, (tid, lock), begin))

    def _replay(self, horizon: int) -> list[Record]:
        pending = self._pending
        out: list[Record] = []
        for time_ns, key, begin in self._queue.before(horizon):
            known = pending.pop(key, None)
            if begin is None:
                if known is not None:
                    out.append(known[1].told(time_ns, time_ns - known[0]))
                continue
            # A mutex is spun for first, then slept for: one wait that began with the spinning.
            since = known[0] if known is not None and key[1] != -1 else time_ns
            if len(pending) >= _MOST_PENDING:
                pending.clear()
            pending[key] = since, begin
        return out
