"""The base of the tools that read tracepoints: record while somebody looks, tell once a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import ClassVar

from kvtop.collectors.reporting import Following
from kvtop.collectors.trace_stream import TraceEvent, TraceOptions, TraceStream
from kvtop.collectors.tracepoints import Format, TracepointError, read_formats
from kvtop.events import Emit, Health
from kvtop.tool_events import Recording, Row, Tool, ToolReading

_TURN = 1.0


class TraceTool(Following):
    """Emits ToolReading (1 Hz) and CollectorStatus; ``run`` ends where it cannot go on.

    A subclass names its ``EVENTS``, makes sums of them in ``take`` and rows in ``rows``.
    """

    TOOL: ClassVar[Tool]
    EVENTS: ClassVar[tuple[str, ...]]
    WHOLE_MACHINE: ClassVar[bool] = False

    def __init__(self, pids: Sequence[int]) -> None:
        self.name = str(self.TOOL)
        super().__init__(pids)
        self._stream: TraceStream | None = None

    # What a subclass does

    def prepare(self, formats: dict[str, Format]) -> None:
        """Learn how the events' fields lie; called before ``take``."""
        raise NotImplementedError

    def take(self, events: list[TraceEvent]) -> None:
        """Sum up events, which come in order of time."""
        raise NotImplementedError

    def options(self, pids: tuple[int, ...]) -> TraceOptions:
        """What to record of these processes."""
        return TraceOptions(self.EVENTS, () if self.WHOLE_MACHINE else pids)

    def turn(self, recorded: float, passed: float) -> None:
        """Another turn is over: so many seconds, of which so many were recorded."""
        raise NotImplementedError

    def rows(self) -> tuple[Row, ...]:
        """What the last turns' sums come to."""
        raise NotImplementedError

    def covered(self) -> tuple[float, float]:
        """Seconds recorded that the rows are of, and the share of their time, 0..1."""
        raise NotImplementedError

    # Running

    @property
    def child_pids(self) -> tuple[int, ...]:
        """perf's processes that run for this tool: part of what kvtop costs."""
        return () if self._stream is None else self._stream.pids

    def again(self) -> None:
        """Record from now on what `options` says now."""
        self._changed.set()

    async def run(self, emit: Emit) -> None:
        """Record until cancelled, or until it makes no sense: the status says why."""
        try:
            self.prepare(read_formats(self.EVENTS))
        except TracepointError as error:
            self._report(emit, Health.UNAVAILABLE, str(error))
            return
        await self._keep_recording(
            lambda pids: self._record(pids, emit), emit, without_targets=self.WHOLE_MACHINE
        )

    async def _record(self, pids: tuple[int, ...], emit: Emit) -> str:
        """Record until something ends or changes; one sentence on why it did."""
        stream = self._stream = TraceStream(self.options(pids), self.take)
        running = asyncio.create_task(stream.run())
        changed = asyncio.create_task(self._changed.wait())
        telling = asyncio.create_task(self._tell(stream, emit))
        tasks = {running, changed, telling}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._stream = None
        for task in (telling, running):
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error
        return running.result() if not running.cancelled() else ""

    async def _tell(self, stream: TraceStream, emit: Emit) -> None:
        last = time.monotonic(), 0.0, 0
        while True:
            await asyncio.sleep(_TURN)
            now, recorded, seen = time.monotonic(), stream.recorded, stream.seen
            took = recorded - last[1]
            if not recorded:
                # perf still looks at what the processes are.
                last = now, 0.0, 0
                continue
            self.turn(took, now - last[0])
            rate = (seen - last[2]) / took if took > 0 else 0.0
            last = now, recorded, seen
            self._report(emit, Health.OK)
            self.tell(emit, rate, stream.lost)

    def tell(self, emit: Emit, rate: float, lost: int) -> None:
        """Emit what there is to show."""
        now = time.monotonic()
        seconds, share = self.covered()
        emit(ToolReading(self.TOOL, Recording(now, seconds, share, rate, lost), self.rows()))
