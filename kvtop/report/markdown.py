"""A report as Markdown (GitHub's): tables and lists, no HTML, to be pasted into a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import singledispatch

from kvtop.profile.text import safe_text
from kvtop.report.blocks import Advice, Bars, Chart, Code, Flame, Report, Table, Text
from kvtop.report.plots import figures

_LONGEST = 300
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~&!])")


def write_markdown(report: Report) -> str:
    """The whole report."""
    return "\n".join(_lines(report)).rstrip() + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield from (f"# {text(report.title)}", "", f"{text(report.subtitle)}", "")
    yield from (text(" ".join(report.summary), 20 * _LONGEST), "")
    for sentence in report.left_out:
        yield from (f"*{text(sentence)}*", "")
    tiles = [(tile.name, tile.value, tile.note) for tile in report.tiles]
    yield from _table(("Figure", "Value", ""), "lrl", tuple(tiles))
    yield ""
    for part in report.sections:
        yield from (f"## {text(part.title)}", "")
        for block in part.blocks:
            found = list(_block(block))
            if found:
                yield from (*found, "")
    yield f"*{text(report.made)}*"


def text(raw: str, limit: int = _LONGEST) -> str:
    """Printable text in which nothing is markup."""
    shown = safe_text(raw.replace("\u00a0", " "), limit)
    return _SPECIAL.sub(r"\\\1", shown)


def code(raw: str) -> str:
    """A code span; a bar ends a table's cell even inside one, unless it is escaped."""
    shown = safe_text(raw.replace("\u00a0", " "), _LONGEST)
    if not shown or "\\|" in shown:
        # Readers differ on what a backslash before an escaped bar is.
        return text(raw)
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}".replace("|", "\\|")


def _table(head: tuple[str, ...], align: str, rows: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    yield f"| {' | '.join(map(text, head))} |"
    yield f"| {' | '.join('---:' if kind == 'r' else ':---' for kind in align)} |"
    for row in rows:
        cells = [
            code(cell) if kind == "c" else text(cell) for cell, kind in zip(row, align, strict=True)
        ]
        yield f"| {' | '.join(cells)} |"


@singledispatch
def _block(block: object) -> Iterator[str]:
    raise TypeError(f"no way to write a {type(block).__name__}")


@_block.register
def _(block: Text) -> Iterator[str]:
    yield f"*{text(block.text, 1000)}*" if block.quiet else text(block.text, 1000)


@_block.register
def _(block: Code) -> Iterator[str]:
    lines = [safe_text(line, 10 * _LONGEST) for line in block.lines]
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield from (f"{fence}sh", *lines, fence)


@_block.register
def _(block: Table) -> Iterator[str]:
    if block.caption:
        yield from (f"**{text(block.caption)}**", "")
    if block.rows:
        yield from _table(block.head, block.align, block.rows)


@_block.register
def _(block: Chart) -> Iterator[str]:
    rows = []
    for line in block.lines:
        known = figures(line)
        if known is not None:
            rows.append((line.name, *(block.show(value) for value in known)))
    yield from (f"**{text(block.title)}** ({text(block.quantity)})", "")
    yield from _table(("", "Least", "Median", "Most"), "lrrr", tuple(rows))


@_block.register
def _(block: Bars) -> Iterator[str]:
    # The table that follows it has the same figures.
    return iter(())


@_block.register
def _(block: Flame) -> Iterator[str]:
    # Drawn in the HTML report only.
    return iter(())


@_block.register
def _(block: Advice) -> Iterator[str]:
    finding = block.finding
    yield from (f"### {text(finding.title)} ({text(block.of)})", "")
    yield from (text(" ".join(finding.evidence), 1000), "")
    for hot in finding.frames:
        yield f"- {code(hot.symbol)} {100 * hot.share:.1f} %"
    if finding.frames:
        yield ""
    yield f"**Try:** {text(finding.remedy, 1000)}"
