"""A comparison as Markdown for a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kvtop.compare import words
from kvtop.compare.comparison import Comparison
from kvtop.compare.functions import Figure, FunctionChange
from kvtop.compare.gate import Guilty

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&@!])")


def write_markdown(comparison: Comparison, rows: int) -> str:
    """All of it: the verdict and what is sure open, the rest folded away."""
    return "\n".join(_lines(comparison, rows)) + "\n"


def _lines(comparison: Comparison, rows: int) -> Iterator[str]:
    yield f"### kvtop diff: {_headline(comparison)}"
    yield ""
    pair = comparison.pair
    yield f"Before: {_safe(words.side_text(pair.before))}  "
    yield f"After: {_safe(words.side_text(pair.after))}  "
    yield f"{words.method_text(comparison).capitalize()}."
    for verdict in comparison.verdicts:
        state = "❌" if verdict.fails else "✅"
        text = _code(verdict.condition.text)
        yield from ("", f"{state} {text}: {words.condition_text(verdict)}")
        if verdict.fails and comparison.functions and not verdict.guilty:
            yield from ("", "No single function's gain can be told from noise.")
        for guilty in verdict.guilty:
            yield from _guilty(comparison, guilty)
    if comparison.gained and not comparison.verdicts:
        yield from ("", "Functions that gained:")
        for guilty in comparison.gained:
            yield from _guilty(comparison, guilty)
    if comparison.metrics:
        yield from _metrics(comparison)
    if comparison.functions:
        own, total = words.shown_functions(comparison, rows)
        yield from _functions(comparison, "on their own", own)
        yield from _functions(comparison, "with what they call", total)
    if comparison.notes:
        yield ""
    yield from (f"- Note: {_safe(note)}." for note in comparison.notes)


def _headline(comparison: Comparison) -> str:
    failed = sum(verdict.fails for verdict in comparison.verdicts)
    if failed:
        return f"{failed} of {len(comparison.verdicts)} conditions fail"
    if comparison.verdicts:
        return "all conditions hold"
    sure = [row for row in comparison.metrics if row.significant(comparison.alpha)]
    functions = [f for f in comparison.functions if f.own.significant(comparison.alpha)]
    if not sure and not functions:
        return "nothing that can be told from noise"
    return f"{len(sure)} figures and {len(functions)} functions changed"


def _metrics(comparison: Comparison) -> Iterator[str]:
    yield ""
    yield f"| figure | before | after | change | {100 * comparison.confidence:g} % interval | |"
    yield "|---|---:|---:|---:|---:|---|"
    for row in comparison.metrics:
        one, two = (
            words.value_text(row.metric, side.value)
            for side in (row.change.before, row.change.after)
        )
        verdict = words.judgement(row, comparison.alpha)
        shown = f"**{verdict}**" if verdict in ("worse", "better") else verdict
        yield (
            f"| {_safe(row.metric.name)} | {one} | {two} | {words.percent(row.change.relative)} "
            f"| {words.interval(row)} | {shown} |"
        )


def _functions(
    comparison: Comparison, title: str, rows: list[tuple[FunctionChange, Figure]]
) -> Iterator[str]:
    heading = words.rate_heading(comparison)
    yield from ("", f"<details><summary>Functions, {title}</summary>", "")
    yield f"| function | {heading} before | after | change | share | |"
    yield "|---|---:|---:|---:|---:|---|"
    for function, figure in rows:
        one, two = (
            words.rate_text(comparison, rate) for rate in (figure.before_rate, figure.after_rate)
        )
        share = f"{100 * (figure.after_share - figure.before_share):+.2f} pp"
        sure = figure.significant(comparison.alpha)
        verdict = "noise" if not sure else "**gained**" if figure.delta > 0 else "**lost**"
        yield (
            f"| {_code(words.function_name(function))} | {one} | {two} "
            f"| {words.percent(figure.relative)} | {share} | {verdict} |"
        )
    yield from ("", "</details>")


def _guilty(comparison: Comparison, guilty: Guilty) -> Iterator[str]:
    name = _code(words.function_name(guilty.function))
    yield from ("", f"- {name}: {_safe(words.guilty_text(comparison, guilty))}")
    for path in guilty.paths:
        gain = words.delta_text(comparison, path.gain)
        yield f"  - {_safe(gain)} by {_code(words.path_text(path))}"


def _safe(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no mention of a person."""
    return _SPECIAL.sub(r"\\\1", text)


def _code(text: str) -> str:
    """Text as code, whatever is in it: in a table neither ` nor | may stand."""
    return f"`{text.replace('`', chr(39)).replace('|', '¦')}`"
