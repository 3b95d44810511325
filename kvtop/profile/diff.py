"""What changed between two folds, and whether it can be told from noise.

A profile counts samples, so even two runs of the same program differ. A change is called
significant when the two-proportion z test (pooled variance, two-sided) puts it outside the
noise band: |z| above `Z_95` by default, which one function in twenty exceeds by mere chance.
Folds must therefore be in samples, not in periods.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Literal

from kvtop.profile.frames import Frame
from kvtop.profile.hotspots import hotspots
from kvtop.profile.stacks import StackTable
from kvtop.profile.tree import CallTree

Z_95 = 1.96
Z_99 = 2.576
BAND = Z_99
"""Standard errors outside of which a change is called significant: one box in a hundred by chance.

The table and the graph show hundreds of functions at once, so one in twenty would be too many.
"""
Counts = Mapping[int, int]
Normalise = Literal["share", "time"]
"""``share``: each side as a part of its own whole ("which part of the CPU time").
``time``: each side per second that it covers ("how much CPU time"), so that a program that now
does the same in less time shows less of everything."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: its fold, in samples, and the seconds that it covers."""

    counts: Counts
    seconds: float

    @property
    def weight(self) -> int:
        """Samples of the whole side."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Change:
    """A figure before and after, in samples and in the unit of the normalisation.

    ``before_rate`` and ``after_rate`` are shares (0..1) or samples per second. ``z`` is the
    change in standard errors, 0 where nothing can be said.
    """

    before: int
    after: int
    before_rate: float
    after_rate: float
    z: float

    @property
    def delta(self) -> float:
        """After minus before, in the unit of the normalisation."""
        return self.after_rate - self.before_rate

    def significant(self, band: float = Z_95) -> bool:
        """Whether the change lies outside the noise band of ``band`` standard errors."""
        return abs(self.z) > band


@dataclass(frozen=True, slots=True)
class SymbolChange:
    """One function's change of self and of total weight."""

    frame: Frame
    own: Change
    total: Change


def change(before: int, after: int, one: Side, two: Side, normalise: Normalise = "share") -> Change:
    """Compare ``before`` samples of side ``one`` with ``after`` samples of side ``two``."""
    return Scale(one, two, normalise).change(before, after)


def strength(change: Change, band: float = BAND) -> int:
    """How a box is coloured: 0 where it may be noise, else 1 to 3, below 0 where it shrank.

    2 from a quarter more (or a fifth less) on, 3 from twice (or half) on. Without a ``band``
    (0: the weights are no counts) every change is coloured.
    """
    if not (change.significant(band) if band else change.delta):
        return 0
    small, great = sorted((change.before_rate, change.after_rate))
    ratio = great / small if small > 0 else 2.0
    step = 3 if ratio >= 2 else 2 if ratio >= 1.25 else 1
    return step if change.delta > 0 else -step


def diff_symbols(
    table: StackTable,
    one: Side,
    two: Side,
    normalise: Normalise = "share",
    fold_glue: bool = False,
) -> list[SymbolChange]:
    """Every function of either side, the one with the greatest change of self weight first.

    With ``fold_glue`` the interpreter's calling machinery counts for its caller.
    """
    scale = Scale(one, two, normalise)
    before = {h.frame_id: h for h in hotspots(table, one.counts, fold_glue)}
    after = {h.frame_id: h for h in hotspots(table, two.counts, fold_glue)}
    rows = []
    for frame_id in before.keys() | after.keys():
        left, right = before.get(frame_id), after.get(frame_id)
        own = scale.change(left.self_weight if left else 0, right.self_weight if right else 0)
        total = scale.change(left.total if left else 0, right.total if right else 0)
        rows.append(SymbolChange(table.frame(frame_id), own, total))
    rows.sort(
        key=lambda r: (-abs(r.own.delta), -abs(r.total.delta), r.frame.symbol, r.frame.object)
    )
    return rows


class DiffTree:
    """The call tree of the later side (``after``), each node with its change.

    Paths that only the earlier side has are in the tree with weight 0 after; `after.total` is
    what a flamegraph draws, `change` what colours it.
    """

    def __init__(
        self, tree: CallTree, one: Side, two: Side, normalise: Normalise = "share"
    ) -> None:
        """``tree`` is an empty tree with the options wanted; it is filled here."""
        self.after = tree
        self.update(one, two, normalise)

    def update(self, one: Side, two: Side, normalise: Normalise = "share") -> None:
        """Compare other sides; paths that stay keep their node ids until the tree's epoch moves."""
        tree = self.after
        self._scale = Scale(one, two, normalise)
        # With every path of either side there from the first, nodes keep their ids below.
        tree.update({**one.counts, **two.counts})
        tree.open()
        tree.update(one.counts)
        self._before = tree.total.copy()
        self._before_own = [tree.self_weight(node) for node in range(len(tree))]
        tree.update(two.counts)

    def change(self, node: int) -> Change:
        """Change of the node's total weight."""
        return self._scale.change(self._before[node], self.after.total[node])

    def own_change(self, node: int) -> Change:
        """Change of the node's own weight."""
        return self._scale.change(self._before_own[node], self.after.self_weight(node))


class Scale:
    """Changes between two sides; ValueError where rates are wanted and a side has no seconds."""

    def __init__(self, one: Side, two: Side, normalise: Normalise) -> None:
        self._weights = one.weight, two.weight
        self._share = normalise == "share"
        self._seconds = one.seconds, two.seconds
        if not self._share and min(self._seconds) <= 0:
            raise ValueError("a comparison by time needs the seconds of both sides")

    def change(self, before: int, after: int) -> Change:
        """Compare weights of the first side with weights of the second."""
        if self._share:
            one, two = self._weights
            left = before / one if one else 0.0
            right = after / two if two else 0.0
            z = _two_proportions(before, one, after, two)
        else:
            one_s, two_s = self._seconds
            left, right = before / one_s, after / two_s
            z = _two_rates(before, one_s, after, two_s)
        return Change(before, after, left, right, z)


def _two_proportions(hits_a: int, all_a: int, hits_b: int, all_b: int) -> float:
    """z of two shares under the hypothesis that they are one."""
    if not all_a or not all_b:
        return 0.0
    pooled = (hits_a + hits_b) / (all_a + all_b)
    variance = pooled * (1 - pooled) * (1 / all_a + 1 / all_b)
    return (hits_b / all_b - hits_a / all_a) / sqrt(variance) if variance > 0 else 0.0


def _two_rates(hits_a: int, seconds_a: float, hits_b: int, seconds_b: float) -> float:
    """z of two Poisson rates under the hypothesis that they are one."""
    pooled = (hits_a + hits_b) / (seconds_a + seconds_b)
    variance = pooled * (1 / seconds_a + 1 / seconds_b)
    return (hits_b / seconds_b - hits_a / seconds_a) / sqrt(variance) if variance > 0 else 0.0
