"""The collector of waits: where the targets' threads are when they are not on a CPU.

It runs only while somebody looks. The software event ``context-switches`` is taken and not the
tracepoint sched:sched_switch, which happens at the same place in the kernel: it needs no tracefs
and no root, perf_event_paranoid at 1 is enough.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from math import inf

from kvtop.collectors.attach import choose_call_graph
from kvtop.collectors.doctor import kernel_closed, read_paranoid
from kvtop.collectors.fdio import big_pipe
from kvtop.collectors.flaws import FlawCounts
from kvtop.collectors.object_symbols import ObjectSymbols
from kvtop.collectors.perf_buffer import buffer_options
from kvtop.collectors.perf_jit import JIT_OBJECT_DIRECTORY, JitObjects
from kvtop.collectors.perf_pipe import Record
from kvtop.collectors.perf_script import ScriptParser
from kvtop.collectors.perf_stream import DWARF, RecordOptions, Stream
from kvtop.collectors.perf_window import PipeWindow
from kvtop.collectors.reporting import Following, GiveUpError
from kvtop.collectors.sample_times import not_ahead
from kvtop.collectors.switch_rate import STACKS_A_SECOND, Part, plan, switch_rates
from kvtop.collectors.thread_names import ThreadNames
from kvtop.collectors.vdso import VDSO, VdsoFile
from kvtop.collectors.waits import Waits, split_period
from kvtop.collectors.wakers import Wakers
from kvtop.events import (
    CollectorStatus,
    Emit,
    Health,
    StackSample,
    WaitBatch,
    WaitState,
    WaitStats,
)
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.stacks import StackTable

MOST_SWITCHES = 50_000
"""Switches a second beyond which kvtop does not follow: each is two records to read."""
NOT_SAMPLED = Frame("[stack not sampled]", "", Kind.UNKNOWN)
ASLEEP_BEFORE = Frame("[asleep since before the recording]", "", Kind.UNKNOWN)
_LOOK_EVERY = 0.2
_STATS_EVERY = 1.0
_TOO_MANY_FOR = 3
"""Seconds above the limit that are no mere burst."""
_TOO_FEW_FOR = 5
"""Seconds without work after which all stacks are recorded."""
WAKERS = "wakers"
"""The collector's name under which the health of recording wakings is told."""
_PING = b"ping\n"


@dataclass(frozen=True, slots=True)
class SwitchOptions(RecordOptions):
    """What to record of context switches: ``every`` is the N of one in N, of these threads."""

    tids: tuple[int, ...] = ()
    every: int = 1

    def command(self) -> list[str]:
        """The ``perf record`` command line; standard input takes its control commands."""
        graph = DWARF if self.call_graph == "dwarf" else self.call_graph
        args = ["perf", "record", "--no-buildid", "-k", "CLOCK_MONOTONIC", "--control", "fd:0"]
        args += ["-e", "context-switches", "-c", str(self.every), "--switch-events"]
        args += ["--call-graph", graph, *buffer_options(), "--inherit"]
        return [*args, "-o", "-", "-t", ",".join(map(str, self.tids))]


