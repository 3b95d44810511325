"""Which functions gained or lost, on their own and with what they call, and what of it is noise."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from enum import StrEnum

from kvtop.compare.model import CPU, OPS, Block, Pair, Run, summed
from kvtop.compare.statistics import FEWEST, Unit, counts_p, counts_test, false_discovery
from kvtop.profile.frames import Frame
from kvtop.profile.hotspots import hotspots
from kvtop.profile.stacks import StackTable

FEWEST_SAMPLES = 10
"""On both sides together: fewer can show nothing, and would only cost the others their power."""
COUNTED = "samples"


class Basis(StrEnum):
    """What a function's CPU is divided by."""

    OPERATION = "operation"
    SECOND = "second"
    SHARE = "share"


@dataclass(frozen=True, slots=True)
class Figure:
    """Samples of both sides, as shares (0..1) and by the basis.

    Rates are seconds of CPU (or samples, where no CPU time is known) by operation or second, or
    the shares again. ``p`` is of the rates and None where the weights are no counts; ``q`` is the
    false discovery rate among all functions. ``dispersion`` is the variance by that of counting.
    """

    before: int
    after: int
    before_share: float
    after_share: float
    before_rate: float
    after_rate: float
    p: float | None
    dispersion: float
    q: float | None = None

    @property
    def delta(self) -> float:
        """Change of the rate."""
        return self.after_rate - self.before_rate

    @property
    def relative(self) -> float | None:
        """After by before, less 1; None where there was nothing before."""
        return self.after_rate / self.before_rate - 1 if self.before_rate else None

    def significant(self, alpha: float) -> bool:
        """Whether it is told apart from noise among all functions."""
        return self.q is not None and self.q < alpha


@dataclass(frozen=True, slots=True)
class FunctionChange:
    """A function's own figure and the one with what it calls."""

    frame_id: int
    frame: Frame
    own: Figure
    total: Figure


class Weigher:
    """Turns samples of either side into figures of one basis."""

    def __init__(self, pair: Pair, basis: Basis) -> None:
        self.pair = pair
        self.basis = basis
        runs = [[run for run in side if run.samples] for side in pair.sides]
        self.in_cpu = basis is not Basis.SHARE and all(map(has_cpu, pair.sides))
        """Whether rates are seconds of CPU, and not samples."""
        self._exposures = [
            [[self._exposure(block, scale) for block in run.blocks] for run in side]
            for side, scale in zip(runs, map(self._scale, runs), strict=True)
        ]
        self._samples = [[[b.samples for b in run.blocks] for run in side] for side in runs]
        self.exposure = tuple(sum(map(sum, side)) for side in self._exposures)
        self.samples = tuple(sum(map(sum, side)) for side in self._samples)
        self.counted = all(run.unit == COUNTED for side in runs for run in side)
        """Whether the weights are counts, whose noise is known."""
        blocks = min(sum(map(len, side)) for side in self._exposures)
        self.repeated = pair.independent or blocks >= FEWEST
        """Whether repeated units tell more than the noise of counting."""

    def figure(self, counts: Sequence[Sequence[Sequence[int]]]) -> Figure:
        """Of a thing that was counted so often by side, run and block."""
        before, after = (sum(map(sum, side)) for side in counts)
        shares = before / max(self.samples[0], 1), after / max(self.samples[1], 1)
        p, spread = self._test(counts)
        return Figure(
            before,
            after,
            before_share=shares[0],
            after_share=shares[1],
            before_rate=self.rate(before, 0),
            after_rate=self.rate(after, 1),
            p=p,
            dispersion=spread,
        )

    def _test(self, counts: Sequence[Sequence[Sequence[int]]]) -> tuple[float | None, float]:
        """Probability of such a change by chance, and the dispersion."""
        if not self.counted or min(self.exposure) <= 0:
            return None, 1.0
        one, two = (self._units(side, counts[side]) for side in (0, 1))
        if not self.repeated:
            one, two = [summed(one)], [summed(two)]
        binomial = self.basis is Basis.SHARE
        z, spread = counts_test(one, two, self.pair.independent, binomial)
        return counts_p(z, len(one), len(two)), spread

    def rate(self, samples: float, side: int) -> float:
        """Samples of a side (0 or 1) in the basis."""
        exposure = self.exposure[side]
        return samples / exposure if exposure else 0.0

    def _units(self, side: int, counts: Sequence[Sequence[int]]) -> list[Unit]:
        runs = [
            [Unit(n, e) for n, e in zip(*run, strict=True) if e > 0]
            for run in zip(counts, self._exposures[side], strict=True)
        ]
        if self.pair.independent:
            return [summed(units) for units in runs if units]
        return [unit for units in runs for unit in units]

    def _exposure(self, block: Block, scale: float) -> float:
        if self.basis is Basis.SHARE:
            return block.samples
        amount = block.seconds if self.basis is Basis.SECOND else block.amounts.get(OPS, 0.0)
        return amount * scale

    def _scale(self, side: Sequence[Run]) -> float:
        """Samples by second of CPU, which the sampling frequency and lost samples decide."""
        if not self.in_cpu:
            return 1.0
        blocks = [b for run in side for b in run.blocks if CPU in b.amounts]
        cpu = sum(block.amounts[CPU] for block in blocks)
        return sum(block.samples for block in blocks) / cpu if cpu > 0 else 1.0


