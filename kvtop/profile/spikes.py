"""Spikes of a series of interval figures: which stretch of time each one spans, worst first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Points = Sequence[tuple[float, float | None]]
"""(end of the interval, its figure), oldest first; None where nothing was measured."""


@dataclass(frozen=True, slots=True)
class Spike:
    """The time from ``start`` to ``end`` in which the figure was high, and its peak."""

    start: float
    end: float
    peak: float


def spikes(points: Points, interval: float, latency: bool = False) -> list[Spike]:
    """The spikes of a series, the highest first; none where all values are equal.

    A spike is a run of neighbouring intervals of which none is below the middle between the
    series' median and the peak. Every point speaks of the ``interval`` seconds before its time.
    With ``latency`` the values are seconds that operations took which ended in the interval, so
    the slowest of them began that much earlier, and so does the spike.
    """
    known = [(at, value) for at, (_, value) in enumerate(points) if value is not None]
    if not known:
        return []
    ordered = sorted(value for _, value in known)
    usual = ordered[len(ordered) // 2]
    found: list[Spike] = []
    taken: set[int] = set()
    for at, peak in sorted(known, key=lambda pair: (-pair[1], pair[0])):
        if peak <= usual or at in taken:
            continue
        least = (usual + peak) / 2
        first = last = at
        while first > 0 and _reaches(points[first - 1][1], least):
            first -= 1
        while last + 1 < len(points) and _reaches(points[last + 1][1], least):
            last += 1
        if not taken.isdisjoint(range(first, last + 1)):
            continue  # the slope of a higher one
        taken.update(range(first, last + 1))
        start = points[first][0] - interval
        if latency:
            started = [
                time - interval - value
                for time, value in points[first : last + 1]
                if value is not None
            ]
            start = min(start, *started)
        found.append(Spike(start, points[last][0], peak))
    return found


def _reaches(value: float | None, least: float) -> bool:
    return value is not None and value >= least
