"""What is compared: runs, each cut into blocks of time, over one table of stacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from kvtop.compare.statistics import Unit
from kvtop.profile.stacks import StackTable

OPS = "ops"
CPU = "task-clock"
"""CPU time, s: the event of perf stat, whose milliseconds are seconds here."""


class CompareError(Exception):
    """Inputs that cannot be compared: one sentence with the remedy."""


@dataclass(slots=True)
class Block:
    """A stretch of a run; what was not known for all of it is absent, and not 0.

    ``seconds`` is 0 where the profile has no times. ``counts`` is a fold in the run's unit,
    ``amounts`` what came in the block by name (operations, seconds of CPU, events), ``levels``
    the sum and the weight of what has a height and no amount (latencies, s; memory, bytes).
    """

    seconds: float = 0.0
    counts: dict[int, int] = field(default_factory=dict)
    amounts: dict[str, float] = field(default_factory=dict)
    levels: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """Weight of its whole fold."""
        return sum(self.counts.values())


@dataclass(slots=True)
class Run:
    """One file: its blocks in time order; ``unit`` is what its folds count, ``event`` of what."""

    name: str
    blocks: list[Block]
    unit: str = "samples"
    event: str = ""
    host: str = ""
    kernel: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """That it covers, 0 where unknown."""
        return sum(block.seconds for block in self.blocks)

    @property
    def samples(self) -> int:
        """Weight of all its folds."""
        return sum(block.samples for block in self.blocks)


Pick = Callable[[Block], tuple[float, float] | None]
"""Amount and exposure that a figure has in a block; None where it has none there."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides, their stacks in one table."""

    before: Sequence[Run]
    after: Sequence[Run]
    table: StackTable

    @property
    def sides(self) -> tuple[Sequence[Run], Sequence[Run]]:
        """Before and after."""
        return self.before, self.after

    @property
    def independent(self) -> bool:
        """Whether a side has several runs: they, and not blocks, are then the units."""
        return max(len(self.before), len(self.after)) > 1

    def units(self, side: Sequence[Run], pick: Pick) -> list[Unit]:
        """The repeated units of a figure on one side."""
        runs = [_units(run.blocks, pick) for run in side]
        if not self.independent:
            return [unit for units in runs for unit in units]
        return [summed(units) for units in runs if units]

    def whole(self, side: Sequence[Run]) -> dict[int, int]:
        """The fold of a side."""
        folded: dict[int, int] = {}
        for run in side:
            for block in run.blocks:
                for stack, weight in block.counts.items():
                    folded[stack] = folded.get(stack, 0) + weight
        return folded


def _units(blocks: Iterable[Block], pick: Pick) -> list[Unit]:
    picked = (pick(block) for block in blocks)
    return [Unit(*found) for found in picked if found is not None and found[1] > 0]


def summed(units: Sequence[Unit]) -> Unit:
    """All of them as one."""
    return Unit(sum(u.amount for u in units), sum(u.exposure for u in units))
