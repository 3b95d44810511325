"""The boxes of the SVG as plain elements, for viewers that run no scripts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import accumulate

from kvtop.export.palette import fill_class
from kvtop.profile.frames import Kind
from kvtop.profile.labels import shorten
from kvtop.profile.preorder import Preorder

WIDTH = 1200
PAD = 12
ROW = 18
CHARACTER = 7.23
"""Advance of the 12 px monospace font."""
NARROWEST = 0.5
"""Boxes under half a pixel are left to the script."""
HEIGHT_OF_HEAD = 64
KIND_NAMES = {
    Kind.PYTHON: "Python",
    Kind.NATIVE: "native",
    Kind.KERNEL: "kernel",
    Kind.UNKNOWN: "unknown",
}
_NOTE_CHARACTER = 6.65


def foot_height(notes: list[str]) -> int:
    """Height of legend and notes, px."""
    return 34 + 15 * len(notes)


@dataclass(frozen=True, slots=True)
class Page:
    """What stands around the boxes; sizes in px, ``rows`` counts boxes on one another."""

    rows: int
    title: str
    unit: str
    notes: list[str]
    width: int = WIDTH
    icicle: bool = False

    @property
    def height(self) -> int:
        """Of the whole picture."""
        return self.foot + foot_height(self.notes)

    @property
    def foot(self) -> int:
        """Where legend and notes begin."""
        return HEIGHT_OF_HEAD + self.rows * ROW + 12


def static_parts(profile: Preorder, page: Page) -> Iterator[str]:
    """Background, title, boxes, legend and notes, as pieces of SVG text."""
    yield f'<g class="static"><rect class="back" width="{page.width}" height="{page.height}"/>\n'
    yield f'<text class="title" x="{PAD}" y="25">{escape(page.title)}</text>\n'
    if page.notes:
        yield f'<text class="details" x="{PAD}" y="50">{escape(page.notes[0])}</text>\n'
    yield from _boxes(profile, page)
    y = page.foot
    yield from _legend(profile, y)
    longest = int((page.width - 2 * PAD) / _NOTE_CHARACTER)
    for at, note in enumerate(page.notes):
        text = escape(note[:longest])
        yield f'<text class="note" x="{PAD}" y="{y + 32 + 15 * at}">{text}</text>\n'
    yield "</g>\n"


def weight_text(weight: int, unit: str) -> str:
    """A weight with its unit, which is a plural: one of "samples" is a sample."""
    return f"{weight:,} {'sample' if weight == 1 and unit == 'samples' else unit}"


def _boxes(profile: Preorder, page: Page) -> Iterator[str]:
    total, own, depth = profile.total, profile.self_weight, profile.depth
    if not total[0]:
        return
    scale = (page.width - 2 * PAD) / total[0]
    least = NARROWEST / scale
    names: dict[int, tuple[str, str]] = {}
    unit = escape(page.unit)
    rows = page.rows
    # A box begins where the boxes before it end: what its ancestors have of their own stands on
    # their right.
    before = list(accumulate(own, initial=0))
    above = [0] * (rows + 1)
    """Own weight of the ancestors of the next box at each depth."""
    for node in [node for node, weight in enumerate(total) if weight >= least]:
        level, weight = depth[node], total[node]
        at = before[node] - above[level]
        above[level + 1] = above[level] + own[node]
        index = profile.frame[node]
        frame = profile.frames[index]
        if index not in names:
            names[index] = escape(frame.symbol), fill_class(frame)
        name, fill = names[index]
        x = PAD + at * scale
        wide = weight * scale
        y = HEIGHT_OF_HEAD + (level if page.icicle else rows - 1 - level) * ROW
        letters = int((wide - 6.8) / CHARACTER)
        label = ""
        if letters >= 3 and (short := shorten(frame.symbol, letters)):
            label = f'<text x="{x + 4:.1f}" y="{y + 12.5}">{escape(short)}</text>'
        gap = 0.8 if wide > 3 else 0.0
        yield (
            f'<g class="box {fill}"><title>{name} ({weight_text(weight, unit)}, '
            f'{100 * weight / total[0]:.2f} %)</title><rect x="{x:.2f}" y="{y}" '
            f'width="{wide - gap:.2f}" height="{ROW - 1}"{ROUND if wide > 6 else ""}/>'
            f"{label}</g>\n"
        )


ROUND = ' rx="2"'


def _legend(profile: Preorder, y: int) -> Iterator[str]:
    kinds = {f.kind for f in profile.frames}
    x = float(PAD)
    for kind, name in KIND_NAMES.items():
        if kind in kinds:
            yield (
                f'<rect class="k{kind:d}s3" x="{x:.1f}" y="{y + 2}" width="11" height="11" rx="2"/>'
                f'<text class="note" x="{x + 16:.1f}" y="{y + 12}">{name}</text>\n'
            )
            x += 34 + len(name) * _NOTE_CHARACTER
