"""Two files of pyperf beside each other: which benchmark is slower, and whether that is chance.

The test is pyperf's: Student's two-sample t test, two-sided, at 95 %. pyperf calls files with
different numbers of values significant without a test; here those are tested, too.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyperf  # type: ignore[import-untyped]
from pyperf._utils import tdist95conf_level  # type: ignore[import-untyped]

from kvtop.profile.text import safe_text

_MACHINE = ("hostname", "cpu_model_name", "cpu_count", "platform")
_BUILD = ("python_version", "python_compiler")


@dataclass(frozen=True, slots=True)
class Compared:
    """One benchmark before and after; ``t`` is None where there are too few values to tell."""

    name: str
    before: pyperf.Benchmark
    after: pyperf.Benchmark
    t: float | None
    significant: bool

    @property
    def ratio(self) -> float:
        """After / before of the means: above 1 it is slower."""
        return float(self.after.mean() / self.before.mean())

    def slower_than(self, threshold: float) -> bool:
        """Whether it is slower by more than this share, and not by chance."""
        return self.significant and self.ratio > 1 + threshold


@dataclass(frozen=True, slots=True)
class Comparison:
    """Benchmarks of both files, names of those in one alone, and what makes them unlike."""

    compared: tuple[Compared, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    differences: tuple[str, ...]

    @property
    def geometric_mean(self) -> float | None:
        """Of the ratios; None without a benchmark in common."""
        ratios = [one.ratio for one in self.compared]
        return statistics.geometric_mean(ratios) if ratios else None

    def slower(self, threshold: float) -> list[Compared]:
        """The worst first."""
        found = [one for one in self.compared if one.slower_than(threshold)]
        return sorted(found, key=lambda one: -one.ratio)


def compare(before: pyperf.BenchmarkSuite, after: pyperf.BenchmarkSuite) -> Comparison:
    """Compare what both have, in the order of ``after``."""
    known = {benchmark.get_name(): benchmark for benchmark in before}
    names = [benchmark.get_name() for benchmark in after]
    return Comparison(
        tuple(
            _compare(benchmark.get_name(), known[benchmark.get_name()], benchmark)
            for benchmark in after
            if benchmark.get_name() in known
        ),
        tuple(name for name in known if name not in names),
        tuple(name for name in names if name not in known),
        tuple(_differences(before, after)),
    )


def _compare(name: str, before: pyperf.Benchmark, after: pyperf.Benchmark) -> Compared:
    t = t_score(before.get_values(), after.get_values())
    if t is None:
        return Compared(name, before, after, None, False)
    freedom = before.get_nvalue() + after.get_nvalue() - 2
    return Compared(name, before, after, t, abs(t) >= tdist95conf_level(freedom))


def t_score(before: Sequence[float], after: Sequence[float]) -> float | None:
    """Student's t of two samples with one variance; above 0 the second is greater.

    None where a side has less than two values.
    """
    if min(len(before), len(after)) < 2:
        return None
    means = statistics.fmean(before), statistics.fmean(after)
    squares = sum(
        math.fsum((value - mean) ** 2 for value in values)
        for values, mean in zip((before, after), means, strict=True)
    )
    variance = squares / (len(before) + len(after) - 2)
    difference = means[1] - means[0]
    if not variance:
        return math.copysign(math.inf, difference) if difference else 0.0
    return difference / math.sqrt(variance * (1 / len(before) + 1 / len(after)))


def _differences(before: pyperf.BenchmarkSuite, after: pyperf.BenchmarkSuite) -> Iterator[str]:
    for what, keys in (("machine", _MACHINE), ("Python", _BUILD)):
        changed = [
            f"{key.replace('_', ' ')} {_said(before, key)} -> {_said(after, key)}"
            for key in keys
            if _values(before, key) != _values(after, key)
        ]
        if changed:
            yield f"the baseline is of another {what}: {', '.join(changed)}"


def _values(suite: pyperf.BenchmarkSuite, key: str) -> set[str]:
    return {str(benchmark.get_metadata().get(key, "unknown")) for benchmark in suite}


def _said(suite: pyperf.BenchmarkSuite, key: str) -> str:
    return safe_text("/".join(sorted(_values(suite, key))), 80)


def lines_of(comparison: Comparison) -> Iterator[str]:
    """A table, and the geometric mean."""
    rows = [("benchmark", "baseline", "now", "change", "")]
    rows += [
        (safe_text(one.name, 60), figure(one.before), figure(one.after), *_change(one))
        for one in comparison.compared
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:4], widths[1:], strict=True)]
        yield "  ".join([*cells, row[4]]).rstrip()
    mean = comparison.geometric_mean
    if mean is not None and len(comparison.compared) > 1:
        yield f"Geometric mean: {ratio_text(mean)}"
    for names, where in (
        (comparison.only_before, "only in the baseline"),
        (comparison.only_after, "not in the baseline"),
    ):
        if names:
            yield f"{where}: {safe_text(', '.join(names), 2000)}"


def figure(benchmark: pyperf.Benchmark) -> str:
    """Mean, and standard deviation where there is one."""
    if benchmark.get_nvalue() < 2:
        return str(benchmark.format_value(benchmark.mean()))
    return " +- ".join(benchmark.format_values((benchmark.mean(), benchmark.stdev())))


def _change(one: Compared) -> tuple[str, str]:
    if one.t is None:
        return ratio_text(one.ratio), "too few values to tell"
    return ratio_text(one.ratio), f"t={one.t:.1f}" if one.significant else "not significant"


def ratio_text(ratio: float) -> str:
    """As pyperf says it."""
    if f"{ratio:.2f}" == "1.00":
        return "no change"
    return f"{ratio:.2f}x slower" if ratio > 1 else f"{1 / ratio:.2f}x faster"
