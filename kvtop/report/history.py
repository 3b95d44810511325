"""What a recording tells over time, of which the store keeps the newest alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from kvtop.events import (
    CollectorStatus,
    CountedBy,
    CounterReading,
    Event,
    Health,
    NodeState,
    NodeStatus,
    OwnUsage,
    PipelineStats,
    ProcessUsage,
    Role,
    StressStats,
    Target,
    TargetsChanged,
)

AROUND = 5.0
"""Seconds before and after an event that are compared."""


@dataclass(frozen=True, slots=True)
class Load:
    """The clients' figures over a stretch; latencies are those of its intervals, seconds.

    Percentiles of intervals cannot be merged: ``p99`` is the median of theirs.
    """

    seconds: float
    operations: int
    errors: int
    reads: int
    writes: int
    slowest: float
    """Operations a second of the worst interval."""
    fastest: float
    p50: float | None
    p99: float | None
    p999: float | None
    worst_p99: float | None
    worst_at: float | None
    """The end of the interval that had it, monotonic."""

    @property
    def rate(self) -> float:
        """Acknowledged operations a second."""
        return self.operations / self.seconds if self.seconds else 0.0


def load_of(intervals: Iterable[StressStats]) -> Load | None:
    """The figures of these intervals; None of none."""
    stats = [one for one in intervals if one.interval > 0]
    if not stats:
        return None
    rates = [one.rate for one in stats]
    worst = max(
        (one for one in stats if one.p99 is not None), key=lambda one: one.p99 or 0.0, default=None
    )
    return Load(
        sum(one.interval for one in stats),
        sum(one.operations for one in stats),
        sum(one.errors for one in stats),
        sum(one.reads for one in stats),
        sum(one.writes for one in stats),
        min(rates),
        max(rates),
        middle(one.p50 for one in stats),
        middle(one.p99 for one in stats),
        middle(one.p999 for one in stats),
        worst.p99 if worst is not None else None,
        worst.time if worst is not None else None,
    )


def middle(values: Iterable[float | None]) -> float | None:
    """The median of what was measured; None of nothing."""
    known = [value for value in values if value is not None]
    return median(known) if known else None


@dataclass(slots=True)
class Stream:
    """perf's sample streams together; a stream that was started anew counts from 0 again."""

    samples: int = 0
    lost: int = 0
    broken: int = 0
    unresolved: int = 0
    throttled: int = 0
    streams: int = 0


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a collector did not do its work; ``whole`` where it never did."""

    collector: str
    reason: str
    start: float
    end: float
    whole: bool


@dataclass(slots=True)
class History:
    """Filled by ``add``, event by event."""

    stress: list[StressStats] = field(default_factory=list)
    statuses: dict[str, list[NodeStatus]] = field(default_factory=dict)
    usage: dict[str, list[ProcessUsage]] = field(default_factory=dict)
    counters: dict[tuple[str, str], list[CounterReading]] = field(default_factory=dict)
    """By label and event."""
    targets: dict[tuple[str, int], Target] = field(default_factory=dict)
    """Every process that ever was one, as it was last told of."""
    pipelines: list[PipelineStats] = field(default_factory=list)
    """The last word of each stream."""
    health: dict[str, list[CollectorStatus]] = field(default_factory=dict)
    """What each collector said of its work."""
    own: list[OwnUsage] = field(default_factory=list)

    def add(self, event: Event) -> None:
        """Keep what this event says."""
        match event:
            case StressStats():
                if not self.stress or event.time >= self.stress[-1].time:
                    self.stress.append(event)
            case NodeStatus():
                self.statuses.setdefault(event.name, []).append(event)
            case ProcessUsage():
                self.usage.setdefault(event.label, []).append(event)
            case CounterReading():
                if event.by is CountedBy.TARGET:
                    self.counters.setdefault((event.label, event.event), []).append(event)
            case TargetsChanged():
                for target in event.targets:
                    self.targets[target.label, target.pid] = target
            case PipelineStats():
                if self.pipelines and event.samples >= self.pipelines[-1].samples:
                    self.pipelines.pop()
                self.pipelines.append(event)
            case CollectorStatus():
                self.health.setdefault(event.collector, []).append(event)
            case OwnUsage():
                self.own.append(event)

    @property
    def nodes(self) -> list[str]:
        """Names of the nodes that told their status, in order."""
        return sorted(self.statuses)

    @property
    def serving(self) -> list[str]:
        """Labels of the targets that are no clients, in order."""
        labels = {label for (label, _), t in self.targets.items() if t.role is not Role.CLIENT}
        return sorted(labels | set(self.statuses))

    @property
    def stream(self) -> Stream:
        """All streams together."""
        told = self.pipelines
        return Stream(
            sum(one.samples for one in told),
            sum(one.lost for one in told),
            sum(one.broken for one in told),
            sum(one.unresolved for one in told),
            sum(one.throttled for one in told),
            len(told),
        )

    def load(self, start: float | None = None, end: float | None = None) -> Load | None:
        """The clients' figures of the intervals that lie wholly in this stretch."""
        return load_of(
            one
            for one in self.stress
            if (start is None or one.time - one.interval >= start)
            and (end is None or one.time <= end)
        )

    def cpu_seconds(self, label: str) -> float:
        """CPU time of a target between its first and its last reading of /proc."""
        return sum(share * length for _, share, length in self._cpu(label))

    def cpu_span(self) -> float:
        """Seconds from the first reading of /proc of anybody to the last."""
        times = [one.time for readings in self.usage.values() for one in readings]
        return max(times) - min(times) if times else 0.0

    def cores(self, label: str) -> float | None:
        """CPU seconds a second; None where /proc was not read twice."""
        whole = self.cpu_span()
        known = label in self.usage and any(True for _ in self._cpu(label))
        return self.cpu_seconds(label) / whole if whole > 0 and known else None

    def busiest(self, label: str) -> float | None:
        """The most CPU seconds a second between two readings."""
        return max((share for _, share, _ in self._cpu(label)), default=None)

    def _cpu(self, label: str) -> Iterator[tuple[float, float, float]]:
        """Time, CPU seconds a second and length of every stretch between two readings."""
        for before, after in pairwise(self.usage.get(label, ())):
            length = after.time - before.time
            if after.cpu_percent is not None and length > 0 and before.pid == after.pid:
                yield after.time, after.cpu_percent / 100, length

    def cpu_points(self, label: str) -> list[tuple[float, float | None]]:
        """CPU seconds a second over time; a gap where the process is another one."""
        return [
            (one.time, None if one.cpu_percent is None else one.cpu_percent / 100)
            for one in self.usage.get(label, ())
        ]

    def role_shares(self, node: str) -> dict[Role, float]:
        """Part of the time (0..1) in which a node that was up had each role."""
        found: dict[Role, float] = {}
        for before, after in pairwise(self.statuses.get(node, ())):
            if before.state is NodeState.UP:
                found[before.role] = found.get(before.role, 0.0) + after.time - before.time
        whole = self._watched(node)
        return {role: length / whole for role, length in found.items()} if whole > 0 else {}

    def down(self, node: str) -> float:
        """Seconds in which its process was not there or stood still, as far as it is known."""
        return sum(
            after.time - before.time
            for before, after in pairwise(self.statuses.get(node, ()))
            if before.state not in (NodeState.UP, NodeState.STARTING)
        )

    def _watched(self, node: str) -> float:
        told = self.statuses.get(node, ())
        return told[-1].time - told[0].time if told else 0.0

    def pids(self, label: str) -> list[int]:
        """Its processes in the order in which they came."""
        seen = [one.pid for one in self.statuses.get(label, ()) if one.pid is not None]
        seen += [pid for name, pid in self.targets if name == label]
        return list(dict.fromkeys(seen))

    def counted(self, label: str, event: str) -> float | None:
        """Mean rate per second of a counter; None where it was not counted."""
        known = [
            one
            for one in self.counters.get((label, event), ())
            if one.value is not None and one.interval > 0
        ]
        seconds = sum(one.interval for one in known)
        return sum(one.value or 0.0 for one in known) / seconds if seconds else None

    def troubles(self, end: float) -> list[Trouble]:
        """What collectors could not do, and from when to when; ``end`` is that of the recording."""
        found: dict[tuple[str, str], Trouble] = {}
        for name, told in sorted(self.health.items()):
            for at, one in enumerate(told):
                if one.health not in (Health.DEGRADED, Health.UNAVAILABLE) or not one.reason:
                    continue
                last = at + 1 == len(told)
                until = end if last else told[at + 1].time
                before = found.get((name, one.reason))
                start = one.time if before is None else before.start
                whole = last and all(other.health is not Health.OK for other in told)
                found[name, one.reason] = Trouble(name, one.reason, start, until, whole)
        return list(found.values())

    def amount(self, label: str, event: str) -> float | None:
        """All that a counter counted; None where it was not counted."""
        readings = self.counters.get((label, event), ())
        known = [one.value for one in readings if one.value is not None]
        return sum(known) if known else None

    @property
    def counter_events(self) -> list[str]:
        """Events in order of appearance."""
        return list(dict.fromkeys(event for _, event in self.counters))

    def unsupported(self) -> list[str]:
        """Events that this machine never counted for anybody."""
        return [
            event
            for event in self.counter_events
            if not any(
                one.supported
                for (_, name), readings in self.counters.items()
                if name == event
                for one in readings
            )
        ]
