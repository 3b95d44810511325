"""Braille line charts over time as lists of pieces: scale, gaps, markers, time axis. No widget."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.style import Style

from kvtop.events import Marker, MarkerKind
from kvtop.profile.text import safe_text
from kvtop.widgets.figures import clock, span
from kvtop.widgets.line import Piece, fit, width_of

Points = Sequence[tuple[float, float | None]]

_CROWD = 2
"""Cells that a marker may stand beside its place."""
_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Braille dot of (row from the top, column) in a cell."""

MARKER_GLYPHS = {
    MarkerKind.ELECTION: "♛",
    MarkerKind.KILL: "✕",
    MarkerKind.PAUSE: "‖",
    MarkerKind.RESUME: "▸",
    MarkerKind.RESTART: "↻",
    MarkerKind.EXIT: "⏏",
    MarkerKind.GAP: "∅",
    MarkerKind.NOTE: "•",
}
MARKER_STYLES = {
    MarkerKind.ELECTION: "accent",
    MarkerKind.KILL: "bad",
    MarkerKind.PAUSE: "warn",
    MarkerKind.RESUME: "good",
    MarkerKind.RESTART: "good",
    MarkerKind.EXIT: "bad",
    MarkerKind.GAP: "warn",
    MarkerKind.NOTE: "dim",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One series of a chart: ``dashed`` tells it from another where there is no colour."""

    points: Points
    style: Style
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """The time range of a chart's columns, monotonic seconds; ``end`` is exclusive."""

    start: float
    end: float
    cells: int

    def column(self, time: float) -> int:
        """The cell of a time; out of range where it is not on the chart."""
        return math.floor((time - self.start) / (self.end - self.start) * self.cells)


def time_span(newest: float, seconds: float, cells: int) -> TimeSpan:
    """The last ``seconds`` before ``newest``, its edges on whole dot columns.

    A curve then moves by whole dots and keeps its shape, instead of shimmering at every tick.
    """
    dot = seconds / (2 * max(1, cells))
    end = (math.floor(newest / dot) + 1) * dot
    return TimeSpan(end - seconds, end, max(1, cells))


def nice_ceiling(value: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below ``value``."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    for step in (1.0, 2.0, 5.0):
        if value <= step * power * (1 + 1e-9):
            return step * power
    return 10.0 * power


def plot(lines: Sequence[Line], span_: TimeSpan, height: int, top: float) -> list[list[Piece]]:
    """Rows of braille, top first, each ``span_.cells`` wide, for values 0..``top``.

    Points are joined by lines; a ``None`` value or a silence of several times the usual
    distance breaks the line. Where two lines meet in a cell the later one gives the colour.
    """
    width = span_.cells
    masks = [[0] * width for _ in range(height)]
    owners = [[-1] * width for _ in range(height)]
    for number, line in enumerate(lines):
        for column, low, high in _extents(line.points, span_, height * 4, top):
            if line.dashed and column % 3 == 2:
                continue
            cell, side = divmod(column, 2)
            for dot in range(low, high + 1):
                row, bit = divmod(height * 4 - 1 - dot, 4)
                masks[row][cell] |= _BITS[bit][side]
                owners[row][cell] = number
    null = Style.null()
    rows = []
    for mask_row, owner_row in zip(masks, owners, strict=True):
        pieces: list[Piece] = []
        text = ""
        owner = -1
        for mask, who in zip(mask_row, owner_row, strict=True):
            if who != owner and text:
                pieces.append((text, lines[owner].style if owner >= 0 else null))
                text = ""
            owner = who
            text += chr(0x2800 + mask) if mask else " "
        pieces.append((text, lines[owner].style if owner >= 0 else null))
        rows.append(pieces)
    return rows


def _extents(points: Points, span_: TimeSpan, dots: int, top: float) -> list[tuple[int, int, int]]:
    """(dot column, lowest dot, highest dot) of a joined curve, inside the chart only."""
    columns = span_.cells * 2
    scale = columns / (span_.end - span_.start)
    silence = _silence(points, span_)
    result: list[tuple[int, int, int]] = []
    before: tuple[float, int, int] | None = None
    for time, value in points:
        if value is None:
            before = None
            continue
        x = math.floor((time - span_.start) * scale)
        y = max(0, min(dots - 1, round(value / top * (dots - 1))))
        if before is not None and time - before[0] <= silence:
            _join(result, before[1], before[2], x, y, columns)
        elif 0 <= x < columns:
            result.append((x, y, y))
        before = time, x, y
    return result


def _join(
    result: list[tuple[int, int, int]], x0: int, y0: int, x1: int, y1: int, columns: int
) -> None:
    if x1 == x0:
        if 0 <= x1 < columns:
            result.append((x1, min(y0, y1), max(y0, y1)))
        return
    slope = (y1 - y0) / (x1 - x0)
    previous = y0
    for x in range(x0 + 1, x1 + 1):
        y = round(y0 + slope * (x - x0))
        if 0 <= x < columns:
            # Reach towards the last column's height, so that steep lines stay joined.
            step = 1 if y > previous else -1 if y < previous else 0
            result.append((x, min(previous + step, y), max(previous + step, y)))
        previous = y


def _silence(points: Points, span_: TimeSpan) -> float:
    """Longest distance between two points that still counts as one line."""
    distances = sorted(b[0] - a[0] for a, b in pairwise(points))
    usual = distances[len(distances) // 2] if distances else 0.0
    return max(4 * usual, 2 * (span_.end - span_.start) / (2 * span_.cells))


def highest(series: Sequence[Points]) -> float:
    """The greatest value of several series, 0 where there is none."""
    return max((v for points in series for _, v in points if v is not None), default=0.0)


def chart(
    lines: Sequence[Line],
    span_: TimeSpan,
    height: int,
    *,
    unit: Callable[[float], str],
    label_width: int,
    dim: Style,
    markers: Sequence[tuple[int, str, Style]] = (),
    name: str = "",
) -> list[list[Piece]]:
    """A plot with scale labels at its left: ``height`` rows of ``label_width + 1 + cells`` cells.

    ``markers`` are (cell, glyph, style): a thin line where the curve leaves the cell free.
    ``name`` stands at the bottom of the scale in place of its 0.
    """
    top = nice_ceiling(highest([line.points for line in lines]))
    rows = plot(lines, span_, height, top)
    labels = {height - 1: name or unit(0.0), 0: unit(top)}
    if height >= 5 and height % 2:
        labels[height // 2] = unit(top / 2)
    result = []
    for index, row in enumerate(rows):
        if markers:
            row = _overlay(row, markers)
        label = labels.get(index, "")
        edge = "┤" if label else "│"
        result.append([(fit(label, label_width, right=True), dim), (edge, dim), *row])
    return result


def _overlay(row: list[Piece], markers: Sequence[tuple[int, str, Style]]) -> list[Piece]:
    """Put a marker's line into the empty cells of a row."""
    cells = [(char, style) for text, style in row for char in text]
    for column, _, style in markers:
        if 0 <= column < len(cells) and cells[column][0] == " ":
            cells[column] = "┊", style
    pieces: list[Piece] = []
    for char, style in cells:
        if pieces and pieces[-1][1] is style:
            pieces[-1] = pieces[-1][0] + char, style
        else:
            pieces.append((char, style))
    return pieces


def time_axis(span_: TimeSpan, label_width: int, wall_offset: float, dim: Style) -> list[Piece]:
    """The line under a chart: the clock at its right end, the length of time at its left."""
    seconds = span_.end - span_.start
    left = f"-{span(seconds)}"
    right = clock(span_.end + wall_offset)
    middle = f"-{span(seconds / 2)}"
    width = span_.cells
    free = width - len(left) - len(right)
    if free < 1:
        return [(fit(left, label_width + 1 + width), dim)]
    gap = " " * free
    at = width // 2 - len(left)
    if free > len(middle) + 4 and at > 1:
        gap = fit(" " * at + middle, free)
    return [(" " * (label_width + 1), dim), (left + gap + right, dim)]


def marker_row(
    markers: Sequence[Marker], span_: TimeSpan, styles: Callable[[str], Style]
) -> list[Piece]:
    """One line of marker glyphs; text, or at least a label, where it fits before the next one."""
    placed: list[tuple[int, Marker]] = []
    for marker in markers:
        column = span_.column(marker.time)
        if not 0 <= column < span_.cells:
            continue
        if placed and placed[-1][0] >= column:
            # Two in one cell stand beside each other; where there are more, the newest remain.
            if placed[-1][0] - column < _CROWD and placed[-1][0] + 1 < span_.cells:
                column = placed[-1][0] + 1
            else:
                column = placed.pop()[0]
        placed.append((column, marker))
    pieces: list[Piece] = []
    at = 0
    null = Style.null()
    for number, (column, marker) in enumerate(placed):
        if column < at:
            continue
        until = placed[number + 1][0] if number + 1 < len(placed) else span_.cells
        pieces.append((" " * (column - at), null))
        style = styles(MARKER_STYLES[marker.kind])
        room = until - column - 1
        glyph = MARKER_GLYPHS[marker.kind]
        full = [f"{glyph} {safe_text(t)}" for t in (marker.text, marker.label) if t]
        text = next((t for t in full if width_of(t) <= room), glyph)
        pieces.append((text, style))
        at = column + width_of(text)
    return pieces


def marker_columns(
    markers: Sequence[Marker], span_: TimeSpan, styles: Callable[[str], Style]
) -> list[tuple[int, str, Style]]:
    """(cell, glyph, style) of the markers that are on the chart."""
    return [
        (column, MARKER_GLYPHS[m.kind], styles(MARKER_STYLES[m.kind]))
        for m in markers
        if 0 <= (column := span_.column(m.time)) < span_.cells
    ]
