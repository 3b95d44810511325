"""One run: its target, its collectors, its store. Knows nothing of the screen.

A session of kvtop's own cluster and one of ``--attach`` look the same from above: a ``Store``
that fills, faults that may be injected, and a window of the past that can be folded and saved.
"""

from __future__ import annotations

import asyncio
import platform
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kvtop import debug_log
from kvtop.attached import Attached
from kvtop.collecting import Collector, OnDemand, keep_running
from kvtop.collectors.attach import AttachError
from kvtop.collectors.doctor import PerfFacts, probe
from kvtop.collectors.events_list import EventInfo, list_events
from kvtop.collectors.perf_record import PerfRecord
from kvtop.collectors.perf_stat import PerfStat
from kvtop.collectors.processes import Processes
from kvtop.collectors.stat_detail import StatDetail
from kvtop.config import Config, UsageError
from kvtop.events import (
    CollectorStatus,
    CountedBy,
    Event,
    Health,
    LogLine,
    Marker,
    MarkerKind,
    NodeState,
    SampleBatch,
    Target,
    TargetsChanged,
)
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.ring import Filter, SampleRing
from kvtop.profile.stacks import StackTable
from kvtop.recorder import Recorder
from kvtop.sampling import check_options, counted_events, problem_of
from kvtop.store import RunInfo, Store
from kvtop.tool_events import Tool

if TYPE_CHECKING:
    # At run time only where they are used: --attach has data the sooner for it.
    from kvtop.cluster_run import ClusterRun, Member
    from kvtop.collectors.annotate import Span
    from kvtop.collectors.cluster import ClusterCollector
    from kvtop.collectors.off_cpu import OffCpu
    from kvtop.collectors.pyspy import PySpy
    from kvtop.collectors.pyspy_lines import PythonLines
    from kvtop.collectors.toolbox import ToolCollector
    from kvtop.profile.listing import Listing

ATTACH_WAIT = 1.5
"""Seconds that the cluster waits for perf before it starts without being sampled."""
SERVE_WAIT = 20.0
READONLY = "--readonly disables faults"
_NO_STRESS_HERE = "kvtop starts no stress clients on a cluster that it only watches."
_NO_MEMBER_HERE = (
    "No endpoint is a process of this machine that may be profiled: run kvtop where the members "
    "run, with sudo where they belong to another user."
)


class StartError(Exception):
    """The run could not start: one sentence with the reason, exit code 1."""


class FaultError(Exception):
    """A fault that cannot be injected now: one sentence with the reason."""


