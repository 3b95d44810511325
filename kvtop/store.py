"""The bounded stores that a session fills and widgets read. No I/O and no screen.

Each part carries a ``revision`` that moves when its data does, so that a pane redraws only then.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from kvtop.events import (
    CollectorStatus,
    CountedBy,
    CounterReading,
    Emit,
    Event,
    Health,
    LogLine,
    Marker,
    MarkerKind,
    NodeState,
    NodeStatus,
    OwnUsage,
    PipelineStats,
    ProcessUsage,
    Role,
    SampleBatch,
    SpiedBatch,
    StackSample,
    StressStats,
    Target,
    TargetsChanged,
    WaitBatch,
    WaitStats,
)
from kvtop.profile.cumulative import Cumulative
from kvtop.profile.ring import SampleRing
from kvtop.profile.series import Series
from kvtop.profile.stacks import StackTable
from kvtop.tool_events import Tool, ToolReading


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What the header says of the run; set once by the session."""

    title: str
    host: str
    kernel: str
    perf_version: str
    python_frames: str
    """"on", "off", "py-spy" (apart from perf's), or one sentence on why they cannot be had."""
    started: float
    wall_offset: float
    """Wall clock minus monotonic clock at the start, seconds."""
    has_cluster: bool
    readonly: bool = False
    watched: bool = False
    """Whether the cluster ran already: kvtop only looks at it."""
    remote: str = ""
    """The machine of ``--ssh`` that all figures are of; '' for this one."""
    cpus: int | None = None
    """CPUs of the targets' machine, where that is another one."""
    cpu: str = ""
    """Their model, in that case."""

    @property
    def has_faults(self) -> bool:
        """Whether nodes can be killed, paused and restarted here."""
        return self.has_cluster and not self.watched


POINTS = 2400
"""Figures that a series keeps, where nothing else is said: 20 minutes of two a second."""
ALL_THE_TIME = 0.99
"""Share of an interval from which on an event counts as never having shared the hardware."""


class CounterStore:
    """Counter series per (label, event); ``label`` is a target's, a thread's or a core's."""

    def __init__(self, points: int = POINTS) -> None:
        self.points = points
        self.revision = 0
        self.time: float | None = None
        """Of the newest reading."""
        self._last: dict[tuple[str, str], CounterReading] = {}
        self._series: dict[tuple[str, str], Series] = {}
        self._totals: dict[tuple[str, str], Cumulative] = {}
        self._shared: set[tuple[str, str]] = set()

    def add(self, reading: CounterReading) -> None:
        """Keep a reading; the series holds the rate per second of the interval."""
        key = reading.label, reading.event
        series = self._series.setdefault(key, Series(self.points))
        rate = None
        if reading.value is not None and reading.interval > 0:
            rate = reading.value / reading.interval
        if series.last_time is None or reading.time >= series.last_time:
            series.append(reading.time, rate)
            self._last[key] = reading
            if reading.value is not None:
                total = self._totals.setdefault(key, Cumulative(self.points))
                total.add(reading.time - reading.interval, reading.time, reading.value)
                if reading.running < ALL_THE_TIME:
                    self._shared.add(key)
            self.time = reading.time if self.time is None else max(self.time, reading.time)
            self.revision += 1

    @property
    def labels(self) -> list[str]:
        """Labels seen so far, sorted."""
        return sorted({label for label, _ in self._last})

    @property
    def events(self) -> list[str]:
        """Events seen so far, in order of appearance."""
        return list(dict.fromkeys(event for _, event in self._last))

    def last(self, label: str, event: str) -> CounterReading | None:
        """The newest reading, or None where there is none yet."""
        return self._last.get((label, event))

    def series(self, label: str, event: str) -> Series | None:
        """Rate per second over time, or None where there is none yet."""
        return self._series.get((label, event))

    def total(self, label: str, event: str) -> Cumulative | None:
        """All that was counted since the start, over time; None where nothing was yet."""
        return self._totals.get((label, event))

    def was_shared(self, label: str, event: str) -> bool:
        """Whether the event was ever on the hardware for a part of an interval only."""
        return (label, event) in self._shared

    def clear(self) -> None:
        """Forget all: something else is counted from now on."""
        self.time = None
        self.revision += 1
        for kept in (self._last, self._series, self._totals, self._shared):
            kept.clear()

    def copy(self) -> CounterStore:
        """A store that reads as this one does now."""
        other = CounterStore(self.points)
        other.revision, other.time = self.revision, self.time
        other._last = dict(self._last)
        other._series = {key: one.copy() for key, one in self._series.items()}
        other._totals = {key: one.copy() for key, one in self._totals.items()}
        other._shared = set(self._shared)
        return other


