"""Waits for locks by caller: those of the kernel, and the futexes that programs' locks end in.

The stack is taken where a wait begins, in stretches where there are many; the ends are always
recorded, so that also long waits are timed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from kvtop.collectors.attach import choose_call_graph
from kvtop.collectors.lock_callers import futex_caller, kernel_caller, kernel_kind
from kvtop.collectors.lock_waits import FUTEX, LockPoint, LockWaits, split_period
from kvtop.collectors.perf_buffer import buffer_options
from kvtop.collectors.perf_jit import JIT_OBJECT_DIRECTORY, JitObjects
from kvtop.collectors.perf_pipe import Record
from kvtop.collectors.perf_script import ScriptParser
from kvtop.collectors.perf_stream import DWARF, RecordOptions, Stream
from kvtop.collectors.perf_window import PipeWindow
from kvtop.collectors.record_control import CONTROL_OPTIONS, RecordControl
from kvtop.collectors.reporting import Following
from kvtop.collectors.tally import Tally
from kvtop.collectors.tracepoints import Format, TracepointError, read_formats
from kvtop.collectors.vdso import VDSO, VdsoFile
from kvtop.events import Emit, Health
from kvtop.profile.frames import UNKNOWN_SYMBOL
from kvtop.profile.stacks import StackTable
from kvtop.tool_events import LockRow, Recording, Tool, ToolReading

_BEGIN, _END = "lock:contention_begin", "lock:contention_end"
_ENTER, _EXIT = "syscalls:sys_enter_futex", "syscalls:sys_exit_futex"
_DWARF_STACKS, _STACKS = 250, 3000
"""Waits a second to record with their stacks; a DWARF one costs the target about 0.1 ms."""
# FUTEX_WAIT, LOCK_PI, WAIT_BITSET, WAIT_REQUEUE_PI, LOCK_PI2; PRIVATE and CLOCK_REALTIME or not.
_WAITS = [op + flags for op in (0, 6, 9, 11, 13) for flags in (0, 128, 256, 384)]
_FILTER = " || ".join(f"op == {op}" for op in _WAITS)
_SHORTEST = 0.05
"""Seconds of a stretch: a hundred DWARF stacks fill half of perf's buffers."""
_TURN = 1.0


@dataclass(frozen=True, slots=True)
class LockOptions(RecordOptions):
    """What to record of waits for locks; ``kernel`` where this kernel has their tracepoints."""

    kernel: bool = True

    @property
    def begins(self) -> tuple[str, ...]:
        """The events at which waits begin."""
        return (_BEGIN, _ENTER) if self.kernel else (_ENTER,)

    def command(self) -> list[str]:
        """The ``perf record`` command line; standard input is a socket for its commands."""
        graph = DWARF if self.call_graph == "dwarf" else self.call_graph
        args = ["perf", "record", "--no-buildid", "-k", "CLOCK_MONOTONIC", *CONTROL_OPTIONS]
        args += ["--call-graph", graph, *buffer_options()]
        if self.kernel:
            args += ["-e", _BEGIN, "-e", f"{_END}/call-graph=no/"]
        args += ["-e", _ENTER, "--filter", _FILTER, "-e", f"{_EXIT}/call-graph=no/"]
        return [*args, "-o", "-", "-p", ",".join(map(str, self.pids))]


class _Key(NamedTuple):
    kind: str
    caller: str
    object: str
    pid: int
    comm: str


class _Recording:
    """One stream, from perf record to sums; a `Tap`."""

    def __init__(
        self,
        options: LockOptions,
        points: dict[int, LockPoint],
        table: StackTable,
        objects: JitObjects,
        vdso: VdsoFile,
        tally: Tally[_Key],
    ) -> None:
        self._waits = LockWaits(points)
        self._table, self._tally = table, tally
        self._parser = ScriptParser(table, {JIT_OBJECT_DIRECTORY: "jit", vdso.filename: VDSO})
        self.timer = RecordControl(
            lambda: self._waits.begun,
            _DWARF_STACKS if options.call_graph.startswith("dwarf") else _STACKS,
            shortest=_SHORTEST,
            begin=("enable",),
            on=tuple(f"enable {event}" for event in options.begins),
            off=tuple(f"disable {event}" for event in options.begins),
        )
        # Nothing is saved from this stream: no room for samples.
        window = PipeWindow(0.0, 1 << 20)
        attached = asyncio.Event()
        self.stream = Stream(options, objects, vdso, window, attached, self._deliver, self)

    @property
    def control(self) -> int:
        return self.timer.fd

    @property
    def begun(self) -> int:
        """Waits that began so far."""
        return self._waits.begun

    @property
    def lost(self) -> int:
        """Records that the kernel dropped."""
        return self._waits.lost

    def rewrite(self, records: list[Record]) -> list[Record]:
        """Begins and ends become waits."""
        return self._waits.feed(records, time.monotonic_ns())

    def _deliver(self, text: bytes) -> None:
        for sample in self._parser.feed(text):
            length, flags = split_period(sample.period)
            stack = [self._table.frame(frame) for frame in self._table.frames(sample.stack)]
            if flags == FUTEX:
                kind, caller = futex_caller(stack)
            else:
                kind, caller = kernel_kind(flags), kernel_caller(stack)
            name, where = UNKNOWN_SYMBOL, ""
            if caller is not None:
                name, where = caller.symbol, caller.object
            self._tally.at(_Key(kind, name, where, sample.pid, sample.comm)).add(length)


