"""Tracepoints live: ``perf record``'s binary stream as events in order of time.

Nothing is decoded but who, when and the raw fields: at 30,000 events a second this takes a third of
what ``perf trace`` takes. So that it never takes much, recording is switched on and off in turn
where there are many events; what is told of it are the stretches that were recorded.
"""

from __future__ import annotations

import asyncio
import os
import struct
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from kvtop.collectors.children import Child
from kvtop.collectors.doctor import explain, perf_missing
from kvtop.collectors.fdio import big_pipe, readable
from kvtop.collectors.perf_buffer import buffer_options
from kvtop.collectors.perf_pipe import (
    HEADER_ATTR,
    LOST,
    LOST_SAMPLES,
    SAMPLE,
    EventAttr,
    PipeFormatError,
    PipeReader,
    Record,
    lost_count,
    read_attr,
)
from kvtop.collectors.record_control import CONTROL_OPTIONS, RecordControl
from kvtop.collectors.settling import Settling

EVENTS_A_SECOND = 30_000
"""Of more than these a part of the time is recorded; so many take 0.1 s of a core to read."""
_LOOK_EVERY = 0.2
_LAST_WORDS = 5.0
_BUSY = 1 << 18
"""After so many bytes at once the next are read without a pause."""
_PAUSE = 0.05

GAP = -1
"""The type of a `TraceEvent` beside the kernel's ids: events may be missing here."""
_TRACEPOINT = 2
_RAW, _CALLCHAIN, _READ, _IDENTIFIER = 1 << 10, 1 << 5, 1 << 4, 1 << 16
_WHO = struct.Struct("=IIQ")


class TraceEvent(NamedTuple):
    """One event; ``time_ns`` is CLOCK_MONOTONIC, ``raw`` begins with the common fields."""

    time_ns: int
    type: int
    pid: int
    tid: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """What to record: tracepoints by name, of these processes or, with none, of the machine."""

    events: tuple[str, ...]
    pids: tuple[int, ...] = ()
    filters: Mapping[str, str] = field(default_factory=dict)
    """Which of an event to record, by its name (kernel documentation, trace/events.rst)."""

    def command(self) -> list[str]:
        """The ``perf record`` command line; standard input is a socket for its commands."""
        args = ["perf", "record", "--no-buildid", "-k", "CLOCK_MONOTONIC"]
        args += [*CONTROL_OPTIONS, *buffer_options()]
        for event in self.events:
            args += ["-e", event]
            if condition := self.filters.get(event):
                args += ["--filter", condition]
        target = ["-p", ",".join(map(str, self.pids))] if self.pids else ["-a"]
        return [*args, "-o", "-", *target]


