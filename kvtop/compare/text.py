"""A comparison as text for a terminal of 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from kvtop.compare import words
from kvtop.compare.comparison import Comparison
from kvtop.compare.functions import Figure, FunctionChange
from kvtop.compare.gate import Guilty
from kvtop.profile.text import safe_text

COLUMNS = 100
_NAME = 56


def write_text(comparison: Comparison, rows: int) -> str:
    """All of it; ``rows`` functions in each table."""
    return "".join(f"{line}\n".replace(" \n", "\n") for line in _lines(comparison, rows))


def _lines(comparison: Comparison, rows: int) -> Iterator[str]:
    pair = comparison.pair
    yield f"before  {words.side_text(pair.before)}"
    yield f"after   {words.side_text(pair.after)}"
    yield f"        {words.method_text(comparison)}"
    for note in comparison.notes:
        yield from textwrap.wrap(f"note: {note}.", COLUMNS, subsequent_indent="  ")
    yield from _metrics(comparison)
    if comparison.functions:
        own, total = words.shown_functions(comparison, rows)
        heading = words.rate_heading(comparison)
        yield from ("", f"FUNCTIONS, on their own ({heading})", _head())
        yield from (_row(comparison, *row) for row in own)
        yield from ("", f"FUNCTIONS, with what they call ({heading})", _head())
        yield from (_row(comparison, *row) for row in total)
    if comparison.gained and not comparison.verdicts:
        yield from ("", "WHERE THE GAINS COME FROM")
        for guilty in comparison.gained:
            yield f"  {words.function_name(guilty.function)}"
            yield from _guilty(comparison, guilty)
    yield from _verdicts(comparison)


def _metrics(comparison: Comparison) -> Iterator[str]:
    if not comparison.metrics:
        return
    head = f"{100 * comparison.confidence:g} % INTERVAL"
    yield ""
    yield f"{'FIGURE':<22}{'BEFORE':>13}{'AFTER':>13}{'CHANGE':>11}{head:>22}"
    for row in comparison.metrics:
        one, two = (
            words.value_text(row.metric, side.value)
            for side in (row.change.before, row.change.after)
        )
        change = words.percent(row.change.relative)
        yield (
            f"{safe_text(row.metric.name, 21):<22}{one:>13}{two:>13}{change:>11}"
            f"{words.interval(row):>22}  {words.judgement(row, comparison.alpha)}"
        )


def _head() -> str:
    return f"{'BEFORE':>9}{'AFTER':>9}{'CHANGE':>10}{'SHARE':>10}  NAME"


def _row(comparison: Comparison, function: FunctionChange, figure: Figure) -> str:
    one, two = (
        words.rate_text(comparison, rate) for rate in (figure.before_rate, figure.after_rate)
    )
    share = f"{100 * (figure.after_share - figure.before_share):+.2f} pp"
    mark = "" if figure.significant(comparison.alpha) else "~ "
    return (
        f"{one:>9}{two:>9}{words.percent(figure.relative):>10}{share:>10}  "
        f"{mark}{words.function_name(function, _NAME)}"
    )


def _guilty(comparison: Comparison, guilty: Guilty) -> Iterator[str]:
    yield f"    {words.guilty_text(comparison, guilty)}"
    for path in guilty.paths:
        gain = words.delta_text(comparison, path.gain)
        yield from textwrap.wrap(
            f"{gain:<14} {words.path_text(path)}",
            COLUMNS - 4,
            initial_indent="      ",
            subsequent_indent=" " * 21,
        )


def _verdicts(comparison: Comparison) -> Iterator[str]:
    if comparison.functions:
        yield from ("", "~ may be noise")
    if comparison.verdicts:
        yield from ("", "CONDITIONS")
    for verdict in comparison.verdicts:
        state = "FAILS" if verdict.fails else "holds"
        yield f"  {state}  {safe_text(verdict.condition.text)}: {words.condition_text(verdict)}"
        if verdict.fails and comparison.functions and not verdict.guilty:
            yield "         no single function's gain can be told from noise"
        for guilty in verdict.guilty:
            yield f"    {words.function_name(guilty.function)}"
            yield from _guilty(comparison, guilty)
