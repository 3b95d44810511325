"""The words and figures that text and Markdown share."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf

from kvtop.compare.comparison import Comparison
from kvtop.compare.functions import Basis, Figure, FunctionChange
from kvtop.compare.gate import Guilty, Verdict
from kvtop.compare.metrics import Metric, MetricChange
from kvtop.compare.model import Run
from kvtop.compare.paths import Path
from kvtop.profile.frames import Kind
from kvtop.profile.text import safe_text

_UNITS = {"us": " µs", "ms": " ms", "cores": " cores", "bytes": " MiB", "count": ""}
_MEBI = 1 << 20
_TENFOLD = 10.0
_OBJECT = 24
_FRAMES = 6
"""The last frames of a path that are told."""


def value_text(metric: Metric, value: float) -> str:
    """A metric's value with its unit."""
    shown = value / _MEBI if metric.unit == "bytes" else value * metric.scale
    return f"{number(shown)}{_UNITS[metric.unit]}"


def number(value: float) -> str:
    """Three digits that count, or all before the point."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if size >= 0.01 or size == 0:
        return f"{value:.3f}" if size < 1 else f"{value:.2f}"
    return f"{value:.2g}"


def percent(share: float | None, digits: int = 1) -> str:
    """A change with its sign."""
    if share is None:
        return "new"
    if isinf(share):
        return "new" if share > 0 else "gone"
    return f"{100 * share:+.{digits}f} %"


def interval(change: MetricChange) -> str:
    """The confidence interval of the change; what is past tenfold is as good as unknown."""
    low, high = change.change.low, change.change.high
    if low is None or high is None:
        return "-"
    above = f"{100 * high:+.1f} %" if high <= _TENFOLD else "> +1000 %"
    return f"{100 * low:+.1f} … {above}"


def judgement(change: MetricChange, alpha: float) -> str:
    """What is to be thought of it, in a word."""
    if change.change.p is None:
        return "too short"
    if not change.significant(alpha):
        return "noise"
    if not change.metric.better:
        return "changed"
    return "worse" if change.worse else "better"


def rate_heading(comparison: Comparison) -> str:
    """What the rates of functions are."""
    match comparison.basis, comparison.in_cpu:
        case Basis.OPERATION, True:
            return "CPU µs/op"
        case Basis.OPERATION, False:
            return "samples/op"
        case Basis.SECOND, True:
            return "CPU ms/s"
        case Basis.SECOND, False:
            return "samples/s"
    return "share %"


def rate_text(comparison: Comparison, rate: float) -> str:
    """A rate in the unit of `rate_heading`."""
    return number(rate * rate_scale(comparison))


def rate_scale(comparison: Comparison) -> float:
    """From rates to the unit of `rate_heading`."""
    if comparison.basis is Basis.SHARE:
        return 100.0
    if not comparison.in_cpu:
        return 1.0
    return 1e6 if comparison.basis is Basis.OPERATION else 1e3


def delta_text(comparison: Comparison, delta: float) -> str:
    """A change of a rate, with its sign and unit."""
    text = rate_text(comparison, abs(delta))
    unit = rate_heading(comparison).removeprefix("CPU ").removeprefix("share ")
    unit = "pp" if unit == "%" else unit
    return f"{'-' if delta < 0 else '+'}{text} {unit}"


def side_text(runs: Sequence[Run]) -> str:
    """Which files, and how much they hold."""
    names = ", ".join(safe_text(run.name, 80) for run in runs)
    seconds = sum(run.seconds for run in runs)
    samples = sum(run.samples for run in runs)
    unit = next((run.unit for run in runs if run.samples), "samples")
    parts = [f"{seconds:,.1f} s"] if seconds else []
    if samples:
        parts.append(f"{samples:,} {safe_text(unit, 40)}")
    return f"{names} ({', '.join(parts)})"


def method_text(comparison: Comparison) -> str:
    """How noise was told."""
    pair = comparison.pair
    level = f"{100 * comparison.confidence:g} %"
    if pair.independent:
        units = f"{len(pair.before)} and {len(pair.after)} runs"
    else:
        blocks = len(pair.before[0].blocks), len(pair.after[0].blocks)
        if max(blocks) == 1:
            return f"significance {level}, of the counts alone"
        units = f"{blocks[0]} and {blocks[1]} blocks of one run each"
    return f"significance {level}, from {units}"


def function_name(function: FunctionChange, limit: int = 120) -> str:
    """Symbol and object in so many characters; safe text that may hold markup."""
    frame = function.frame
    where = safe_text(frame.object.rsplit("/", 1)[-1], _OBJECT)
    if not where:
        return safe_text(frame.symbol, limit)
    return f"{safe_text(frame.symbol, limit - len(where) - 4)}  [{where.strip('[]')}]"


Row = tuple[FunctionChange, Figure]
_PYTHON_FIRST = Kind.PYTHON, Kind.NATIVE


def shown_functions(comparison: Comparison, rows: int) -> tuple[list[Row], list[Row]]:
    """By own weight and by total: those told from noise first, then the greatest changes.

    Of functions with the very same totals, as the callers at the root have, one is told.
    """
    functions = comparison.functions
    own = _first(comparison, [(f, f.own) for f in functions])
    total: dict[tuple[int, int], Row] = {}
    for row in _first(comparison, [(f, f.total) for f in functions]):
        key = row[1].before, row[1].after
        # A name of the program's own code says more than those of the interpreter around it.
        if key not in total or (row[0].frame.kind, total[key][0].frame.kind) == _PYTHON_FIRST:
            total[key] = row
    return own[:rows], list(total.values())[:rows]


def _first(comparison: Comparison, figures: list[Row]) -> list[Row]:
    there = [row for row in figures if row[1].before or row[1].after]
    there.sort(key=lambda row: (not row[1].significant(comparison.alpha), -abs(row[1].delta)))
    return there


def condition_text(verdict: Verdict) -> str:
    """What became of a condition, as a sentence without its full stop."""
    if verdict.condition.points:
        change = f"{100 * verdict.change:+.2f} pp"
    else:
        change = percent(verdict.change)
    if verdict.fails:
        return f"{change}, p = {verdict.p:.2g}"
    if verdict.past:
        return f"{change}, which may be noise (p = {verdict.p:.2g})"
    return change


def path_text(path: Path) -> str:
    """The last frames of a path, outermost first."""
    frames = [safe_text(frame.symbol, 60) for frame in path.frames]
    cut = frames[-_FRAMES:]
    return " → ".join(cut if len(cut) == len(frames) else ["…", *cut])


def guilty_text(comparison: Comparison, guilty: Guilty) -> str:
    """One function: what it gained or lost."""
    figure = guilty.figure
    by = "itself" if guilty.own else "with what it calls"
    return (
        f"{delta_text(comparison, figure.delta)} {by} ({percent(figure.relative)}; "
        f"share {100 * figure.before_share:.2f} → {100 * figure.after_share:.2f} %)"
    )