def has_cpu(side: Sequence[Run]) -> bool:
    """Whether the CPU time of a side is known."""
    return any(block.amounts.get(CPU, 0.0) > 0 for run in side for block in run.blocks)


def best_basis(pair: Pair) -> Basis:
    """By operation where both sides have them, else shares."""
    known = all(
        any(block.amounts.get(OPS, 0.0) > 0 for run in side for block in run.blocks)
        for side in pair.sides
    )
    return Basis.OPERATION if known else Basis.SHARE


def function_changes(pair: Pair, weigher: Weigher, fold_glue: bool = True) -> list[FunctionChange]:
    """Every function of either side, the greatest change of its own weight first."""
    own = Tally(pair)
    total = Tally(pair)
    for at, block in _blocks(pair):
        for spot in hotspots(pair.table, block.counts, fold_glue):
            if spot.self_weight:
                own.add(spot.frame_id, at, spot.self_weight)
            total.add(spot.frame_id, at, spot.total)
    rows = [
        FunctionChange(
            frame, pair.table.frame(frame), weigher.figure(own.of(frame)), weigher.figure(counts)
        )
        for frame, counts in total.items()
    ]
    rows = _with_discovery(rows)
    rows.sort(
        key=lambda r: (-abs(r.own.delta), -abs(r.total.delta), r.frame.symbol, r.frame.object)
    )
    return rows


def group_figure(pair: Pair, weigher: Weigher, stacks: Set[int]) -> Figure:
    """The figure of all samples of some stacks taken together."""
    tally = Tally(pair)
    for at, block in _blocks(pair):
        tally.add(0, at, sum(n for stack, n in block.counts.items() if stack in stacks))
    return weigher.figure(tally.of(0))


class Tally:
    """Counts by key, each by side, run and block; runs without samples are left out."""

    def __init__(self, pair: Pair) -> None:
        self._shape = [[len(r.blocks) for r in side if r.samples] for side in pair.sides]
        self._counts: dict[int, list[list[list[int]]]] = {}

    def add(self, key: int, at: tuple[int, int, int], count: int) -> None:
        """Count something of a key in a block."""
        side, run, block = at
        self.of(key)[side][run][block] += count

    def of(self, key: int) -> list[list[list[int]]]:
        """All counts of a key."""
        known = self._counts.get(key)
        if known is None:
            known = [[[0] * blocks for blocks in side] for side in self._shape]
            self._counts[key] = known
        return known

    def items(self) -> list[tuple[int, list[list[list[int]]]]]:
        """Every key with its counts."""
        return list(self._counts.items())


def _blocks(pair: Pair) -> list[tuple[tuple[int, int, int], Block]]:
    return [
        ((side, number, at), block)
        for side, runs in enumerate(pair.sides)
        for number, run in enumerate(run for run in runs if run.samples)
        for at, block in enumerate(run.blocks)
    ]


def _with_discovery(rows: Sequence[FunctionChange]) -> list[FunctionChange]:
    """The same with the false discovery rate of those that are worth a test."""
    own = _discovered([row.own for row in rows])
    total = _discovered([row.total for row in rows])
    return [replace(r, own=o, total=t) for r, o, t in zip(rows, own, total, strict=True)]


def _discovered(figures: list[Figure]) -> list[Figure]:
    tested = [
        (at, figure.p)
        for at, figure in enumerate(figures)
        if figure.p is not None and figure.before + figure.after >= FEWEST_SAMPLES
    ]
    for (at, _), q in zip(tested, false_discovery([p for _, p in tested]), strict=True):
        figures[at] = replace(figures[at], q=q)
    return figures


def matching(table: StackTable, stacks: Set[int], frames: Set[int], leaf: bool) -> set[int]:
    """Stacks with one of the frames on them, or with one at their ``leaf`` (glue left out)."""
    found = set()
    for stack in stacks:
        path = table.frames(stack)
        if leaf:
            shown = [f for f in path if f not in table.glue] or list(path)
            hit = bool(shown) and shown[-1] in frames
        else:
            hit = not frames.isdisjoint(path)
        if hit:
            found.add(stack)
    return found
