"""The collector of stack samples: keeps a stream running, judges it, saves what is past.

perf's events are inherited: attached to a process before it forks, one stream follows all its
children to come.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kvtop.collectors.attach import choose_call_graph
from kvtop.collectors.children import Child
from kvtop.collectors.doctor import explain, perf_missing
from kvtop.collectors.events_list import split_events
from kvtop.collectors.object_symbols import ObjectSymbols
from kvtop.collectors.perf_jit import JIT_OBJECT_DIRECTORY, JitObjects
from kvtop.collectors.perf_script import ScriptParser
from kvtop.collectors.perf_stream import SCRIPT_OPTIONS, RecordOptions, Stream
from kvtop.collectors.perf_window import PipeWindow
from kvtop.collectors.processes import MACHINE, process_exists, started_since
from kvtop.collectors.reporting import ALL_EXITED, Reporting
from kvtop.collectors.sample_times import not_ahead
from kvtop.collectors.vdso import VDSO, VdsoFile
from kvtop.events import (
    Emit,
    Flaw,
    FlawKind,
    Health,
    Marker,
    MarkerKind,
    PipelineStats,
    SampleBatch,
)
from kvtop.profile.frames import Frame
from kvtop.profile.idle import is_idle
from kvtop.profile.stacks import StackTable

if TYPE_CHECKING:
    from kvtop.collectors.annotate import Span
    from kvtop.profile.listing import Listing

_STATS_EVERY = 1.0
_BACKOFF = (0.5, 1.0, 2.0, 4.0, 8.0)
_HOPELESS = 3
"""So many starts in a row without a sample and with an error: it is not going to work."""
_JUDGE_EVERY = 5.0
_ENOUGH_TO_JUDGE = 50


@dataclass(frozen=True, slots=True)
class _Counts:
    """What streams counted of the kernel's work."""

    lost: int = 0
    copied: int = 0
    throttled: int = 0

    def plus(self, stream: Stream) -> _Counts:
        return _Counts(
            self.lost + stream.lost,
            self.copied + stream.copied,
            self.throttled + stream.throttled,
        )