class Locks(Following):
    """Emits ToolReading (1 Hz) and CollectorStatus; ``run`` ends where it cannot go on.

    ``objects`` are those of another stream of the same processes: their dumps are read already.
    """

    TOOL: ClassVar[Tool] = Tool.LOCKS

    def __init__(
        self,
        table: StackTable,
        pids: Sequence[int],
        call_graph: str = "auto",
        objects: JitObjects | None = None,
    ) -> None:
        self.name = str(self.TOOL)
        self._table = table
        self._objects = objects
        super().__init__(pids)
        self._call_graph = call_graph
        self._recording: _Recording | None = None
        self._tally: Tally[_Key] = Tally()
        self._remark = ""

    @property
    def child_pids(self) -> tuple[int, ...]:
        """perf's processes that run for this tool: part of what kvtop costs."""
        return () if self._recording is None else self._recording.stream.pids

    async def run(self, emit: Emit) -> None:
        """Record until cancelled, or until it makes no sense: the status says why."""
        try:
            formats = self._formats()
        except TracepointError as error:
            self._report(emit, Health.UNAVAILABLE, str(error))
            return
        objects = JitObjects() if self._objects is None else self._objects
        vdso = VdsoFile()
        try:
            await self._keep_recording(
                lambda pids: self._record(formats, pids, objects, vdso, emit), emit
            )
        finally:
            if objects is not self._objects:
                objects.close()
            vdso.close()

    def _formats(self) -> dict[str, Format]:
        formats = read_formats((_ENTER, _EXIT))
        try:
            formats |= read_formats((_BEGIN, _END))
        except TracepointError:
            self._remark = "This kernel does not tell of its own locks (5.19 does): futexes only."
        return formats

    async def _record(
        self,
        formats: dict[str, Format],
        pids: tuple[int, ...],
        objects: JitObjects,
        vdso: VdsoFile,
        emit: Emit,
    ) -> str:
        """Record until something ends or changes; one sentence on why it did."""
        graph = choose_call_graph(pids) if self._call_graph == "auto" else self._call_graph
        options = LockOptions(pids, call_graph=graph, kernel=_BEGIN in formats)
        points = {
            formats[_ENTER].id: LockPoint(True, None),
            formats[_EXIT].id: LockPoint(False, None),
        }
        if options.kernel:
            points[formats[_BEGIN].id] = LockPoint(
                True, formats[_BEGIN].reader("lock_addr", "flags")
            )
            points[formats[_END].id] = LockPoint(False, formats[_END].reader("lock_addr"))
        one = self._recording = _Recording(options, points, self._table, objects, vdso, self._tally)
        running = asyncio.create_task(one.stream.run())
        direct = asyncio.create_task(one.timer.run())
        changed = asyncio.create_task(self._changed.wait())
        telling = asyncio.create_task(self._tell(one, emit))
        tasks = {running, changed, telling}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*tasks, direct):
                task.cancel()
            await asyncio.gather(*tasks, direct, return_exceptions=True)
            self._recording = None
            one.timer.close()
        for task in (telling, running):
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error
        return running.result() if not running.cancelled() else ""

    async def _tell(self, one: _Recording, emit: Emit) -> None:
        last = time.monotonic(), 0.0, 0
        while True:
            await asyncio.sleep(_TURN)
            now, recorded, begun = time.monotonic(), one.timer.recorded, one.begun
            took = recorded - last[1]
            if recorded:
                self._tally.turn(took, now - last[0])
                rate = (begun - last[2]) / took if took > 0 else 0.0
                self._report(emit, Health.DEGRADED if self._remark else Health.OK, self._remark)
                told = Recording(*(now, self._tally.recorded, self._tally.share, rate, one.lost))
                emit(ToolReading(self.TOOL, told, self._rows()))
            last = now, recorded, begun

    def _rows(self) -> tuple[LockRow, ...]:
        return tuple(LockRow(*key, one.latency) for key, one in self._tally.sums().items())
