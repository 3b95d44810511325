"""The curves beside the heatmap: throughput, tail latency, counters, sample rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kvtop.profile.heat import Axis
from kvtop.profile.series import Series
from kvtop.store import Store
from kvtop.widgets.chart import Points
from kvtop.widgets.figures import count, duration, percent

_MARGIN = 5.0
"""Seconds beside the view whose points are taken, so that curves reach its edges."""


@dataclass(frozen=True, slots=True)
class Track:
    """A curve: its name, its figures as text, its points, and the name of its colour."""

    name: str
    unit: Callable[[float | None], str]
    points: Points
    style: str


def between(series: Series, start: float, end: float) -> Points:
    """Points of a series from ``start`` to ``end``."""
    return [point for point in series.since(start) if point[0] <= end]


def during(points: Points, start: float, end: float, interval: float) -> list[float]:
    """Figures of the intervals that have a part in [start, end); a point ends its interval."""
    return [v for time, v in points if v is not None and time > start and time - interval < end]


def counter_events(store: Store, label: str | None) -> list[str]:
    """Events that have been counted for the target, or for any."""
    labels = store.counters.labels if label is None else [label]
    return [
        event
        for event in store.counters.events
        if any(
            (last := store.counters.last(one, event)) is not None and last.supported
            for one in labels
        )
    ]


def counter_track(
    store: Store, event: str, label: str | None, axis: Axis, start: float, end: float
) -> Track:
    """The rate of an event, summed over all targets or of one alone."""
    readings: list[tuple[float, Points]] = []
    for one in store.counters.labels if label is None else [label]:
        series, last = store.counters.series(one, event), store.counters.last(one, event)
        if series is not None and last is not None:
            points = between(series, start - _MARGIN, end + _MARGIN)
            readings.append((last.interval, points))
    points = _summed(readings, axis, start, end)
    if event == "task-clock":
        # Milliseconds of CPU a second: 1000 are one core.
        return Track("CPU", _cores, points, "third")
    return Track(f"{event}/s", count, points, "third")


def _summed(readings: list[tuple[float, Points]], axis: Axis, start: float, end: float) -> Points:
    """Sum of several targets' rates at the middle of each column, as far as all have come in."""
    readings = [(interval, points) for interval, points in readings if points]
    if not readings:
        return []
    newest = max(points[-1][0] for _, points in readings)
    # Readings of one round come a little apart; a target that is silent for longer has ended.
    known = min(p[-1][0] for interval, p in readings if p[-1][0] > newest - 2 * interval)
    found: list[tuple[float, float | None]] = []
    rest = [(interval, iter(points)) for interval, points in readings]
    heads = [next(points) for _, points in rest]
    for column in range(axis.column(start), axis.column(end) + 1):
        middle = axis.start(column) + axis.step / 2
        if middle > known:
            break
        rates: list[float] = []
        for at, (interval, points) in enumerate(rest):
            while heads[at][0] < middle and (after := next(points, None)) is not None:
                heads[at] = after
            time, value = heads[at]
            # A reading speaks of the interval before it, which timers make a little longer.
            if middle <= time <= middle + 1.5 * interval and value is not None:
                rates.append(value)
        found.append((middle, sum(rates) if rates else None))
    return found


def _cores(value: float | None) -> str:
    return f"{percent(None if value is None else value / 10, 0)}%"


def tracks(
    store: Store, first_event: int, label: str | None, axis: Axis, start: float, end: float
) -> list[Track]:
    """The curves that there are, the most wanted first; counters from ``first_event`` on."""
    found: list[Track] = []
    low, high = start - _MARGIN, end + _MARGIN
    if store.stress.last is not None:
        found.append(Track("ops/s", count, between(store.stress.rate, low, high), "first"))
        found.append(Track("p99", duration, between(store.stress.p99, low, high), "second"))
    events = counter_events(store, label)
    at = first_event % max(1, len(events))
    turned = events[at:] + events[:at]
    found += [counter_track(store, e, label, axis, start, end) for e in turned[:1]]
    found.append(Track("samples/s", count, between(store.sample_rate, low, high), "accent"))
    found += [counter_track(store, e, label, axis, start, end) for e in turned[1:3]]
    return found
