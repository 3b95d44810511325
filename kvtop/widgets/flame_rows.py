"""One row of boxes as a Strip: edges on eighths of a cell, names where they fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from kvtop.profile.layout import Box
from kvtop.widgets.line import fit

_BLOCKS = " ▏▎▍▌▋▊▉"
"""Left part of a cell in eighths."""


class Look(NamedTuple):
    """How a box is drawn: its text style, whose background is the box's colour."""

    style: Style
    fill: Color | None


LookOf = Callable[[int], Look]
LabelOf = Callable[[int, int], str]
"""(node, cells) -> a name of at most so many cells."""


@lru_cache(maxsize=4096)
def _edge(left: Color | None, right: Color | None) -> Style:
    if left is None or left.is_default:
        # The terminal's own background cannot be named as a foreground, only swapped in.
        return Style(color=right, bgcolor=left, reverse=True)
    return Style(color=left, bgcolor=right)


def draw_row(
    boxes: Sequence[Box], width: int, look_of: LookOf, label_of: LabelOf, back: Style
) -> Strip:
    """Boxes over a background; two boxes that share a cell split it at an eighth."""
    segments: list[Segment] = []
    ground = back.bgcolor
    at = 0
    partial: list[tuple[int, int, Color | None]] = []
    before: Color | None = None
    end = width * 8
    taken = 0
    for node, _, x0, x1 in boxes:
        a = max(taken, int(x0 * 8 + 0.5))
        if a >= end:
            break
        b = int(x1 * 8 + 0.5)
        b = a + 1 if b <= a else end if b > end else b
        taken = b
        first, off = a >> 3, a & 7
        if partial and first > at:
            segments.append(_shared(partial, ground))
            partial = []
            at += 1
        if first > at:
            segments.append(Segment(" " * (first - at), back))
            at = first
            before = None
        look = look_of(node)
        last, rest = b >> 3, b & 7
        if last == first:
            partial.append((off, rest, look.fill))
            before = look.fill
            continue
        same = before == look.fill
        if off or partial:
            partial.append((off, 8, look.fill))
            same = same and len(partial) > 1
            segments.append(_shared(partial, ground))
            partial = []
            at += 1
        if last > at:
            cells = last - at
            # A box that touches one of its own colour needs a line between them.
            if (same or not off) and first and cells > 1 and (same or look.fill is None):
                segments.append(Segment("▏", _edge(ground, look.fill)))
                cells -= 1
            label = label_of(node, cells - 1) if cells > 3 else ""
            text = f" {label}" if label else ""
            segments.append(Segment(fit(text, cells), look.style))
            at = last
        if rest:
            partial.append((0, rest, look.fill))
        before = look.fill
    if partial and at < width:
        segments.append(_shared(partial, ground))
        at += 1
    if at < width:
        segments.append(Segment(" " * (width - at), back))
    return Strip(segments, width)


def _shared(parts: list[tuple[int, int, Color | None]], ground: Color | None) -> Segment:
    """The cell that several box ends share, or one end and the background."""
    if len(parts) == 1:
        start, end, fill = parts[0]
        if start == 0:
            return Segment(_BLOCKS[end], _edge(fill, ground))
        if end == 8:
            return Segment(_BLOCKS[start], _edge(ground, fill))
        return Segment(_BLOCKS[end - start], _edge(fill, ground))
    if len(parts) > 2:
        parts = sorted(sorted(parts, key=lambda p: p[0] - p[1])[:2])
    (_, split, left), (start, end, right) = parts
    if end - start < 2 and split < 7 and start > split + 1:
        return Segment(_BLOCKS[split or 1], _edge(left, ground))
    return Segment(_BLOCKS[min(7, max(1, start))], _edge(left, right))


def draw_plain_row(
    boxes: Sequence[Box], width: int, look_of: LookOf, label_of: LabelOf, back: Style
) -> Strip:
    """The row without colours: a box begins with a bar and is underlined, whole cells only."""
    segments: list[Segment] = []
    at = 0
    for node, _, x0, x1 in boxes:
        first, last = max(at, round(x0)), min(width, round(x1))
        if last <= first:
            continue
        if first > at:
            segments.append(Segment(" " * (first - at), back))
        cells = last - first - 1
        text = label_of(node, cells) if cells > 2 else ""
        segments.append(Segment("▏" + fit(text, cells), look_of(node).style))
        at = last
    if at < width:
        segments.append(Segment(" " * (width - at), back))
    return Strip(segments, width)
