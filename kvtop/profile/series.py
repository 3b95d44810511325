"""A bounded series of (time, value) points, where a missing value is a gap and never 0."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from itertools import islice


class Series:
    """At most ``maxlen`` points in time order; the oldest are dropped first."""

    __slots__ = ("_times", "_values", "revision")

    def __init__(self, maxlen: int = 2400) -> None:
        self._times: deque[float] = deque(maxlen=maxlen)
        self._values: deque[float | None] = deque(maxlen=maxlen)
        self.revision = 0

    def __len__(self) -> int:
        return len(self._times)

    def copy(self) -> Series:
        """A series with the same points, which goes its own way from now on."""
        other = Series(self._times.maxlen or 0)
        other._times.extend(self._times)
        other._values.extend(self._values)
        other.revision = self.revision
        return other

    def append(self, time: float, value: float | None) -> None:
        """Add a point; one that is older than the newest is refused (ValueError)."""
        if self._times and time < self._times[-1]:
            raise ValueError(f"point at {time} is older than the newest at {self._times[-1]}")
        self._times.append(time)
        self._values.append(value)
        self.revision += 1

    @property
    def last(self) -> float | None:
        """The newest value, ``None`` for a gap or an empty series."""
        return self._values[-1] if self._values else None

    @property
    def last_time(self) -> float | None:
        """The newest point's time, seconds."""
        return self._times[-1] if self._times else None

    def since(self, start: float) -> list[tuple[float, float | None]]:
        """Points at or after ``start``, oldest first."""
        first = bisect_left(self._times, start)
        return list(
            zip(islice(self._times, first, None), islice(self._values, first, None), strict=True)
        )
