"""Styles of a pane's parts are found when they are drawn with, and again when they may differ."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.strip import Strip

from kvtop.widgets.base import LineWidget


class _Plain(LineWidget):
    DEFAULT_CSS = "_Plain { border: none; &:focus { border: none; } }"

    def draw(self, width: int, height: int) -> list[Strip]:
        return [self.line([("x", self.paint("cursor"))])]


class _Two(App[None]):
    def compose(self) -> ComposeResult:
        yield _Plain(id="one")
        yield _Plain(id="two")


async def test_a_part_is_styled_anew_when_the_focus_moves() -> None:
    app = _Two()
    async with app.run_test() as pilot:
        pane = app.query_one("#two", _Plain)
        other = app.query_one("#one", _Plain)
        other.focus()
        await pilot.pause()
        before = pane.paint("cursor"), pane.render_line(0)
        pane.focus()
        await pilot.pause()
        assert pane.paint("cursor") != before[0]
        assert pane.render_line(0) != before[1]
        other.focus()
        await pilot.pause()
        assert (pane.paint("cursor"), pane.render_line(0)) == before


async def test_parts_that_are_not_drawn_with_are_not_styled() -> None:
    app = _Two()
    async with app.run_test() as pilot:
        await pilot.pause()
        pane = app.query_one("#one", _Plain)
        assert set(pane._component_styles) == {"pane--cursor"}