class PerfRecord(Reporting):
    """Emits SampleBatch, PipelineStats (1 Hz), CollectorStatus, and a GAP marker per restart."""

    name = "perf_record"

    def __init__(
        self,
        table: StackTable,
        pids: Sequence[int],
        frequency: int = 99,
        call_graph: str = "auto",
        event: str | None = None,
        window: PipeWindow | None = None,
        *,
        period: int = 0,
        delay: int = 0,
    ) -> None:
        self.options = RecordOptions(tuple(pids), frequency, call_graph, event, period)
        self._delay_until = time.monotonic() + delay / 1000
        self.attached = asyncio.Event()
        """Set while perf samples: children that the targets start from then on are seen."""
        self.window = PipeWindow() if window is None else window
        self._objects = JitObjects()
        self._vdso = VdsoFile()
        objects = {JIT_OBJECT_DIRECTORY: "jit", self._vdso.filename: VDSO}
        self._table = table
        self._names = ObjectSymbols()
        self._parser = ScriptParser(table, objects, names=self._names)
        self._stream: Stream | None = None
        self._before = _Counts()
        """Of the streams before the present one."""
        self._changed = asyncio.Event()
        self._delay: float | None = None
        self._events: dict[str, None] = {}
        """What the present stream has sampled so far, in order of appearance."""
        self._call_graph = call_graph
        self._judged = (0.0, 0, 0)

    @property
    def child_pids(self) -> tuple[int, ...]:
        """perf's processes that run for this collector: part of what kvtop costs."""
        return self._stream.pids if self._stream is not None else ()

    @property
    def jit_objects(self) -> JitObjects:
        """Compiled code and the dumps it came from, for other streams of the same processes."""
        return self._objects

    @property
    def forwarded(self) -> int:
        """Samples of the present stream that perf script was given."""
        return self._stream.forwarded if self._stream is not None else 0

    def reconfigure(self, options: RecordOptions) -> None:
        """Restart the stream with other options; what was collected stays."""
        self.options = options
        self._changed.set()

    async def run(self, emit: Emit) -> None:
        """Stream until cancelled."""
        stats = asyncio.create_task(self._emit_stats(emit))
        failures = 0
        # A clock tick early: times of processes are that coarse.
        since = time.clock_gettime(time.CLOCK_BOOTTIME) - 0.01
        try:
            while True:
                self._changed.clear()
                alive = tuple(pid for pid in self.options.pids if process_exists(pid))
                if not alive:
                    self._report(emit, Health.UNAVAILABLE, ALL_EXITED)
                    await self._changed.wait()
                    continue
                # A perf that comes late does not follow the children there are already.
                whole = tuple(dict.fromkeys((*alive, *started_since(alive, since))))
                reason = await self._stream_once(whole, emit)
                if self._changed.is_set() or not any(map(process_exists, self.options.pids)):
                    failures = 0
                    continue
                failures = 0 if self.forwarded else failures + 1
                if failures >= _HOPELESS or reason == perf_missing():
                    self._report(emit, Health.UNAVAILABLE, reason)
                    await self._changed.wait()
                    failures = 0
                    continue
                delay = _BACKOFF[min(failures, len(_BACKOFF) - 1)]
                emit(Marker(time.monotonic(), MarkerKind.GAP, "sampling stopped"))
                self._report(emit, Health.DEGRADED, f"{reason} Trying again in {delay:g} s.")
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), delay)
        finally:
            stats.cancel()
            self._objects.close()
            self._vdso.close()

    def write_perf_data(self, path: Path, seconds: float) -> int:
        """Save the raw samples of the last ``seconds`` for ``perf report -i``; their number.

        Goes back as far as ``window`` does (60 s and 128 MiB by default). Compiled code goes
        beside it, into ``path`` + ``.jit``. ValueError where nothing was recorded, OSError where
        it cannot be written.
        """
        attr = self._stream.attr if self._stream is not None else None
        if attr is None:
            raise ValueError("perf has recorded nothing yet")
        return self.window.write(path, time.monotonic() - seconds, attr)

    async def annotate(self, frame: Frame, span: Span) -> Listing:
        """Samples per line and instruction of a function that is no Python's; AnnotateError."""
        # Loaded when it is asked for: --attach has data the sooner for it.
        from kvtop.collectors import annotate

        attr = self._stream.attr if self._stream is not None else None
        if attr is None:
            raise annotate.AnnotateError("perf has recorded nothing yet.")
        return await annotate.annotate(self.window, attr, frame, span)

    async def write_unfold(self, perf_data: Path, path: Path) -> None:
        """Save ``perf script``'s text of a file of `write_perf_data`; OSError where that fails."""
        with path.open("wb") as file:
            child = await Child.spawn(
                ["perf", "script", "-i", str(perf_data), *SCRIPT_OPTIONS],
                stdout=file.fileno(),
                graceful=True,
            )
            async with child:
                if await child.wait():
                    raise OSError(explain(child.stderr))

    async def _stream_once(self, pids: tuple[int, ...], emit: Emit) -> str:
        first = True

        def deliver(text: bytes) -> None:
            nonlocal first
            if first:
                self._names.set_perf_version(stream.perf_version)
            samples = not_ahead(self._parser.feed(text), time.monotonic())
            if self.options.pids == (MACHINE,):
                table = self._table
                samples = [s for s in samples if s.pid or not is_idle(table, s.stack)]
            if samples:
                if first:
                    first = False
                    self._report(emit, Health.OK)
                    # Programs that just started have not told the names of their functions yet.
                    self._judged = time.monotonic(), self._parser.samples, self._parser.broken
                for sample in samples:
                    if sample.event not in self._events:
                        self._events[sample.event] = None
                self._delay = time.monotonic() - samples[-1].time
                emit(SampleBatch(tuple(samples)))

        self._call_graph = self.options.call_graph
        if self._call_graph == "auto":
            self._call_graph = choose_call_graph(pids)
        delay = round((self._delay_until - time.monotonic()) * 1000)
        options = replace(self.options, pids=pids, call_graph=self._call_graph, delay=max(0, delay))
        self._events.clear()
        if self._stream is not None:
            self._before = self._before.plus(self._stream)
        stream = Stream(options, self._objects, self._vdso, self.window, self.attached, deliver)
        self._stream = stream
        streaming = asyncio.create_task(stream.run())
        changed = asyncio.create_task(self._changed.wait())
        try:
            await asyncio.wait((streaming, changed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.attached.clear()
            streaming.cancel()
            changed.cancel()
            await asyncio.gather(streaming, changed, return_exceptions=True)
        self._parser.reset()
        return "" if streaming.cancelled() else streaming.result()

    async def _emit_stats(self, emit: Emit) -> None:
        while True:
            await asyncio.sleep(_STATS_EVERY)
            stream, parser = self._stream, self._parser
            if stream is None or not self.attached.is_set():
                continue
            counts = self._before.plus(stream)
            attr = stream.attr
            names = self._sampled(attr.name if attr is not None else "")
            event = self.options.event or ",".join(names)
            if len(names) == 1 and len(split_events(event)) == 1:
                # What perf took in place of what was asked for.
                event = names[0]
            emit(
                PipelineStats(
                    time.monotonic(),
                    parser.samples,
                    counts.lost,
                    parser.broken,
                    parser.unresolved,
                    self._delay,
                    event,
                    0 if self.options.period else self.options.frequency,
                    self._call_graph,
                    self._flaws(),
                    counts.copied,
                    counts.throttled,
                    names,
                    self.options.period,
                )
            )
            self._judge(emit)

    def _sampled(self, first: str) -> tuple[str, ...]:
        """Names of what was sampled, in the order in which it was asked for; ``first`` before."""
        asked = self.options.event or ""
        names = sorted(self._events, key=lambda n: at if (at := asked.find(n)) >= 0 else len(asked))
        return tuple(names) or ((first,) if first else ())

    def _flaws(self) -> tuple[Flaw, ...]:
        stream = self._stream
        jit_dumps = stream is not None and bool(stream.dumps.pids)
        lost = self._before.plus(stream).lost if stream is not None else 0
        return self._parser.flaws.explained(self._call_graph, jit_dumps, lost)

    def _judge(self, emit: Emit) -> None:
        """Say so where most stacks of the last seconds do not reach their thread's start."""
        now = time.monotonic()
        at, samples_before, broken_before = self._judged
        samples = self._parser.samples - samples_before
        if now - at < _JUDGE_EVERY or samples < _ENOUGH_TO_JUDGE:
            if self._status is None or self._status[0] is not Health.DEGRADED:
                self._report(emit, Health.OK)
            return
        share = (self._parser.broken - broken_before) / samples
        self._judged = now, self._parser.samples, self._parser.broken
        if share <= 0.5:
            self._report(emit, Health.OK)
        else:
            self._report(emit, Health.DEGRADED, self._why_broken())

    def _why_broken(self) -> str:
        """One sentence about the object that breaks the most stacks."""
        worst = next(flaw for flaw in self._flaws() if flaw.kind is FlawKind.BROKEN)
        return f"Most stacks are cut off: {worst.cause}; {worst.remedy}."
