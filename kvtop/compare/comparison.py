"""The whole comparison, as plain data that text, Markdown and JSON are written from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kvtop.compare.conditions import Condition
from kvtop.compare.functions import (
    Basis,
    FunctionChange,
    Weigher,
    best_basis,
    function_changes,
)
from kvtop.compare.gate import Guilty, Judge, Verdict
from kvtop.compare.metrics import MetricChange, measure
from kvtop.compare.model import CompareError, Pair


@dataclass(frozen=True, slots=True)
class Comparison:
    """``confidence`` is 0..1; ``in_cpu`` whether rates of functions are seconds of CPU.

    ``functions`` have the greatest change of their own weight first; ``notes`` are sentences
    without their full stop.
    """

    pair: Pair
    confidence: float
    basis: Basis
    in_cpu: bool
    metrics: tuple[MetricChange, ...]
    functions: tuple[FunctionChange, ...]
    verdicts: tuple[Verdict, ...]
    gained: tuple[Guilty, ...]
    """The functions that gained the most for sure, with their paths."""
    notes: tuple[str, ...]

    @property
    def alpha(self) -> float:
        """Probability from which on a change is noise."""
        return 1 - self.confidence

    @property
    def fails(self) -> bool:
        """Whether a condition fails."""
        return any(verdict.fails for verdict in self.verdicts)


def compare(
    pair: Pair,
    conditions: Sequence[Condition] = (),
    confidence: float = 0.99,
    basis: Basis | None = None,
    glue: bool = False,
) -> Comparison:
    """Everything that is to be told; CompareError where a condition cannot be judged."""
    metrics = measure(pair, confidence)
    sampled = all(any(run.samples for run in side) for side in pair.sides)
    chosen = basis or best_basis(pair)
    weigher = Weigher(pair, chosen)
    if basis is not None and not all(weigher.exposure):
        raise CompareError(f"--by {basis} needs what one of the sides does not know: leave it out.")
    functions = function_changes(pair, weigher, not glue) if sampled else []
    judge = Judge(pair, metrics, functions, weigher, 1 - confidence)
    return Comparison(
        pair,
        confidence,
        chosen,
        weigher.in_cpu,
        tuple(metrics),
        tuple(functions),
        tuple(judge.verdicts(conditions)),
        judge.gained(),
        tuple(_notes(pair, weigher)),
    )


def _notes(pair: Pair, weigher: Weigher) -> list[str]:
    runs = [*pair.before, *pair.after]
    notes = [f"{run.name}: {note}" for run in runs for note in run.notes]
    for what, values in (
        ("host", {run.host for run in runs if run.host}),
        ("kernel", {run.kernel for run in runs if run.kernel}),
        ("sampled event", {run.event for run in runs if run.event}),
    ):
        if len(values) > 1:
            notes.append(f"the runs differ in their {what}: {', '.join(sorted(values))}")
    if not weigher.counted and weigher.samples[0]:
        notes.append(f"the weights are {runs[0].unit} and no counts: what is noise is not known")
    elif pair.independent:
        if min(len(pair.before), len(pair.after)) == 1:
            notes.append(
                "one side has one run: the run-to-run variance of the other counts for it too"
            )
    elif weigher.counted and not weigher.repeated:
        notes.append(
            "no repeated intervals: only the noise of sampling is known, not that of the program"
        )
    if weigher.basis is not Basis.SHARE and not weigher.in_cpu:
        notes.append(
            "CPU time was not counted: functions are in samples, "
            "which compare only where both sides sampled alike"
        )
    return notes