class StressStore:
    """History of the stress clients' throughput (ops/s) and latency (seconds)."""

    def __init__(self, points: int = POINTS) -> None:
        self.revision = 0
        self.last: StressStats | None = None
        self.operations = Cumulative(points)
        """Acknowledged operations."""
        self.rate = Series(points)
        self.p50 = Series(points)
        self.p99 = Series(points)
        self.p999 = Series(points)

    def add(self, stats: StressStats) -> None:
        """Keep one interval's figures; an interval without operations is a gap in latency."""
        if self.last is not None and stats.time < self.last.time:
            return
        self.last = stats
        self.operations.add(stats.time - stats.interval, stats.time, stats.operations)
        self.rate.append(stats.time, stats.rate)
        self.p50.append(stats.time, stats.p50)
        self.p99.append(stats.time, stats.p99)
        self.p999.append(stats.time, stats.p999)
        self.revision += 1


class WaitStore:
    """Where threads wait: the ring's periods are nanoseconds off the CPU, its events WaitStates."""

    def __init__(self, table: StackTable) -> None:
        self.ring = SampleRing(table, max_samples=500_000)
        self.stats: WaitStats | None = None

    def clear(self) -> None:
        """Forget all: another recording begins."""
        self.ring.clear()
        self.stats = None


class ToolStore:
    """The newest reading of each tool."""

    def __init__(self) -> None:
        self._readings: dict[Tool, ToolReading] = {}

    def add(self, reading: ToolReading) -> None:
        """Keep a reading instead of the one before."""
        self._readings[reading.tool] = reading

    def reading(self, tool: Tool) -> ToolReading | None:
        """The newest one, or None where there is none yet."""
        return self._readings.get(tool)

    def clear(self, tool: Tool) -> None:
        """Forget it: another recording begins."""
        self._readings.pop(tool, None)


@dataclass(slots=True)
class _Versioned:
    revision: int = 0


@dataclass(slots=True)
class ClusterStore(_Versioned):
    """Newest status per node and newest /proc reading per label."""

    nodes: dict[str, NodeStatus] = field(default_factory=dict)
    fdatasyncs: dict[str, Cumulative] = field(default_factory=dict)
    """Calls per node over time."""
    usage: dict[str, ProcessUsage] = field(default_factory=dict)

    @property
    def leader(self) -> str | None:
        """Name of the live leader with the highest term, or None."""
        leaders = [
            n for n in self.nodes.values() if n.role is Role.LEADER and n.state is NodeState.UP
        ]
        return max(leaders, key=lambda n: n.term or 0).name if leaders else None


@dataclass(slots=True)
class MarkerStore(_Versioned):
    """The newest markers, oldest first."""

    items: deque[Marker] = field(default_factory=lambda: deque(maxlen=500))


@dataclass(slots=True)
class LogStore(_Versioned):
    """The newest log lines, oldest first."""

    items: deque[LogLine] = field(default_factory=lambda: deque(maxlen=2000))


