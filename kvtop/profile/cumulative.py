"""A running total over time, which tells how much of it came in any stretch that it covers."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from itertools import islice

_SLACK = 0.25
"""Two intervals that are apart by less than this share of their length touch each other."""


class Cumulative:
    """At most ``maxlen`` intervals in time order; what lies between two that do not touch, and
    before a counter that began anew, is unknown and not 0.

    Inside an interval the amount is taken to have come evenly.
    """

    __slots__ = ("_segments", "_times", "_totals", "amount")

    def __init__(self, maxlen: int = 2400) -> None:
        self._times: deque[float] = deque(maxlen=maxlen)
        self._totals: deque[float] = deque(maxlen=maxlen)
        self._segments: deque[int] = deque(maxlen=maxlen)
        self.amount = 0.0
        """All that was ever added."""

    def copy(self) -> Cumulative:
        """One with the same points, which goes its own way from now on."""
        other = Cumulative(self._times.maxlen or 0)
        other._times.extend(self._times)
        other._totals.extend(self._totals)
        other._segments.extend(self._segments)
        other.amount = self.amount
        return other

    def add(self, start: float, end: float, amount: float) -> None:
        """``amount`` came from ``start`` to ``end``; what is not newer than the newest is left."""
        if end <= start or (self._times and end <= self._times[-1]):
            return
        touches = self._times and abs(start - self._times[-1]) <= _SLACK * (end - start)
        if not touches:
            segment = self._segments[-1] + 1 if self._segments else 0
            first = max(start, self._times[-1]) if self._times else start
            self._put(first, self.amount, segment)
        self.amount += amount
        self._put(end, self.amount, self._segments[-1])

    def add_total(self, time: float, total: float) -> None:
        """A counter stood at ``total``; one that is lower than before began anew."""
        if self._times and time <= self._times[-1]:
            return
        anew = not self._totals or total < self._totals[-1]
        segment = (self._segments[-1] if self._segments else 0) + (anew and bool(self._segments))
        self.amount = total
        self._put(time, total, segment)

    def between(self, start: float, end: float) -> float | None:
        """How much came in this stretch; None where part of it is unknown."""
        one, two = self._at(start), self._at(end)
        if one is None or two is None or one[1] != two[1] or end <= start:
            return None
        return two[0] - one[0]

    def ends(self, start: float, end: float) -> list[float]:
        """The ends of intervals from ``start`` to ``end``, both included, in order."""
        first = bisect_left(self._times, start)
        return [time for time in islice(self._times, first, None) if time <= end]

    @property
    def last_time(self) -> float | None:
        """The end of the newest interval."""
        return self._times[-1] if self._times else None

    def _put(self, time: float, total: float, segment: int) -> None:
        self._times.append(time)
        self._totals.append(total)
        self._segments.append(segment)

    def _at(self, time: float) -> tuple[float, int] | None:
        """Total and segment at a moment."""
        after = bisect_left(self._times, time)
        if after == len(self._times):
            return None
        if self._times[after] == time:
            return self._totals[after], self._segments[after]
        if not after or self._segments[after] != self._segments[after - 1]:
            return None
        t0, t1 = self._times[after - 1], self._times[after]
        low, high = self._totals[after - 1], self._totals[after]
        return low + (high - low) * (time - t0) / (t1 - t0), self._segments[after]
