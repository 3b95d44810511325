"""The logs pane: follow, stand still, filter, levels without colour, hostile lines."""

from __future__ import annotations

import re

from kvtop.events import LogLine
from kvtop.store import Store
from kvtop.widgets.logs import LogsPane
from tests.widgets.app import WidgetApp
from tests.widgets.made_up import START, make_store
from tests.widgets.render import widget_text


def log(store: Store, number: int, text: str = "", level: str = "info") -> None:
    store.apply(LogLine(START + number, f"node{number % 3}", level, text or f"line {number}."))


async def test_it_follows_stands_still_and_follows_again() -> None:
    store = make_store()
    pane = LogsPane(store)
    async with WidgetApp(pane).run_test(size=(60, 10)) as pilot:
        for number in range(30):
            log(store, number)
        pane.refresh_data()
        pane.focus()
        await pilot.pause()
        assert "line 29." in widget_text(pane) and "following" in widget_text(pane)
        await pilot.press("up", "up")
        assert "line 27." in widget_text(pane) and "line 28." not in widget_text(pane)
        before = widget_text(pane).splitlines()[1:-1]
        for number in range(30, 2100):
            log(store, number)
        pane.refresh_data()
        await pilot.pause()
        assert widget_text(pane).splitlines()[1:-1] == before
        assert "2070 new" in widget_text(pane)
        await pilot.press("end")
        assert "line 2099." in widget_text(pane)
        await pilot.press("home")
        assert "line 100." in widget_text(pane)


async def test_the_wheel_scrolls() -> None:
    store = make_store()
    pane = LogsPane(store)
    async with WidgetApp(pane).run_test(size=(60, 10)) as pilot:
        for number in range(30):
            log(store, number)
        pane.refresh_data()
        await pilot.pause()
        await pilot._post_mouse_events([_wheel_up()], pane, button=0)
        await pilot.pause()
        assert not pane.following


def _wheel_up() -> type:
    from textual.events import MouseScrollUp

    return MouseScrollUp


async def test_a_filter_looks_at_source_and_text() -> None:
    store = make_store()
    pane = LogsPane(store)
    async with WidgetApp(pane).run_test(size=(60, 10)) as pilot:
        for number in range(9):
            log(store, number)
        pane.set_filter(re.compile("node1|line 3"))
        pane.refresh_data()
        await pilot.pause()
        text = widget_text(pane)
        assert [int(n) for n in re.findall(r"line (\d)\.", text)] == [1, 3, 4, 7]
        assert "/node1|line 3/" in text


async def test_levels_have_a_glyph_and_hostile_lines_are_text() -> None:
    store = make_store()
    pane = LogsPane(store)
    async with WidgetApp(pane).run_test(size=(100, 10)) as pilot:
        log(store, 1, "it \x1b[2J broke [bold]now[/bold]", "error")
        log(store, 2, "hm\u202e", "warning")
        log(store, 3, "chatter", "debug")
        pane.refresh_data()
        await pilot.pause()
        lines = [line.strip("│ ") for line in widget_text(pane).splitlines()]
        assert lines[1] == "✗ 22:13:21 node1    it \\x1b[2J broke [bold]now[/bold]"
        assert lines[2] == "! 22:13:22 node2    hm\\u202e"
        assert lines[3] == "· 22:13:23 node0    chatter"


async def test_long_lines_can_be_read_to_their_end() -> None:
    store = make_store()
    pane = LogsPane(store)
    async with WidgetApp(pane).run_test(size=(60, 6)) as pilot:
        log(store, 1, "x" * 60 + "the-end")
        pane.refresh_data()
        pane.focus()
        await pilot.pause()
        assert "the-end" not in widget_text(pane)
        await pilot.press("right", "right")
        assert "the-end" in widget_text(pane)
        await pilot.press("left", "left", "left")
        assert "the-end" not in widget_text(pane)
