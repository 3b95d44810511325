"""Judges conditions: a change fails where it is past the limit and no noise; and who is guilty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kvtop.compare.conditions import Condition, Of
from kvtop.compare.functions import (
    Basis,
    Figure,
    FunctionChange,
    Weigher,
    group_figure,
    matching,
)
from kvtop.compare.metrics import MetricChange, names
from kvtop.compare.model import CompareError, Pair
from kvtop.compare.paths import Path, gained_paths

GUILTY = 5


@dataclass(frozen=True, slots=True)
class Guilty:
    """A function that gained, or for a condition on losses lost, and the paths that it gained on.

    ``own`` says whether its own figure or the one with what it calls is meant.
    """

    function: FunctionChange
    own: bool
    paths: tuple[Path, ...]

    @property
    def figure(self) -> Figure:
        """The one that is meant."""
        return self.function.own if self.own else self.function.total


@dataclass(frozen=True, slots=True)
class Verdict:
    """One condition: the change in the unit of its limit, its p, and whether it fails."""

    condition: Condition
    change: float
    p: float
    past: bool
    significant: bool
    guilty: tuple[Guilty, ...]

    @property
    def fails(self) -> bool:
        """Whether the change is past the limit and significant."""
        return self.past and self.significant


class Judge:
    """Knows a comparison; the chance of a false alarm, ``alpha``, is that of all conditions."""

    def __init__(
        self,
        pair: Pair,
        metrics: Sequence[MetricChange],
        functions: Sequence[FunctionChange],
        weigher: Weigher,
        alpha: float,
    ) -> None:
        self._pair = pair
        self._metrics = metrics
        self._functions = functions
        self._weigher = weigher
        self._alpha = alpha

    def verdicts(self, conditions: Sequence[Condition]) -> list[Verdict]:
        """One for each; CompareError where a condition cannot be judged."""
        each = self._alpha / max(len(conditions), 1)  # Bonferroni
        return [self._verdict(condition, each) for condition in conditions]

    def gained(self) -> tuple[Guilty, ...]:
        """The functions that gained the most for sure on their own."""
        return self._guilty(self._functions, True, 1)

    def _verdict(self, condition: Condition, alpha: float) -> Verdict:
        if condition.of is Of.METRIC:
            change, p = self._metric(condition)
            candidates = self._functions
        else:
            change, p, candidates = self._group(condition)
        past, significant = condition.beyond(change), p < alpha
        guilty: tuple[Guilty, ...] = ()
        if past and significant:
            # Fewer operations a second are as much a matter of functions that gained.
            gains = condition.above or condition.of is Of.METRIC
            own = condition.of is not Of.TOTAL
            guilty = self._guilty(candidates, own, 1 if gains else -1)
        return Verdict(condition, change, p, past, significant, guilty)

    def _metric(self, condition: Condition) -> tuple[float, float]:
        found = next((m for m in self._metrics if m.metric.name == condition.name), None)
        if found is None:
            known = ", ".join(names(self._metrics))
            there = f"they have {known}" if known else "they have none, only self: and total:"
            raise CompareError(
                f"{condition.text!r}: {condition.name!r} is not in both sides; {there}."
            )
        relative, p = found.change.relative, found.change.p
        if p is None:
            raise CompareError(
                f"{condition.text!r} cannot be judged: one side is too short to tell noise; "
                "8 s or several runs a side are the least."
            )
        return (found.change.delta * float("inf") if relative is None else relative), p

    def _group(self, condition: Condition) -> tuple[float, float, list[FunctionChange]]:
        """All functions that match, as one."""
        assert condition.regex is not None
        regex, own = condition.regex, condition.of is Of.SELF
        chosen = [f for f in self._functions if regex.search(f.frame.symbol)]
        if not chosen:
            raise CompareError(f"{condition.text!r}: no function of either side matches it.")
        whole = {s for side in self._pair.sides for s in self._pair.whole(side)}
        stacks = matching(self._pair.table, whole, {f.frame_id for f in chosen}, own)
        weigher = self._weigher
        if condition.points and weigher.basis is not Basis.SHARE:
            weigher = Weigher(self._pair, Basis.SHARE)
        figure = group_figure(self._pair, weigher, stacks)
        if figure.p is None:
            raise CompareError(
                f"{condition.text!r} cannot be judged: these profiles count no samples, "
                "so what is noise is not known."
            )
        if condition.points:
            return figure.delta, figure.p, chosen
        relative = figure.relative
        return (float("inf") if relative is None else relative), figure.p, chosen

    def _guilty(
        self, candidates: Sequence[FunctionChange], own: bool, sign: int
    ) -> tuple[Guilty, ...]:
        """Those that gained (``sign`` 1) or lost (-1) for sure, the most first."""
        sure = []
        for function in candidates:
            figure = function.own if own else function.total
            if figure.significant(self._alpha) and sign * figure.delta > 0:
                sure.append((function, figure))
        sure.sort(key=lambda item: -abs(item[1].delta))
        return tuple(
            Guilty(f, own, tuple(gained_paths(self._pair, self._weigher, f.frame_id, own, sign)))
            for f, _ in sure[:GUILTY]
        )