class TraceReader:
    """Bytes of the stream to events in order; PipeFormatError where they make no sense."""

    def __init__(self) -> None:
        self.lost = 0
        self.seen = 0
        """Events that came, also those that are not in order yet."""
        self._pipe = PipeReader()
        self._attr: EventAttr | None = None
        self._who_at = self._raw_at = 0
        self._events: Settling[TraceEvent] = Settling()

    def feed(self, chunk: bytes, now_ns: int) -> list[TraceEvent]:
        """The events that are in order by now; call it also without a chunk."""
        records = self._pipe.feed(chunk) if chunk else []
        for record in records:
            self._take(record)
        return self.before(self._events.horizon(now_ns, bool(records)))

    def before(self, horizon_ns: int) -> list[TraceEvent]:
        """The events up to a time, in order; they are not given again."""
        return self._events.before(horizon_ns)

    def gap(self, time_ns: int) -> None:
        """Events may be missing around this time."""
        self._events.remark(TraceEvent(time_ns, GAP, 0, 0, b""))

    def _take(self, record: Record) -> None:
        kind, _, data = record
        if kind == SAMPLE and self._attr is not None:
            if len(data) < self._raw_at + 4:
                raise PipeFormatError("a sample is cut short")
            pid, tid, time_ns = _WHO.unpack_from(data, self._who_at)
            raw = data[self._raw_at + 4 :]
            self._put(TraceEvent(time_ns, int.from_bytes(raw[:2], "little"), pid, tid, raw))
        elif kind == HEADER_ATTR:
            self._declare(record.data)
        elif kind in (LOST, LOST_SAMPLES):
            self.lost += lost_count(record)
            if self._attr is not None:
                self.gap(self._attr.time_of(record) or self._events.newest)

    def _put(self, event: TraceEvent) -> None:
        self.seen += 1
        self._events.put(event)

    def _declare(self, data: bytes) -> None:
        attr = read_attr(data)
        if attr is None or attr.type != _TRACEPOINT:
            return
        fields = attr.sample_type
        if not fields & _RAW or fields & (_CALLCHAIN | _READ):
            raise PipeFormatError("the samples have other fields than were asked for")
        if self._attr is not None and self._attr.sample_type != fields:
            raise PipeFormatError("the events' samples differ")
        self._attr = attr
        self._who_at = 8 + 8 * bool(fields & _IDENTIFIER) + 8 * (fields & 1)
        # TID and TIME, then ADDR, ID, STREAM_ID, CPU, PERIOD (perf_event_open(2)).
        self._raw_at = self._who_at + 16 + 8 * sum(fields >> bit & 1 for bit in (3, 6, 9, 7, 8))


class TraceStream:
    """Runs once. ``deliver`` gets the events in order, several times a second also none."""

    def __init__(self, options: TraceOptions, deliver: Callable[[list[TraceEvent]], None]) -> None:
        self.pids: tuple[int, ...] = ()
        self._options = options
        self._deliver = deliver
        self._reader = TraceReader()
        self._control = RecordControl(
            lambda: self._reader.seen, EVENTS_A_SECOND, stopped=self._reader.gap
        )

    @property
    def recorded(self) -> float:
        """Seconds that were recorded so far."""
        return self._control.recorded

    @property
    def lost(self) -> int:
        """Events that the kernel dropped."""
        return self._reader.lost

    @property
    def seen(self) -> int:
        """Events that came so far."""
        return self._reader.seen

    async def run(self) -> str:
        """Record until perf ends; one sentence on why it did."""
        source, sink = big_pipe()
        os.set_blocking(source, False)
        try:
            try:
                args = self._options.command()
                child = await Child.spawn(args, stdin=self._control.fd, stdout=sink)
            except FileNotFoundError:
                return perf_missing()
            finally:
                os.close(sink)
            async with child:
                self.pids = (child.pid,)
                try:
                    return await self._stream(child, source)
                finally:
                    self.pids = ()
        finally:
            self._control.close()
            os.close(source)

    async def _stream(self, child: Child, source: int) -> str:
        read = asyncio.create_task(self._read(source))
        direct = asyncio.create_task(self._control.run())
        try:
            await asyncio.wait((read, direct), return_when=asyncio.FIRST_COMPLETED)
            if direct.done() and not read.done():
                # perf does not take orders any more: its last words follow.
                await asyncio.wait((read,), timeout=_LAST_WORDS)
            if read.done():
                read.result()
        except PipeFormatError as error:
            return f"perf record sent what kvtop cannot read: {error}."
        finally:
            for task in (read, direct):
                task.cancel()
            await asyncio.gather(read, direct, return_exceptions=True)
        with suppress(TimeoutError):
            await asyncio.wait_for(child.wait(), 1.0)
        return explain(child.stderr, child.returncode) if child.returncode else "perf ended."

    async def _read(self, source: int) -> None:
        while True:
            chunk = b""
            if await readable(source, _LOOK_EVERY):
                chunk = os.read(source, 1 << 20)
                if not chunk:
                    return
            self._deliver(self._reader.feed(chunk, time.monotonic_ns()))
            if len(chunk) < _BUSY:
                await asyncio.sleep(_PAUSE)