class _Recording:
    """One part's stream, from perf record to samples; a `Tap`."""

    def __init__(
        self,
        pids: tuple[int, ...],
        part: Part,
        call_graph: str,
        table: StackTable,
        objects: JitObjects,
        vdso: VdsoFile,
        take: Callable[[list[StackSample]], None],
        flaws: FlawCounts,
    ) -> None:
        self.waits = Waits()
        self.attached = asyncio.Event()
        self._take = take
        self._table = table
        self._threads = ThreadNames()
        self.first: float | None = None
        """Time of the first wait with a stack; what was before is not told.

        Until then perf script was reading what the targets had mapped, and perf's buffers may have
        overflowed meanwhile.
        """
        self._lost_before = 0
        renamed = {JIT_OBJECT_DIRECTORY: "jit", vdso.filename: VDSO}
        self._names = ObjectSymbols()
        self._parser = ScriptParser(table, renamed, names=self._names)
        self._parser.flaws = flaws
        self.control, self._orders = big_pipe()
        options = SwitchOptions(pids, call_graph=call_graph, tids=part.tids, every=part.every)
        # Nothing is saved from this stream: no room for samples.
        window = PipeWindow(0.0, 1 << 20)
        self.stream = Stream(options, objects, vdso, window, self.attached, self._deliver, self)

    @property
    def samples(self) -> int:
        """Waits that were told with their stacks."""
        return self._parser.samples

    @property
    def lost(self) -> int:
        """Records that the kernel dropped since the first wait was told."""
        return self.stream.lost - self._lost_before

    def close(self) -> None:
        os.close(self.control)
        os.close(self._orders)

    def look(self) -> None:
        """Let perf record pass on what it has: it would wait until its buffer is half full."""
        os.set_blocking(self._orders, False)
        with suppress(BlockingIOError):
            os.write(self._orders, _PING)

    def rewrite(self, records: list[Record]) -> list[Record]:
        """Switches become waits."""
        passed = self.waits.feed(records, time.monotonic_ns())
        unseen = self.waits.take_unseen()
        if unseen and self.first is not None:
            intern, stack_id = self._table.intern, self._table.stack_id
            name = self._threads.name
            self._take(
                [
                    StackSample(
                        one.end_ns / 1e9,
                        *(one.pid, one.tid, name(one.pid, one.tid), _state(one.ready)),
                        one.length_ns,
                        stack_id([intern(NOT_SAMPLED if one.began else ASLEEP_BEFORE)]),
                    )
                    for one in unseen
                ]
            )
        return passed

    def _deliver(self, text: bytes) -> None:
        samples = []
        if self.first is None:
            self._names.set_perf_version(self.stream.perf_version)
        for sample in not_ahead(self._parser.feed(text), time.monotonic()):
            length, ready = split_period(sample.period)
            self._threads.learn(sample.tid, sample.comm)
            samples.append(sample._replace(period=length, event=_state(ready)))
        if samples:
            if self.first is None:
                self.first, self._lost_before = samples[0].time, self.stream.lost
            self._take(samples)


