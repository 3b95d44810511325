"""The boxes of the SVG as plain elements, for viewers that run no scripts."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

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
_LONGEST_NOTE = int((WIDTH - 2 * PAD) / _NOTE_CHARACTER)


def foot_height(notes: list[str]) -> int:
    """Height of legend and notes, px."""
    return 34 + 15 * len(notes)


def static_parts(
    profile: Preorder, rows: int, height: int, title: str, unit: str, notes: list[str]
) -> Iterator[str]:
    """Background, title, boxes, legend and notes, as pieces of SVG text."""
    yield f'<g class="static"><rect class="back" width="{WIDTH}" height="{height}"/>\n'
    yield f'<text class="title" x="{PAD}" y="25">{escape(title)}</text>\n'
    if notes:
        yield f'<text class="details" x="{PAD}" y="50">{escape(notes[0])}</text>\n'
    yield from _boxes(profile, rows, unit)
    y = HEIGHT_OF_HEAD + rows * ROW + 12
    yield from _legend(profile, y)
    for at, note in enumerate(notes):
        text = escape(note[:_LONGEST_NOTE])
        yield f'<text class="note" x="{PAD}" y="{y + 32 + 15 * at}">{text}</text>\n'
    yield "</g>\n"


def _boxes(profile: Preorder, rows: int, unit: str) -> Iterator[str]:
    total, parent, depth = profile.total, profile.parent, profile.depth
    if not total[0]:
        return
    scale = (WIDTH - 2 * PAD) / total[0]
    least = NARROWEST / scale
    names = [escape(f.symbol) for f in profile.frames]
    unit = escape(unit)
    classes = [fill_class(f) for f in profile.frames]
    # Where the next child of a node begins, in weight from the left.
    cursor = [0] * len(total)
    for node, weight in enumerate(total):
        at = 0
        if node:
            above = parent[node]
            at = cursor[above]
            cursor[above] = at + weight
            cursor[node] = at
        if weight < least:
            continue
        frame = profile.frame[node]
        x = PAD + at * scale
        wide = weight * scale
        y = HEIGHT_OF_HEAD + (rows - 1 - depth[node]) * ROW
        letters = int((wide - 6.8) / CHARACTER)
        label = ""
        if letters >= 3 and (short := shorten(profile.frames[frame].symbol, letters)):
            label = f'<text x="{x + 4:.1f}" y="{y + 12.5}">{escape(short)}</text>'
        gap = 0.8 if wide > 3 else 0.0
        yield (
            f'<g class="box {classes[frame]}"><title>{names[frame]} ({weight:,} {unit}, '
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
