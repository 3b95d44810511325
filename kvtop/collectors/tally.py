"""Sums over the last seconds: counts and durations by key."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from kvtop.tool_events import Latency

Key = TypeVar("Key", bound=Hashable)
SLICES = 10
"""How many turns, a second apart, the sums are over."""


@dataclass(slots=True)
class Sum:
    """What happened under one key; nanoseconds. ``marks`` counts what else a tool counts."""

    count: int = 0
    timed: int = 0
    total: int = 0
    longest: int = 0
    size: int = 0
    marks: dict[int, int] = field(default_factory=dict)

    def add(self, duration: int | None) -> None:
        """One more, that took so long, None where that is not known."""
        self.count += 1
        if duration is not None:
            self.timed += 1
            self.total += duration
            if duration > self.longest:
                self.longest = duration

    def mark(self, what: int) -> None:
        """Count one of these."""
        self.marks[what] = self.marks.get(what, 0) + 1

    def merge(self, other: Sum) -> None:
        """Add another one's figures."""
        self.count += other.count
        self.timed += other.timed
        self.total += other.total
        self.longest = max(self.longest, other.longest)
        self.size += other.size
        for what, count in other.marks.items():
            self.marks[what] = self.marks.get(what, 0) + count

    @property
    def latency(self) -> Latency:
        """The durations, in seconds."""
        longest = self.longest / 1e9 if self.timed else None
        return Latency(self.count, self.timed, self.total / 1e9, longest)


class Tally(Generic[Key]):
    """Sums by key over the last `SLICES` turns."""

    def __init__(self) -> None:
        self._now: dict[Key, Sum] = {}
        self._slices: deque[tuple[float, float, dict[Key, Sum]]] = deque(maxlen=SLICES)

    def __len__(self) -> int:
        """Keys of this turn."""
        return len(self._now)

    def at(self, key: Key) -> Sum:
        """The sum of this turn to add to."""
        found = self._now.get(key)
        if found is None:
            found = self._now[key] = Sum()
        return found

    def turn(self, recorded: float, passed: float) -> None:
        """A turn of so many seconds, of which so many were recorded, is over."""
        self._slices.append((recorded, passed, self._now))
        self._now = {}

    @property
    def recorded(self) -> float:
        """Seconds recorded in the turns that are over."""
        return sum(recorded for recorded, _, _ in self._slices)

    @property
    def share(self) -> float:
        """The part of their time that was recorded, 0..1."""
        passed = sum(passed for _, passed, _ in self._slices)
        return min(1.0, self.recorded / passed) if passed > 0 else 1.0

    def sums(self) -> dict[Key, Sum]:
        """All sums of the turns that are over."""
        merged: dict[Key, Sum] = {}
        for _, _, sums in self._slices:
            for key, one in sums.items():
                if key not in merged:
                    merged[key] = Sum()
                merged[key].merge(one)
        return merged
