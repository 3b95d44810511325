"""Rows of boxes: edges on eighths, gaps, exact width, names only where they fit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.color import Color
from rich.style import Style
from textual.strip import Strip

from kvtop.profile.layout import Box
from kvtop.widgets.flame_labels import shorten
from kvtop.widgets.flame_rows import Look, draw_plain_row, draw_row

BACK = Style(bgcolor="#000000")
COLOURS = [Color.parse(c) for c in ("#aa0000", "#00aa00", "#0000aa")]


def look(node: int) -> Look:
    colour = COLOURS[node % 3]
    return Look(Style(color="#ffffff", bgcolor=colour), colour)


def row(*edges: tuple[float, float], width: int = 10) -> Strip:
    boxes = [Box(n, 1, a, b) for n, (a, b) in enumerate(edges)]
    return draw_row(boxes, width, look, lambda n, w: shorten(f"fn{n}name", w), BACK)


def cells(strip: Strip) -> list[tuple[str, str | None, str | None]]:
    """(character, foreground, background) per cell."""

    def name(colour: Color | None) -> str | None:
        return None if colour is None else colour.name

    return [
        (char, name(s.style.color), name(s.style.bgcolor))
        for s in strip
        if s.style is not None
        for char in s.text
    ]


def test_whole_cells_carry_the_name() -> None:
    assert row((0, 10)).text == " fn0name  "
    assert row((0, 6), (6, 10)).text == " fn0… fn1" or row((0, 6), (6, 10)).text.startswith(" fn")


def test_a_shared_cell_is_split_at_the_eighth() -> None:
    drawn = cells(row((0, 4.5), (4.5, 10)))
    assert drawn[4] == ("▌", "#aa0000", "#00aa00")
    drawn = cells(row((0, 4.125), (4.125, 10)))
    assert drawn[4] == ("▏", "#aa0000", "#00aa00")


def test_an_end_in_the_air_shows_the_background() -> None:
    drawn = cells(row((0, 4.25)))
    assert drawn[4] == ("▎", "#aa0000", "#000000")
    assert drawn[5] == (" ", None, "#000000")
    drawn = cells(row((2.5, 6)))
    assert drawn[1] == (" ", None, "#000000")
    assert drawn[2] == ("▌", "#000000", "#aa0000")


def test_the_terminals_own_background_is_swapped_in() -> None:
    strip = draw_row([Box(0, 1, 2.5, 6)], 10, look, lambda n, w: "", Style(bgcolor="default"))
    style = next(s.style for s in strip if s.text == "▌")
    assert style is not None and style.reverse
    assert (style.color, style.bgcolor) == (COLOURS[0], Color.parse("default"))


def test_neighbours_of_one_colour_have_a_line_between() -> None:
    boxes = [Box(0, 1, 0, 5), Box(3, 1, 5, 10)]
    strip = draw_row(boxes, 10, look, lambda n, w: "", BACK)
    assert cells(strip)[5] == ("▏", "#000000", "#aa0000")


def test_boxes_without_colour_begin_with_a_bar() -> None:
    boxes = [Box(0, 1, 0, 5), Box(1, 1, 5, 10)]
    strip = draw_plain_row(
        boxes, 10, lambda n: Look(Style(underline=True), None), lambda n, w: "ab", BACK
    )
    assert strip.text == "▏ab  ▏ab  "


_EDGES = st.lists(st.floats(0, 30), min_size=2, max_size=30).map(sorted)


@given(_EDGES, st.integers(1, 30))
def test_any_row_has_exactly_its_width(edges: list[float], width: int) -> None:
    scale = width / 30
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    boxes = [Box(n, 1, a * scale, b * scale) for n, (a, b) in enumerate(pairs)]
    for draw in (draw_row, draw_plain_row):
        strip = draw(boxes, width, look, lambda n, w: shorten("function", w), BACK)
        assert sum(segment.cell_length for segment in strip) == width