class OffCpu(Following):
    """Emits WaitBatch, WaitStats (1 Hz) and CollectorStatus; ``run`` ends where it cannot go on.

    ``objects`` are those of another stream of the same processes: their dumps are read already.
    """

    name = "off_cpu"

    def __init__(
        self,
        table: StackTable,
        pids: Sequence[int],
        call_graph: str = "auto",
        objects: JitObjects | None = None,
    ) -> None:
        self._table = table
        self._objects = objects
        super().__init__(pids)
        self._call_graph = call_graph
        self._recordings: list[_Recording] = []
        self._since: float | None = None
        self._with_wakers = False
        self._wakers: Wakers | None = None

    def follow_wakers(self, on: bool) -> None:
        """Record who ends the waits as well, from now on, or no more."""
        if on != self._with_wakers:
            self._with_wakers = on
            self._changed.set()

    @property
    def child_pids(self) -> tuple[int, ...]:
        """perf's processes that run for this collector: part of what kvtop costs."""
        wakers = self._wakers.pids if self._wakers is not None else ()
        return (*(pid for one in self._recordings for pid in one.stream.pids), *wakers)

    async def run(self, emit: Emit) -> None:
        """Record until cancelled, or until it makes no sense: the status says why."""
        objects = JitObjects() if self._objects is None else self._objects
        vdso = VdsoFile()

        async def once(pids: tuple[int, ...]) -> str:
            rates = await switch_rates(pids)
            if sum(rates.values()) > MOST_SWITCHES:
                raise GiveUpError(_too_many(sum(rates.values())))
            return await self._record(rates, pids, objects, vdso, emit)

        try:
            await self._keep_recording(once, emit)
        finally:
            if objects is not self._objects:
                objects.close()
            vdso.close()

    def _is_final(self, reason: str) -> bool:
        return super()._is_final(reason) or reason.startswith(_STOPPED)

    async def _record(
        self,
        rates: dict[int, float],
        pids: tuple[int, ...],
        objects: JitObjects,
        vdso: VdsoFile,
        emit: Emit,
    ) -> str:
        """Record until something ends or changes; one sentence on why it did."""
        graph = choose_call_graph(pids) if self._call_graph == "auto" else self._call_graph
        parts = plan(rates)
        threads = len(rates)
        flaws = FlawCounts()

        def tell(samples: list[StackSample]) -> None:
            self._report(emit, Health.OK)
            emit(WaitBatch(tuple(samples)))

        wakers = self._wakers = Wakers(self._table, rates, tell) if self._with_wakers else None
        take = tell if wakers is None else wakers.add
        async with AsyncExitStack() as stack:
            for part in parts:
                one = _Recording(pids, part, graph, self._table, objects, vdso, take, flaws)
                stack.callback(one.close)
                self._recordings.append(one)
            streams = [asyncio.create_task(one.stream.run()) for one in self._recordings]
            changed = asyncio.create_task(self._changed.wait())
            watch = asyncio.create_task(self._watch(parts, threads, graph, flaws, emit))
            tasks = [*streams, changed, watch]
            joined = asyncio.create_task(_tell_wakers(wakers, emit)) if wakers else None
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                ending = [*tasks, joined] if joined is not None else tasks
                for task in ending:
                    task.cancel()
                await asyncio.gather(*ending, return_exceptions=True)
                if wakers is not None:
                    wakers.look(inf)
                self._wakers = None
                self._recordings.clear()
        for done in (watch, *streams):
            if not done.cancelled():
                return done.result()
        return ""

    async def _watch(
        self, parts: list[Part], threads: int, graph: str, flaws: FlawCounts, emit: Emit
    ) -> str:
        """Have the buffers read, tell the rates, and end it all where these are too high."""
        last = time.monotonic(), 0, 0
        above = quiet = 0
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            for one in self._recordings:
                one.look()
                if one.stream.attr is not None and one.stream.attr.exclude_kernel:
                    return kernel_closed(read_paranoid())
            now = time.monotonic()
            if self._wakers is not None:
                self._wakers.look(now)
            if now - last[0] < _STATS_EVERY:
                continue
            switches = sum(one.waits.switches for one in self._recordings)
            stacks = sum(one.waits.stacks for one in self._recordings)
            took = now - last[0]
            rate, stack_rate = (switches - last[1]) / took, (stacks - last[2]) / took
            last = now, switches, stacks
            firsts = [one.first for one in self._recordings if one.first is not None]
            lost = sum(one.lost for one in self._recordings if one.first is not None)
            every = max(part.every for part in parts)
            if self._since is None:
                self._since = min(firsts, default=None)
            since = now if self._since is None else self._since
            told = sum(one.samples for one in self._recordings)
            dumps = any(one.stream.dumps.pids for one in self._recordings)
            why = flaws.explained(graph, dumps)
            emit(WaitStats(now, since, rate, stack_rate, every, threads, lost, told, why))
            above = above + 1 if rate > MOST_SWITCHES else 0
            few = bool(firsts) and every > 1 and rate < STACKS_A_SECOND / 2
            quiet = quiet + 1 if few else 0
            if above >= _TOO_MANY_FOR:
                return _too_many(rate)
            if stack_rate > 2 * STACKS_A_SECOND or quiet >= _TOO_FEW_FOR:
                # The threads do something else than when their switches were counted.
                self._changed.set()


async def _tell_wakers(wakers: Wakers, emit: Emit) -> None:
    """Say why wakings are not recorded (any more); the waits are, anyway."""
    emit(CollectorStatus(time.monotonic(), WAKERS, Health.OK))
    reason = await wakers.run()
    emit(CollectorStatus(time.monotonic(), WAKERS, Health.UNAVAILABLE, reason))


_STOPPED = "Waits are not followed at "


def _too_many(rate: float) -> str:
    return (
        f"{_STOPPED}{rate:,.0f} context switches a second, the limit is {MOST_SWITCHES:,}: "
        "attach to fewer processes."
    )


def _state(ready: bool) -> str:
    return WaitState.READY if ready else WaitState.BLOCKED
