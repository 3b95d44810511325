"""What happened lately, held in memory for a recording that is begun afterwards.

Samples are in the store's rings already, logs and markers in its lists; this holds the rest for
as long as the rings, and of what is older the newest of each kind that still says how things
stand.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from heapq import merge
from itertools import chain
from math import inf
from typing import Any

from kvtop.events import (
    CollectorStatus,
    Event,
    LogLine,
    Marker,
    NodeStatus,
    PipelineStats,
    SampleBatch,
    SpiedBatch,
    StackSample,
    Target,
    TargetsChanged,
    WaitBatch,
    WaitStats,
)
from kvtop.profile.ring import Filter, SampleRing
from kvtop.store import Store
from kvtop.tool_events import ToolReading

MOST = 60_000
"""Events held; 600 s of a hundred a second."""
BATCH_SECONDS = 1.0
_BATCH = 2000
"""Samples in one piece at most."""
_ELSEWHERE = SampleBatch | SpiedBatch | WaitBatch | LogLine | Marker
_Kind = type[SampleBatch] | type[SpiedBatch] | type[WaitBatch]


class History:
    """Give it every event; ``events`` tells the past of a store again."""

    def __init__(self, seconds: float, most: int = MOST) -> None:
        self._seconds = seconds
        self._most = most
        self._events: deque[Any] = deque()
        self._before: dict[object, Any] = {}
        """What stood when the oldest event came, by what it is about."""
        self._tools: dict[object, ToolReading] = {}
        """Only the newest: one may have hundreds of rows."""

    def add(self, event: Event) -> None:
        """Keep an event that is not kept elsewhere."""
        if isinstance(event, _ELSEWHERE):
            return
        if isinstance(event, ToolReading):
            self._tools[event.tool] = event
            return
        events = self._events
        events.append(event)
        while len(events) > self._most or events[0].time < event.time - self._seconds:
            old = events.popleft()
            if (about := _about(old)) is not None:
                self._before[about] = old

    def events(self, store: Store) -> Iterator[Event]:
        """All that is held of the store's run at this moment, in the order of its time."""
        rings: list[tuple[_Kind, SampleRing]] = [
            (SampleBatch, store.ring.copy()),
            (SpiedBatch, store.spied.copy()),
            (WaitBatch, store.waits.ring.copy()),
        ]
        begun = [self._events[0].time] if self._events else []
        begun += [ring.first_time for _, ring in rings if ring.first_time is not None]
        start = min(begun, default=store.info.started)
        before = [replace(e, time=max(e.time, start)) for e in self._before.values()]
        # A marker goes before the status that it was made of, so that it is not made again.
        happened = merge(
            _by_time([m for m in store.markers.items if m.time >= start]),
            _by_time([line for line in store.logs.items if line.time >= start]),
            _by_time(list(self._events)),
            key=lambda timed: timed[0],
        )
        if before and (gone := _owners(rings)):
            before.insert(0, TargetsChanged(start, gone))
        return chain(before, _with_samples(happened, rings, start), list(self._tools.values()))


def _owners(rings: list[tuple[_Kind, SampleRing]]) -> tuple[Target, ...]:
    """Whose samples they are, also of those that have gone."""
    owners = {
        origin.pid: Target(origin.label, origin.pid, origin.role)
        for _, ring in rings
        for origin in ring.origins
        if origin.label != f"{origin.comm}({origin.pid})"
    }
    return tuple(owners.values())


def _with_samples(
    happened: Iterable[tuple[float, Event]], rings: list[tuple[_Kind, SampleRing]], start: float
) -> Iterator[Event]:
    """The events, and before those that matter to them the samples of the time before."""
    sources = [_Samples(kind, ring) for kind, ring in rings]
    roles: dict[str, tuple[object, object]] = {}
    last = start
    for time, event in happened:
        if _relabels(event, roles) or time - last >= BATCH_SECONDS:
            last = time
            yield from (batch for source in sources for batch in source.until(time))
        yield event
    yield from (batch for source in sources for batch in source.until(inf))


class _Samples:
    """The samples of one ring, in pieces."""

    def __init__(self, kind: _Kind, ring: SampleRing) -> None:
        self._kind = kind
        every = Filter(events=frozenset(ring.events))
        self._rest = (sample for sample, _, _ in ring.iter_samples(every))
        self._next: StackSample | None = next(self._rest, None)

    def until(self, time: float) -> Iterator[Event]:
        """Those before a time that were not told yet."""
        taken = []
        while self._next is not None and self._next.time < time:
            taken.append(self._next)
            self._next = next(self._rest, None)
            if len(taken) == _BATCH:
                yield self._kind(tuple(taken))
                taken = []
        if taken:
            yield self._kind(tuple(taken))


def _by_time(events: list[Any]) -> list[tuple[float, Any]]:
    """Each with the newest time so far: what came late stays where it came."""
    newest = -inf
    timed = []
    for event in events:
        newest = max(newest, event.time)
        timed.append((newest, event))
    return timed


def _about(event: Event) -> object:
    """What an event tells the state of; None where it tells a figure of its moment."""
    match event:
        case NodeStatus():
            return NodeStatus, event.name
        case CollectorStatus():
            return CollectorStatus, event.collector
        case TargetsChanged() | PipelineStats() | WaitStats():
            return type(event)
        case _:
            return None


def _relabels(event: Event, roles: dict[str, tuple[object, object]]) -> bool:
    """Whether samples from here on belong to somebody else."""
    if isinstance(event, NodeStatus):
        before, roles[event.name] = roles.get(event.name), (event.pid, event.role)
        return before != roles[event.name]
    return isinstance(event, TargetsChanged)