class Store:
    """Everything the screen shows. ``apply`` takes one event; it is called in one thread only.

    ``points`` figures of each kind are kept. ``tap``, if there is one, is told each event first.
    """

    def __init__(self, info: RunInfo, ring: SampleRing, points: int = POINTS) -> None:
        self.info = info
        self.ring = ring
        ring.one_event()
        self.points = points
        self.tap: Emit | None = None
        self.counters = CounterStore(points)
        self.details = {by: CounterStore(points) for by in (CountedBy.THREAD, CountedBy.CORE)}
        """Counters of threads and cores, while somebody asked for them."""
        self.stress = StressStore(points)
        self.waits = WaitStore(ring.table)
        self.spied = SampleRing(ring.table, max_samples=500_000)
        """Samples of py-spy, which are not perf's and never counted with them."""
        self.tools = ToolStore()
        self.cluster = ClusterStore()
        self.markers = MarkerStore()
        self.logs = LogStore()
        self.collectors: dict[str, CollectorStatus] = {}
        self.pipeline: PipelineStats | None = None
        self.sample_rate = Series(points)
        """Samples a second between two PipelineStats."""
        self.own: OwnUsage | None = None
        self.targets: dict[str, Target] = {}
        self.revision = 0
        """Moves with collectors, pipeline, own and targets (the header's data)."""
        self._labels: dict[int, tuple[str, Role]] = {}
        self._gap = float("-inf")
        """When samples were missed for the last time."""
        self._elected: tuple[str, int | None] | None = None
        """The newest leader and its term, so that an election is marked once."""

    @property
    def table(self) -> StackTable:
        """The frames and stacks that the ring's samples point to."""
        return self.ring.table

    def apply(self, event: Event) -> None:
        """Keep one event in the store it belongs to."""
        if self.tap is not None:
            self.tap(event)
        match event:
            case SampleBatch():
                self._add_samples(self.ring, event.samples)
            case SpiedBatch():
                self._add_samples(self.spied, event.samples)
            case WaitBatch():
                self._add_samples(self.waits.ring, event.samples)
            case WaitStats():
                self.waits.stats = event
            case ToolReading():
                self.tools.add(event)
            case CounterReading():
                self.details.get(event.by, self.counters).add(event)
            case NodeStatus():
                self._add_status(event)
            case ProcessUsage():
                self.cluster.usage[event.label] = event
                self.cluster.revision += 1
            case StressStats():
                self.stress.add(event)
            case Marker():
                self._add_marker(event)
            case LogLine():
                self.logs.items.append(event)
                self.logs.revision += 1
            case PipelineStats():
                self._add_pipeline(event)
            case OwnUsage():
                self.own = event
                self.revision += 1
            case CollectorStatus():
                self.collectors[event.collector] = event
                self.revision += 1
            case TargetsChanged():
                self._set_targets(event.targets)

    def health(self, collector: str) -> CollectorStatus:
        """Newest status of a collector; STARTING where it has said nothing yet."""
        return self.collectors.get(
            collector, CollectorStatus(self.info.started, collector, Health.STARTING)
        )

    def wall(self, time: float) -> float:
        """Wall-clock seconds (Unix time) of a monotonic time."""
        return time + self.info.wall_offset

    def _add_samples(self, ring: SampleRing, samples: tuple[StackSample, ...]) -> None:
        for sample in samples:
            label, role = self._labels.get(sample.pid, (f"{sample.comm}({sample.pid})", Role.OTHER))
            ring.append(sample, label, role)

    def _add_marker(self, marker: Marker) -> None:
        if marker.kind is MarkerKind.GAP:
            self._gap = max(marker.time, self.sample_rate.last_time or marker.time)
            self.sample_rate.append(self._gap, None)
        self.markers.items.append(marker)
        self.markers.revision += 1

    def _add_status(self, status: NodeStatus) -> None:
        before = self.cluster.nodes.get(status.name)
        self.cluster.nodes[status.name] = status
        if status.fdatasyncs is not None:
            calls = self.cluster.fdatasyncs.setdefault(status.name, Cumulative(self.points))
            calls.add_total(status.time, status.fdatasyncs)
        self.cluster.revision += 1
        if status.pid is not None and (before is None or before.role is not status.role):
            self._labels[status.pid] = (status.name, status.role)
        leads = status.name, status.term
        if self.cluster.leader == status.name and leads != self._elected:
            self._elected = leads
            text = f"{status.name} is leader in term {status.term}"
            # A recording that began later tells the marker itself.
            if not any(text == marker.text for marker in self.markers.items):
                self._add_marker(Marker(status.time, MarkerKind.ELECTION, text, status.name))

    def _add_pipeline(self, stats: PipelineStats) -> None:
        before = self.pipeline
        began_anew = before is None or before.time <= self._gap or stats.samples < before.samples
        if before is not None and stats.time > before.time and not began_anew:
            rate = (stats.samples - before.samples) / (stats.time - before.time)
            self.sample_rate.append(stats.time, rate)
        known = before.events if before is not None else ()
        if stats.events and stats.events != known:
            self._follow_event(known, stats.events)
        self.pipeline = stats
        self.revision += 1

    def _follow_event(self, before: tuple[str, ...], events: tuple[str, ...]) -> None:
        """Something else is sampled than before: show the first of it, unless another of it was
        chosen."""
        ring = self.ring
        chosen = ring.event in events and before and ring.event != before[0]
        if len(ring.events) > 1 and not chosen:
            ring.show_event(events[0])

    def _set_targets(self, targets: tuple[Target, ...]) -> None:
        self.targets = {t.label: t for t in targets}
        for target in targets:
            known = self.cluster.nodes.get(target.label)
            role = known.role if known is not None and known.pid == target.pid else target.role
            self._labels[target.pid] = (target.label, role)
        self.revision += 1