class Session:
    """Owns the collectors and the store of one run. ``start`` it once, and always ``stop`` it."""

    store: Store
    """There once ``start`` has looked at the target."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.ended = False
        """True once every target has exited."""
        self.failed = False
        """True once nothing more can come for another reason, which `epilogue` tells."""
        self._ring = SampleRing(StackTable())
        self._tasks: list[asyncio.Task[None]] = []
        self._cluster: ClusterRun | None = None
        self._attached: Attached | None = None
        self._spy: PySpy | None = None
        self._lines: PythonLines | None = None
        self._record: PerfRecord | None = None
        self._waiting: OnDemand[OffCpu] = OnDemand(self._launch_one)
        self._using: OnDemand[ToolCollector] = OnDemand(self._launch_one)
        counted = counted_events(config.event)
        self._stat = PerfStat(interval=max(1.0, config.refresh), events=counted, delay=config.delay)
        self._detail = StatDetail(self._stat.interval)
        self._status: ClusterCollector | None = None
        self._facts: PerfFacts | None = None
        self._processes = Processes(perf_pids=self._perf_pids)
        self.recorder: Recorder | None = None
        """There with the store."""

    async def start(self) -> None:
        """Start the collectors and, without another target, the cluster; return once it serves.

        UsageError for targets that cannot be profiled, StartError where the cluster fails.
        """
        await check_options(self.config)
        self._make_room()
        if self.config.endpoints:
            await self._start_watching()
        elif self.config.attaches:
            await self._start_attached()
        else:
            await self._start_cluster()

    async def stop(self) -> None:
        """End every child and remove every temporary file; safe to call twice."""
        if self.recorder is not None:
            # First: that kvtop ends its cluster is no part of the run.
            await self.recorder.stop()
        self.follow_waits(False)
        self.follow_tool(None)
        for task in self._tasks:
            task.cancel()
        stopping = asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if self._lines is not None:
            await self._lines.stop()
        if self._cluster is not None:
            await self._cluster.stop()
        if self._attached is not None:
            await self._attached.stop()
        await stopping

    @property
    def epilogue(self) -> str:
        """What is left to be said after the end: how a command ended that kvtop started."""
        return self._attached.epilogue if self._attached is not None else ""

    # Reading

    @property
    def banner(self) -> str:
        """What the header says loudly of the run: that it is recorded."""
        current = self.recorder.current if self.recorder is not None else None
        return "" if current is None else f" ● REC {current.size_text} "

    @property
    def no_faults(self) -> str:
        """Why nothing may be killed, paused or restarted here; '' where it may."""
        return READONLY if self.config.readonly else ""

    @property
    def now(self) -> float:
        """The present moment of the run, monotonic seconds."""
        return time.monotonic()

    def fold(self, window: float) -> dict[int, int]:
        """Stack id -> samples of the last ``window`` seconds, before now or the targets' end."""
        last = self._ring.last_time if self.ended else None
        end = self.now if last is None else last
        return self._ring.fold(Filter(start=end - window))

    @property
    def raw_since(self) -> float | None:
        """When the oldest raw sample came that perf.data can be written from; None without one."""
        return None if self._record is None else self._record.window.oldest

    async def save_perf_data(self, directory: Path, window: float) -> int:
        """Write perf.data and perf.unfold of the last ``window`` seconds; number of samples.

        ValueError where perf recorded nothing, OSError where a file cannot be written.
        """
        if self._record is None:
            raise ValueError("perf does not run, so there is no perf.data to keep")
        data = directory / "perf.data"
        samples = self._record.write_perf_data(data, window)
        await self._record.write_unfold(data, directory / "perf.unfold")
        return samples

    async def annotate(self, frame: Frame, start: float, end: float, label: str | None) -> Listing:
        """Samples per line and instruction of a function, of one target or all.

        ``start`` and ``end`` are monotonic seconds; the recording goes back a minute at most.
        Lines of Python are py-spy's, which may have to begin first (``Listing.more``).
        AnnotateError, OSError where that cannot be told.
        """
        from kvtop.collectors.annotate import Span

        pids = self._processes_of(frame, start, end, label)
        return await self.annotate_processes(frame, Span(start, end, pids))

    def _processes_of(
        self, frame: Frame, start: float, end: float, label: str | None
    ) -> frozenset[int] | None:
        """Whom a question about a function's lines concerns; None for every process."""
        if frame.kind is Kind.PYTHON:
            from kvtop.profile.running import processes_of

            return processes_of((self._ring, self.store.spied), frame, start, end, label)
        if label is None:
            return None
        return frozenset(who.pid for who in self._ring.origins if who.label == label)

    async def annotate_processes(self, frame: Frame, span: Span) -> Listing:
        """As `annotate`, for processes instead of labels."""
        from kvtop.collectors.annotate import AnnotateError

        if frame.kind is Kind.PYTHON:
            from kvtop.collectors.pyspy_lines import OFF, PythonLines, python_source

            if self.config.python_frames == "off":
                return await python_source(frame, OFF)
            if self._lines is None:
                self._lines = PythonLines(self._spy)
            return await self._lines.listing(frame, span)
        if self._record is None:
            raise AnnotateError("perf does not run.")
        return await self._record.annotate(frame, span)

    # Waits

    def follow_waits(self, on: bool) -> None:
        """Begin to record where the targets' threads wait, from nothing; or end it.

        What was recorded stays. Where it cannot be, the status of ``off_cpu`` says why.
        """
        self._waiting.end()
        if not on:
            return
        from kvtop.collectors.off_cpu import OffCpu

        self.store.waits.clear()
        record = self._perf_for(OffCpu.name)
        if record is not None:
            self._waiting.begin(
                OffCpu(self._ring.table, self._pids, self.config.call_graph, record.jit_objects)
            )

    def follow_wakers(self, on: bool) -> None:
        """Record who ends the waits that are followed as well, or no more."""
        if self._waiting.collector is not None:
            self._waiting.collector.follow_wakers(on)

    # Tools

    def follow_tool(self, tool: Tool | None) -> None:
        """Begin to record for a tool, from nothing, and end the one before; None only ends it.

        Where it cannot be, the status of the tool says why.
        """
        self._using.end()
        if tool is None:
            return
        from kvtop.collectors.toolbox import make_tool

        self.store.tools.clear(tool)
        record = self._perf_for(tool)
        if record is not None:
            graph, objects = self.config.call_graph, record.jit_objects
            self._using.begin(make_tool(tool, self._pids, self._ring.table, graph, objects))

    def _perf_for(self, name: str) -> PerfRecord | None:
        """perf, for a collector that begins with its help; that one's status says either."""
        health, reason = Health.STARTING, ""
        if self._record is None:
            health, reason = Health.UNAVAILABLE, self.store.health(PerfRecord.name).reason
        self.emit(CollectorStatus(time.monotonic(), name, health, reason))
        return self._record

    @property
    def _pids(self) -> list[int]:
        return [target.pid for target in self.store.targets.values()]

    # What is measured

    @property
    def event(self) -> str | None:
        """The events that are sampled, as they were asked for; None where perf chooses."""
        return self.config.event if self._record is None else self._record.options.event

    async def list_events(self) -> tuple[EventInfo, ...]:
        """What perf can sample here; EventsError where it does not tell."""
        return await list_events()

    async def sample(self, event: str | None) -> str:
        """Sample something else from now on; what was sampled before stays.

        Why perf cannot, in one sentence, and then all is as it was; '' where it does.
        """
        if self._record is None:
            return self.store.health(PerfRecord.name).reason
        if event is not None and (problem := await problem_of(event, self.config)):
            return problem
        ring = self.store.ring
        # Until the first new sample comes the views say of which event the old ones are.
        ring.show_event(ring.event or next(iter(ring.events), None))
        self._record.reconfigure(replace(self._record.options, event=event))
        self._stat.set_events(counted_events(event))
        text = f"perf samples {event or 'its default event'} from here on"
        self.emit(Marker(time.monotonic(), MarkerKind.NOTE, text))
        return ""

    def count_by(self, by: CountedBy) -> None:
        """Count by thread or by core as well from now on, or, by target, no more than that."""
        counters = self.store.counters
        known = [
            event
            for event in counters.events
            if any((r := counters.last(label, event)) and r.supported for label in counters.labels)
        ]
        if by in self.store.details:
            self.store.details[by].clear()
        self._detail.count_by(by, known or counted_events(None))

    # Faults

    async def kill(self, name: str) -> None:
        """``kill -9`` a node."""
        cluster, member = self._member(name)
        if member.state is NodeState.DOWN:
            raise FaultError(f"{name} is down already")
        cluster.kill(name)

    async def pause(self, name: str) -> None:
        """SIGSTOP a node."""
        cluster, member = self._member(name)
        if member.state is NodeState.DOWN:
            raise FaultError(f"{name} is down; restart it first")
        cluster.pause(name)

    async def resume(self, name: str) -> None:
        """SIGCONT a paused node."""
        cluster, _ = self._member(name)
        cluster.resume(name)

    async def restart(self, name: str) -> None:
        """Start a node again on its data; one that still runs is killed first."""
        cluster, _ = self._member(name)
        cluster.restart(name)

    def _member(self, name: str) -> tuple[ClusterRun, Member]:
        if self._cluster is None:
            raise FaultError("kvtop did not start this target, so it does not touch it")
        if self.no_faults:
            raise FaultError(self.no_faults)
        if self._cluster.gone.is_set() or name not in self._cluster.members:
            raise FaultError(f"there is no {name} any more")
        return self._cluster, self._cluster.members[name]

    # Starting

    async def _start_cluster(self) -> None:
        from kvtop.cluster_kind import choose_kind, stress_text
        from kvtop.cluster_run import ClusterRun

        kind = await choose_kind(self.config)
        config = self.config = kind.config
        self._status = kind.collector
        self._cluster = ClusterRun(self.emit, self._member_changed, kind.jit)
        facts, supervisor = await asyncio.gather(probe(), self._cluster.spawn())
        self._make_store(f"{kind.title}, {stress_text(config)}", facts, kind.frames)
        if config.no_stress:
            reason = "No stress clients run, as --no-stress asks."
            self.emit(CollectorStatus(time.monotonic(), "stress", Health.UNAVAILABLE, reason))
        self._launch((self._status, self._processes))
        self._launch_perf(facts, (supervisor,))
        await self._wait_attached()
        try:
            self._cluster.start(config)
        except OSError as error:
            raise StartError(f"no temporary directory can be made: {error}.") from error
        await self._wait_serving(self._cluster)

    async def _start_attached(self) -> None:
        probing = asyncio.create_task(probe())
        try:
            attached = self._attached = Attached(self.config, self._attach_more)
            await attached.open()
        except AttachError as error:
            await probing
            raise UsageError(f"{error}.") from None
        facts = await probing
        self._make_store(attached.title, facts, attached.python_frames)
        self.emit(TargetsChanged(time.monotonic(), attached.targets))
        self._launch_perf(facts, attached.pids, attached.call_graph)
        self._launch((self._processes,))
        if self.config.command:
            await self._wait_attached()
        try:
            await attached.go()
        except AttachError as error:
            raise UsageError(f"{error}.") from None
        self._launch((attached,))
        if self.config.python_frames != "off" and not self.config.all:
            from kvtop.collectors.pyspy import PySpy

            self._spy = PySpy(self._ring.table, attached.targets)
            self._launch((self._spy,))

    def _attach_more(self, pids: tuple[int, ...]) -> None:
        """Processes came that perf does not follow by itself."""
        if self._record is not None:
            self._record.reconfigure(replace(self._record.options, pids=pids))

    async def _start_watching(self) -> None:
        from kvtop.collectors.endpoints import EndpointsCollector

        watch = EndpointsCollector(self.config.endpoints, self._members_moved)
        facts, targets = await asyncio.gather(probe(), watch.settle())
        self._facts = facts
        frames = "on" if any(target.python_frames for target in targets) else "off"
        self._make_store(watch.title, facts, frames)
        now = time.monotonic()
        self.emit(CollectorStatus(now, "stress", Health.UNAVAILABLE, _NO_STRESS_HERE))
        for name in (PerfRecord.name, PerfStat.name):
            self.emit(CollectorStatus(now, name, Health.UNAVAILABLE, _NO_MEMBER_HERE))
        self._launch((watch, self._processes))
        self._members_moved(targets)

    def _members_moved(self, targets: tuple[Target, ...]) -> None:
        """The watched members on this machine are now these."""
        assert self._facts is not None
        if self._record is not None:
            self._attach_more(tuple(target.pid for target in targets))
        elif targets:
            self._launch_perf(self._facts, tuple(target.pid for target in targets))

    def _make_store(self, title: str, facts: PerfFacts, frames: str) -> None:
        info = RunInfo(
            title=title,
            host=platform.node(),
            kernel=platform.release(),
            perf_version=facts.version,
            python_frames=frames,
            started=time.monotonic(),
            wall_offset=time.time() - time.monotonic(),
            has_cluster=self._cluster is not None or bool(self.config.endpoints),
            watched=bool(self.config.endpoints),
            readonly=self.config.readonly,
        )
        self._open_store(info)

    def _make_room(self) -> None:
        """UsageError where ``--record`` names a file that cannot be one."""
        if self.config.record is not None:
            from kvtop.recording.meta import RecordingError
            from kvtop.recording.room import make_room

            try:
                make_room(self.config.record)
            except RecordingError as error:
                raise UsageError(f"--record: {error}.") from error

    def _open_store(self, info: RunInfo) -> None:
        """Keep what comes from now on, in a file too where ``--record`` asks for it."""
        self.store = Store(info, self._ring)
        self.recorder = Recorder(self.store, self.config)
        if self.config.record is not None:
            from kvtop.recording.meta import RecordingError

            try:
                self.recorder.start(self.config.record)
            except RecordingError as error:
                raise StartError(f"{error}.") from error

    def _launch_perf(
        self, facts: PerfFacts, pids: tuple[int, ...], call_graph: str | None = None
    ) -> None:
        """Attach perf; where it cannot work its panes say why, and the run goes on."""
        config = self.config
        if not facts.works:
            now = time.monotonic()
            for name in (PerfRecord.name, PerfStat.name):
                self.emit(CollectorStatus(now, name, Health.UNAVAILABLE, facts.problem))
            self.emit(LogLine(now, "perf", "error", facts.problem))
            return
        self._record = PerfRecord(
            *(self._ring.table, pids, config.frequency),
            *(call_graph or config.call_graph, config.event),
            period=config.period,
            delay=config.delay,
        )
        self._launch((self._record, self._stat, self._detail))

    async def _wait_attached(self) -> None:
        """Wait for perf, so that it follows the nodes and clients from their first instruction."""
        if self._record is None:
            return
        try:
            await asyncio.wait_for(self._record.attached.wait(), ATTACH_WAIT)
        except TimeoutError:
            text = "perf was slow to attach; the first samples are missing"
            self.emit(LogLine(time.monotonic(), PerfRecord.name, "warning", text))
            self._tasks.append(asyncio.create_task(self._attach_again(self._record)))

    @staticmethod
    async def _attach_again(record: PerfRecord) -> None:
        """What was forked before perf had attached is followed by a second start of it only."""
        await record.attached.wait()
        record.reconfigure(record.options)

    async def _wait_serving(self, cluster: ClusterRun) -> None:
        serving = asyncio.create_task(cluster.serving.wait())
        gone = asyncio.create_task(cluster.gone.wait())
        try:
            await asyncio.wait(
                (serving, gone), timeout=SERVE_WAIT, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            serving.cancel()
            gone.cancel()
        if not cluster.serving.is_set():
            why = cluster.errors[-1] if cluster.errors else f"no leader within {SERVE_WAIT:g} s"
            raise StartError(f"the cluster did not start: {why.rstrip('.')}.")

    # Running

    def emit(self, event: Event) -> None:
        """Keep an event; every collector's ``Emit``."""
        if isinstance(event, TargetsChanged):
            self._retarget(event.targets)
        elif isinstance(event, SampleBatch) and self._attached is not None:
            self._attached.saw(event.samples)
        debug_log.note(event)
        self.store.apply(event)

    def _member_changed(self, member: Member) -> None:
        if self._status is not None and member.status_port is not None:
            pid = None if member.state is NodeState.DOWN else member.pid
            self._status.set_process(
                member.name, pid, member.state, "127.0.0.1", member.status_port
            )

    def _retarget(self, targets: tuple[Target, ...]) -> None:
        counted = targets
        if self._attached is not None:
            self._attached.changed(targets)
            counted = self._attached.counted
            if self._record is not None and not self.config.all:
                # For the day that perf has to be started again.
                pids = tuple(target.pid for target in targets)
                self._record.options = replace(self._record.options, pids=pids)
        self.ended = not (targets or self.config.all or self.config.endpoints)
        self._stat.retarget(counted)
        self._detail.retarget(targets)
        if self._spy is not None:
            self._spy.retarget(targets)
        self._processes.retarget(targets)
        self._waiting.retarget(targets)
        self._using.retarget(targets)

    def _perf_pids(self) -> tuple[int, ...]:
        record = self._record.child_pids if self._record is not None else ()
        spies = self._spy.child_pids if self._spy is not None else ()
        lines = self._lines.child_pids if self._lines is not None else ()
        counting = (*self._stat.child_pids, *self._detail.child_pids)
        looked_at = (*self._waiting.child_pids, *self._using.child_pids)
        return (*record, *counting, *looked_at, *spies, *lines)

    def _launch(self, collectors: tuple[Collector, ...]) -> None:
        for collector in collectors:
            self._launch_one(collector)

    def _launch_one(self, collector: Collector) -> asyncio.Task[None]:
        # Those that have ended are let go; the others are awaited in `stop`, so perf is reaped.
        self._tasks = [task for task in self._tasks if not task.done()]
        task = asyncio.create_task(keep_running(collector, self.emit))
        self._tasks.append(task)
        return task
