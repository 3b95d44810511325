"""The time map: columns in view, cursor, selection by keys and mouse, what is drawn where."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from kvtop.events import SampleBatch
from kvtop.profile.heat import HeatColumns
from kvtop.profile.scope import TimeRange
from kvtop.store import Store
from kvtop.widgets.heat_rows import LEVELS, NO_DATA, level, scale_top
from kvtop.widgets.time_heat import slot_values, target_values
from kvtop.widgets.time_map import TimeMap
from kvtop.widgets.time_view import TimeView
from tests.widgets import golden
from tests.widgets.made_up import START, change, fill, make_store, play
from tests.widgets.render import screen_text

LEFT = 1 + 10
"""Where columns begin: the border and the labels."""


class MapApp(App[None]):
    """A time map and what it said."""

    def __init__(self, store: Store, label: str | None = None) -> None:
        super().__init__()
        self.map = TimeMap(store, label=label)
        self.said: list[TimeRange | None] = []
        self.opened = 0

    def compose(self) -> ComposeResult:
        yield self.map

    def on_mount(self) -> None:
        self.map.focus()

    def on_time_map_selected(self, event: TimeMap.Selected) -> None:
        self.said.append(event.chosen)

    def on_time_map_opened(self, event: TimeMap.Opened) -> None:
        self.opened += 1


@asynccontextmanager
async def shown(
    width: int = 80, height: int = 24, seconds: float = 100.0, label: str | None = None
) -> AsyncIterator[tuple[MapApp, Pilot[None]]]:
    app = MapApp(fill(make_store(), seconds), label)
    async with app.run_test(size=(width, height)) as pilot:
        await pilot.pause()
        yield app, pilot


def view(cells: int = 50, seconds: float = 100.0) -> TimeView:
    made = TimeView(fill(make_store(), seconds))
    made.cells, made.slots = cells, 10
    return made


def second(time: float) -> object:
    return pytest.approx(time), pytest.approx(time + 1)


# What is in view


def test_it_follows_the_newest_until_the_cursor_is_there() -> None:
    one = view()
    assert one.following and one.bounds == (START + 50, START + 100)
    for event in play(one.store, START + 100, START + 110):
        one.store.apply(event)
    assert one.bounds == (START + 60, START + 110)
    one.move(-1)
    assert one.column == one.newest and not one.following
    for event in play(one.store, START + 110, START + 120):
        one.store.apply(event)
    assert one.bounds == (START + 60, START + 110)
    one.follow()
    assert one.bounds == (START + 70, START + 120) and one.column is None


def test_the_cursor_takes_the_view_along_and_stays_inside_of_what_there_is() -> None:
    one = view()
    for _ in range(60):
        one.move(-1)
    assert one.cell == second(START + 40) and one.bounds[0] == START + 40
    for _ in range(100):
        one.move(-1)
    assert one.cell == second(START)
    for _ in range(300):
        one.move(1)
    assert one.cell == second(START + 99) and one.bounds[1] == START + 100


def test_scrolling_ends_at_the_oldest_and_at_the_newest() -> None:
    one = view()
    one.scroll(-20)
    assert one.bounds == (START + 30, START + 80)
    one.scroll(-500)
    assert one.bounds == (START, START + 50)
    one.scroll(500)
    assert one.following


@pytest.mark.parametrize("step", [-1, 1])
def test_the_cursor_keeps_its_moment_when_columns_get_wider(step: int) -> None:
    one = view()
    for _ in range(11):
        one.move(-1)
    before = one.cell
    one.scale(step)
    after = one.cell
    assert before is not None and after is not None and one.step in (0.5, 2.0)
    assert max(before[0], after[0]) < min(before[1], after[1])
    for _ in range(9):
        one.scale(step)
    assert one.step in (0.2, 10.0)


# What is selected


def test_the_selection_stretches_from_where_it_was_begun() -> None:
    one = view()
    for _ in range(11):
        one.move(-1)
    one.toggle_anchor()
    assert one.selection == TimeRange(START + 89, START + 90)
    one.move(-2)
    assert one.selection == TimeRange(START + 87, START + 90)
    one.move(5)
    assert one.selection == TimeRange(START + 89, START + 93)
    one.toggle_anchor()
    one.move(3)
    assert one.selection == TimeRange(START + 89, START + 93)


def test_parts_of_a_second_can_be_selected() -> None:
    one = view()
    one.move(0)
    one.move_slot(1)
    one.move_slot(1)
    one.toggle_anchor()
    one.move_slot(1)
    chosen = one.selection
    assert chosen is not None
    assert (chosen.start, chosen.end) == pytest.approx((START + 99.1, START + 99.3))
    one.move_slot(-9)
    assert one.slot is None and one.selection == TimeRange(START + 99, START + 100)


def test_spikes_come_worst_first_and_each_is_in_view() -> None:
    one = view()
    peaks = []
    for _ in range(4):
        assert one.select_spike()
        assert one.selection is not None and "p99 spike" in one.selection.why
        assert one.column is not None and one.first <= one.column <= one.last
        peaks.append(one.selection)
    assert peaks[0].why == "p99 spike 27.3ms"
    assert len({chosen.start for chosen in peaks}) == 4


def test_without_latencies_the_busiest_moment_is_selected() -> None:
    store = make_store(has_cluster=False)
    one = TimeView(fill(store, 20))
    assert not one.select_spike()  # every second has as many samples
    for event in play(store, START + 10, START + 11):
        if isinstance(event, SampleBatch):
            store.apply(event)
    assert one.select_spike() and one.selection is not None
    assert one.selection.why == "most samples 400"
    assert one.selection.start == START + 10


def test_markers_are_gone_through_in_both_directions() -> None:
    one = view()
    seen = []
    while one.to_marker(-1):
        assert one.cell is not None
        seen.append(one.cell[0] - START)
    assert seen == [45.0, 31.0, 30.0, 0.0]
    assert one.to_marker(1) and one.cell == second(START + 30)


def test_samples_of_one_target_are_counted_by_themselves() -> None:
    one = view()
    alone = TimeView(one.store, "node1")
    everyone = one.samples(START + 10, START + 20)
    assert everyone == 2000 and 0 < alone.samples(START + 10, START + 20) < everyone


# Shades


def test_shades_tell_none_few_and_no_data_apart() -> None:
    assert level(None, 100.0) == NO_DATA and level(0, 100.0) == 0
    assert level(1, 100.0) == 1 and level(100, 100.0) == LEVELS
    assert [scale_top(n) for n in (0, 1, 9, 11, 16, 61, 850)] == [1, 1, 10, 15, 20, 80, 1000]


def test_what_is_still_on_its_way_is_no_data_and_idleness_is_none() -> None:
    one = view(cells=3, seconds=20)
    store, heat = one.store, HeatColumns(one.axis)
    store.ring.clear()
    change(store, START + 18.05, 0.5, 0, 10)
    rows, most = slot_values(one, heat, store)
    assert most == 1
    # Parsed until 19.5 - 0.12: nothing ran after 18.5, and what ran after 19.38 is not known.
    assert [row[2][0] for row in rows] == [0] * 4 + [NO_DATA] * 6
    assert [row[1][0] for row in rows] == [LEVELS] * 5 + [0] * 5
    assert {row[0][0] for row in rows} == {NO_DATA}


def test_what_is_not_selected_is_outside() -> None:
    one = view(cells=3, seconds=20)
    one.select(TimeRange(START + 18.5, START + 19))
    rows, _ = slot_values(one, HeatColumns(one.axis), one.store)
    assert [row[1][1] for row in rows] == [True] * 5 + [False] * 5
    assert all(row[0][1] and row[2][1] for row in rows)
    targets, _ = target_values(one, HeatColumns(one.axis), one.store)
    assert [out for _, out in targets["node1"]] == [True, False, True]


# The widget


async def test_a_stretch_is_selected_by_keys() -> None:
    async with shown() as (app, pilot):
        await pilot.press("left", "left", "left", "v", "left", "v", "enter")
        await pilot.pause()
        assert app.said[-1] == TimeRange(START + 96, START + 98) and app.opened == 1
        text = screen_text(app)
        assert "selected 22:14:56–22:14:58 (2s)  400 samples" in text
        await pilot.press("shift+left")
        await pilot.pause()
        assert app.said[-1] == TimeRange(START + 95, START + 97)


async def test_enter_without_a_selection_takes_the_column() -> None:
    async with shown() as (app, pilot):
        await pilot.press("left", "enter")
        await pilot.pause()
        assert app.said == [TimeRange(START + 99, START + 100)] and app.opened == 1


async def test_dragging_over_the_curves_selects_whole_columns() -> None:
    async with shown() as (app, pilot):
        await pilot.mouse_down(offset=(LEFT + 30, 14))
        await pilot.hover(offset=(LEFT + 28, 14))
        await pilot.hover(offset=(LEFT + 20, 14))
        await pilot.mouse_up(offset=(LEFT + 20, 14))
        await pilot.pause()
        first = app.map.view.first
        start = app.map.view.axis.start(first + 20)
        assert app.said == [TimeRange(start, start + 11)]


async def test_one_target_is_shown_alone() -> None:
    async with shown(label="node1") as (app, pilot):
        await pilot.press("left", "t")
        await pilot.pause()
        text = screen_text(app)
        assert "node1" in text and "client0" not in text and "node0" not in text


async def test_every_target_has_a_row_where_there_is_room() -> None:
    async with shown() as (app, pilot):
        await pilot.press("t")
        await pilot.pause()
        text = screen_text(app)
        assert all(f"{name} " in text for name in app.map.store.targets)
        await pilot.resize_terminal(80, 12)
        await pilot.pause()
        text = screen_text(app)
        assert "client0" in text and "more; t on the main screen" in text


async def test_the_past_is_not_drawn_again_while_only_the_present_moves() -> None:
    async with shown(seconds=100) as (app, pilot):
        await pilot.press("left", *["pageup"] * 2)
        await pilot.pause()
        before = app.map.data_revision()
        for event in play(app.map.store, START + 100, START + 110):
            app.map.store.apply(event)
        assert app.map.data_revision() == before


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_it_looks_as_it_did(size: tuple[int, int]) -> None:
    async with shown(*size) as (app, pilot):
        await pilot.press("p")
        await pilot.pause()
        golden.check(f"time-map-{size[0]}x{size[1]}.txt", screen_text(app))


async def test_its_colours_are_as_they_were() -> None:
    async with shown(120, 40) as (app, pilot):
        await pilot.press("p", "v", "left", "left", "left", "v")
        await pilot.pause()
        golden.check("time-map.svg", golden.steady_svg(app.export_screenshot()))


@pytest.mark.parametrize("size", [(20, 5), (40, 10), (10, 3)])
async def test_a_tiny_terminal_does_not_break_it(size: tuple[int, int]) -> None:
    async with shown(*size) as (_, pilot):
        await pilot.press("p", "t", "minus", "t", "left", "v", "down", "home", "end")
        await pilot.pause()


async def test_an_empty_store_says_what_can_be_done() -> None:
    app = MapApp(make_store())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("p", "left", "v", "enter", "home", "n", "N")
        await pilot.pause()
        assert "selected" in screen_text(app)


async def test_without_colour_a_row_has_one_part_and_glyphs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = MapApp(fill(make_store(), 60))
    app.ansi_color = True
    app.theme = "ansi-dark"
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("left")
        await pilot.pause()
        text = screen_text(app)
        assert "row 200ms" in text and "▓▓" in text
