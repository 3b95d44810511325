"""Cuts a stretch of time into the blocks that are a run's repeated units."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from kvtop.compare.model import Block
from kvtop.events import StackSample

CLOCKS = ("cpu-clock", "task-clock")
"""Events whose periods are nanoseconds of CPU time."""
SHORTEST = 2.0
"""Seconds: figures come once a second, and neighbours are alike."""
MOST = 20
"""Blocks of one run: more would be no more independent (Schmeiser finds 10 to 30 enough)."""


@dataclass(frozen=True, slots=True)
class Edges:
    """``times`` are where blocks begin and end, monotonic seconds."""

    times: tuple[float, ...]

    @classmethod
    def of(cls, start: float, end: float) -> Edges:
        """Equal blocks from ``start`` to ``end``; one where that is too short for two."""
        count = max(min(int((end - start) / SHORTEST), MOST), 1)
        length = (end - start) / count
        return cls((*(start + length * n for n in range(count)), end))

    def blocks(self) -> list[Block]:
        """Empty ones."""
        return [Block(b - a) for a, b in self.pairs()]

    def pairs(self) -> list[tuple[float, float]]:
        """Begin and end of each."""
        return list(zip(self.times, self.times[1:], strict=False))

    def index(self, time: float) -> int | None:
        """The block that a moment falls into; the last moment belongs to the last block."""
        if not self.times[0] <= time <= self.times[-1]:
            return None
        return min(bisect_right(self.times, time), len(self.times) - 1) - 1


def add_samples(blocks: list[Block], edges: Edges, samples: Iterable[StackSample]) -> None:
    """Count samples where they fall."""
    for sample in samples:
        at = edges.index(sample.time)
        if at is not None:
            counts = blocks[at].counts
            counts[sample.stack] = counts.get(sample.stack, 0) + 1
