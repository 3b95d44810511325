"""Self and total weight per function of a moving window, kept up to date by differences.

Same figures as ``profile.hotspots.hotspots`` on the same fold; a refresh costs what changed.
"""

from __future__ import annotations

from collections.abc import Mapping

from kvtop.profile.frames import Kind
from kvtop.profile.hotspots import Hotspot
from kvtop.profile.stacks import StackTable


class HotCounts:
    """Weights per frame id; with ``fold_glue`` the interpreter's calls count for their caller."""

    def __init__(self, table: StackTable, fold_glue: bool) -> None:
        self.table = table
        self.fold_glue = fold_glue
        self.weight = 0
        self._fold: dict[int, int] = {}
        self._frames: dict[int, tuple[int, tuple[int, ...]]] = {}
        self._own: dict[int, int] = {}
        self._total: dict[int, int] = {}
        self._spots: dict[int, Hotspot] = {}

    def update(self, counts: Mapping[int, int]) -> list[Hotspot]:
        """Make the weights those of this fold (stack id -> weight); hottest own weight first."""
        before = self._fold
        for stack, weight in counts.items():
            if (change := weight - before.get(stack, 0)) != 0:
                self._add(stack, change)
        for stack in [s for s in before if s not in counts]:
            self._add(stack, -before[stack])
            del self._frames[stack]
        self._fold = dict(counts)
        spots = self._spots
        for frame, total in self._total.items():
            own = self._own.get(frame, 0)
            spot = spots.get(frame)
            if spot is None:
                spots[frame] = Hotspot(frame, self.table.frame(frame), own, total)
            elif spot.total != total or spot.self_weight != own:
                spots[frame] = Hotspot(frame, spot.frame, own, total)
        return sorted(spots.values(), key=lambda h: (-h.self_weight, -h.total, h.frame.symbol))

    def _add(self, stack: int, change: int) -> None:
        known = self._frames.get(stack)
        if known is None:
            known = self._frames[stack] = self._path(stack)
        leaf, frames = known
        self.weight += change
        if leaf >= 0:
            self._own[leaf] = self._own.get(leaf, 0) + change
        for frame in frames:
            total = self._total.get(frame, 0) + change
            if total:
                self._total[frame] = total
            else:
                del self._total[frame]
                self._own.pop(frame, None)
                self._spots.pop(frame, None)

    def _path(self, stack: int) -> tuple[int, tuple[int, ...]]:
        """The frame that ran, -1 for an empty stack, and all frames once."""
        frames = self.table.frames(stack)
        if self.fold_glue:
            frame = self.table.frame
            frames = tuple(f for f in frames if frame(f).kind is not Kind.GLUE) or frames
        # A tuple: a set of 50 takes nine times the memory.
        return (frames[-1] if frames else -1), tuple(set(frames))
