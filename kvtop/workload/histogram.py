"""A mergeable histogram of durations with logarithmic buckets.

Bucket ``b`` covers [GROWTH**b, GROWTH**(b+1)) nanoseconds and stands for its geometric middle,
so a reported value is off by at most 1.5 % (the idea of DDSketch, Masson et al., 2019).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from math import ceil, exp, log, sqrt

GROWTH = 1.03
_LOG = log(GROWTH)
_PER_LOG = 1.0 / _LOG
_MIDDLE = sqrt(GROWTH) * 1e-9


class Histogram:
    """Counts per bucket, and the exact count, sum and maximum. Durations are seconds."""

    __slots__ = ("buckets", "count", "maximum", "total")

    def __init__(self) -> None:
        self.buckets: dict[int, int] = {}
        self.count = 0
        self.total = 0.0
        self.maximum = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration; what is below 1 ns counts as 1 ns."""
        bucket = int(log(seconds * 1e9) * _PER_LOG) if seconds > 1e-9 else 0
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.count += 1
        self.total += seconds
        if seconds > self.maximum:
            self.maximum = seconds

    def merge(self, other: Histogram) -> None:
        """Add the counts of another histogram."""
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count
        self.count += other.count
        self.total += other.total
        self.maximum = max(self.maximum, other.maximum)

    def quantile(self, share: float) -> float | None:
        """The smallest bucket value that ``share`` (0..1) of the durations do not exceed."""
        if not self.count:
            return None
        rank = max(1, ceil(share * self.count))
        seen = 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= rank:
                return min(_MIDDLE * exp(bucket * _LOG), self.maximum)
        return self.maximum

    def by_powers(self) -> dict[int, int]:
        """Counts by N where the duration was 2**N to 2**(N+1) microseconds, 0 also for less.

        A bucket of this histogram goes where its middle is.
        """
        powers: dict[int, int] = {}
        for bucket, count in self.buckets.items():
            power = max(0, int(_MIDDLE * 1e6 * exp(bucket * _LOG)).bit_length() - 1)
            powers[power] = powers.get(power, 0) + count
        return powers

    def to_json(self) -> dict[str, object]:
        """A JSON object: sparse buckets, sum and maximum in seconds."""
        buckets = {str(bucket): count for bucket, count in self.buckets.items()}
        return {"buckets": buckets, "total": self.total, "maximum": self.maximum}

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Histogram:
        """The inverse of ``to_json``; ValueError on anything else."""
        result = cls()
        buckets, total, maximum = data.get("buckets"), data.get("total"), data.get("maximum")
        if not isinstance(buckets, dict):
            raise ValueError("a histogram needs an object of buckets")
        if not isinstance(total, int | float) or not isinstance(maximum, int | float):
            raise ValueError("a histogram needs a total and a maximum")
        result.buckets = {int(bucket): int(count) for bucket, count in buckets.items()}
        if min(result.buckets.values(), default=1) < 1:
            raise ValueError("a bucket of a histogram counts 1 or more")
        result.count = sum(result.buckets.values())
        result.total, result.maximum = float(total), float(maximum)
        return result


class RecentTimes:
    """Durations of the last 5 to 10 seconds, in two histograms that take turns."""

    def __init__(self, span: float = 5.0) -> None:
        self._span = span
        self._current = Histogram()
        self._previous = Histogram()
        self._since = time.monotonic()

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self._turn()
        self._current.add(seconds)

    def merged(self) -> Histogram:
        """Both histograms in one."""
        self._turn()
        result = Histogram()
        result.merge(self._previous)
        result.merge(self._current)
        return result

    def _turn(self) -> None:
        now = time.monotonic()
        if now - self._since >= self._span:
            stale = now - self._since >= 2 * self._span
            self._previous = Histogram() if stale else self._current
            self._current = Histogram()
            self._since = now
