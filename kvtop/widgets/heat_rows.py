"""Rows of a heatmap as styled pieces: two values a cell in colour, one as a glyph without."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style
from textual.color import Color

from kvtop.widgets.line import Piece

LEVELS = 12
"""Shades above "none"; what a cell can tell apart."""
NO_DATA = -1
CURSOR = LEVELS + 1
"""Level of the cell under the cursor."""
_GLYPHS = " ·░░▒▒▒▓▓▓███"
"""A glyph per level, 0 first, where there is no colour."""
_TOPS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0)

Value = tuple[int, bool]
"""Level, and whether it lies outside of what is selected."""


def scale_top(most: int) -> float:
    """The end of a scale for counts up to ``most``: one that seldom moves from tick to tick."""
    power = 10.0 ** max(0, len(str(max(1, most))) - 1)
    return next(top for step in _TOPS if (top := step * power) >= most)


def level(count: int | None, top: float) -> int:
    """The shade of a count on a scale from 0 to ``top``; any count above 0 is seen."""
    if count is None:
        return NO_DATA
    if count <= 0:
        return 0
    return max(1, min(LEVELS, round(count / top * LEVELS)))


class HeatColours:
    """Styles of cells for one theme: from the background over ``low`` to ``high``."""

    def __init__(
        self, background: Color, low: Color, high: Color, cursor: Color, mono: bool
    ) -> None:
        self.mono = mono or low.ansi is not None
        self._background = background
        self._ends = low, high
        self._cursor = cursor
        self._colours: dict[Value, Color] = {}
        self._styles: dict[tuple[Value, Value], Style] = {}

    def row(self, upper: Sequence[Value], lower: Sequence[Value]) -> list[Piece]:
        """One row of cells, each with an upper and a lower value."""
        pieces: list[Piece] = []
        before: tuple[Value, Value] | None = None
        for pair in zip(upper, lower, strict=True):
            if pair == before:
                pieces[-1] = pieces[-1][0] + pieces[-1][0][0], pieces[-1][1]
            else:
                pieces.append((" " if pair[0] == pair[1] else "▀", self._style(*pair)))
            before = pair
        return pieces

    def plain_row(self, values: Sequence[Value]) -> list[Piece]:
        """One row of glyphs, a value each."""
        pieces: list[Piece] = []
        for number, outside in values:
            glyph = "×" if number == CURSOR else _GLYPHS[max(0, number)]
            style = Style(dim=outside or None, reverse=(number == CURSOR) or None)
            if pieces and pieces[-1][1] == style:
                pieces[-1] = pieces[-1][0] + glyph, style
            else:
                pieces.append((glyph, style))
        return pieces

    def legend(self, values: int = LEVELS) -> list[Piece]:
        """The scale, one cell a shade."""
        scale = [(number, False) for number in range(1, values + 1)]
        return self.plain_row(scale) if self.mono else self.row(scale, scale)

    def _style(self, upper: Value, lower: Value) -> Style:
        known = self._styles.get((upper, lower))
        if known is None:
            over, under = self._colour(upper).rich_color, self._colour(lower).rich_color
            known = self._styles[upper, lower] = Style(color=over, bgcolor=under)
        return known

    def _colour(self, value: Value) -> Color:
        known = self._colours.get(value)
        if known is None:
            known = self._colours[value] = self._mix(*value)
        return known

    def _mix(self, number: int, outside: bool) -> Color:
        low, high = self._ends
        ground = self._background
        if number == CURSOR:
            return self._cursor
        if number == NO_DATA:
            return ground
        share = number / LEVELS
        colour = ground.blend(low, 0.06 + 1.5 * share) if share < 0.6 else low
        if share >= 0.6:
            colour = low.blend(high, (share - 0.6) / 0.4)
        return ground.blend(colour, 0.35) if outside else colour
