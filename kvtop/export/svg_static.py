"""The boxes of the SVG as plain elements, for viewers that run no scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from kvtop.export.palette import fill_class
from kvtop.export.svg_boxes import Box
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.labels import shorten

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
    """What is drawn, and what stands around it; ``width`` in px.

    ``paint`` has the class and the figures of every box, where they are not those of its frame and
    weight; ``legend`` has (class, words) instead of the kinds of code.
    """

    frames: list[Frame]
    boxes: list[Box]
    total: int
    title: str
    unit: str
    notes: list[str]
    width: int = WIDTH
    inverted: bool = False
    paint: Sequence[tuple[str, str]] | None = None
    legend: Sequence[tuple[str, str]] | None = None

    @property
    def rows(self) -> int:
        """Boxes on one another, at most."""
        return max((box.depth for box in self.boxes), default=0) + 1

    @property
    def height(self) -> int:
        """Of the whole picture, px."""
        return self.foot + foot_height(self.notes)

    @property
    def foot(self) -> int:
        """Where legend and notes begin, px."""
        return HEIGHT_OF_HEAD + self.rows * ROW + 12


def narrowest(total: int, width: int) -> float:
    """The weight of the narrowest box that is drawn; at least 1."""
    return max(1.0, NARROWEST * total / (width - 2 * PAD))


def weight_text(weight: int, unit: str) -> str:
    """A weight with its unit, which is a plural: one of "samples" is a sample."""
    return f"{weight:,} {'sample' if weight == 1 and unit == 'samples' else unit}"


def static_parts(page: Page) -> Iterator[str]:
    """Background, title, boxes, legend and notes, as pieces of SVG text."""
    yield f'<g class="static"><rect class="back" width="{page.width}" height="{page.height}"/>\n'
    yield f'<text class="title" x="{PAD}" y="25">{escape(page.title)}</text>\n'
    if page.notes:
        yield f'<text class="details" x="{PAD}" y="50">{escape(page.notes[0])}</text>\n'
    if page.total:
        yield from _boxes(page)
    y = page.foot
    yield from _legend(_kinds(page.frames) if page.legend is None else page.legend, y)
    longest = int((page.width - 2 * PAD) / _NOTE_CHARACTER)
    for at, note in enumerate(page.notes):
        text = escape(note[:longest])
        yield f'<text class="note" x="{PAD}" y="{y + 32 + 15 * at}">{text}</text>\n'
    yield "</g>\n"


def _boxes(page: Page) -> Iterator[str]:
    scale = (page.width - 2 * PAD) / page.total
    names: dict[int, tuple[str, str]] = {}
    unit, rows = escape(page.unit), page.rows
    for number, (index, depth, at, weight) in enumerate(page.boxes):
        frame = page.frames[index]
        if index not in names:
            names[index] = escape(frame.symbol), fill_class(frame)
        name, fill = names[index]
        if page.paint is None:
            figures = f"{weight_text(weight, unit)}, {100 * weight / page.total:.2f} %"
        else:
            fill, figures = page.paint[number]
        x = PAD + at * scale
        wide = weight * scale
        y = HEIGHT_OF_HEAD + (depth if page.inverted else rows - 1 - depth) * ROW
        letters = int((wide - 6.8) / CHARACTER)
        label = ""
        if letters >= 3 and (short := shorten(frame.symbol, letters)):
            label = f'<text x="{x + 4:.1f}" y="{y + 12.5}">{escape(short)}</text>'
        gap = 0.8 if wide > 3 else 0.0
        yield (
            f'<g class="box {fill}"><title>{name} ({figures})</title><rect x="{x:.2f}" y="{y}" '
            f'width="{wide - gap:.2f}" height="{ROW - 1}"{ROUND if wide > 6 else ""}/>'
            f"{label}</g>\n"
        )


ROUND = ' rx="2"'


def _kinds(frames: list[Frame]) -> list[tuple[str, str]]:
    there = {f.kind for f in frames}
    return [(f"k{kind:d}s3", name) for kind, name in KIND_NAMES.items() if kind in there]


def _legend(entries: Sequence[tuple[str, str]], y: int) -> Iterator[str]:
    x = float(PAD)
    for fill, name in entries:
        yield (
            f'<rect class="{fill}" x="{x:.1f}" y="{y + 2}" width="11" height="11" rx="2"/>'
            f'<text class="note" x="{x + 16:.1f}" y="{y + 12}">{escape(name)}</text>\n'
        )
        x += 34 + len(name) * _NOTE_CHARACTER
