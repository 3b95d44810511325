"""The main screen at its sizes: what is shown, that nothing is cut, focus and maximising."""

from __future__ import annotations

import re

import pytest
from textual.color import Color
from textual.pilot import Pilot

from kvtop.events import NodeState, NodeStatus, ProcessUsage, TargetsChanged
from kvtop.widgets.arrangement import plan_for
from tests.widgets import golden
from tests.widgets.app import MainApp
from tests.widgets.made_up import START, fill, make_store, play, targets
from tests.widgets.render import screen_text

SIZES = [(80, 24), (120, 40), (200, 50)]


async def settled(pilot: Pilot[object]) -> str:
    await pilot.pause()
    await pilot.pause()
    return screen_text(pilot.app)


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("cluster", [True, False], ids=["cluster", "attach"])
async def test_screen(size: tuple[int, int], cluster: bool) -> None:
    app = MainApp(fill(make_store(cluster)))
    async with app.run_test(size=size) as pilot:
        kind = "cluster" if cluster else "attach"
        golden.check(f"{kind}-{size[0]}x{size[1]}.txt", await settled(pilot))


async def test_screenshot_of_the_middle_size() -> None:
    app = MainApp(fill(make_store()))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        golden.check("main-120x40.svg", golden.steady_svg(app.export_screenshot()))


@pytest.mark.parametrize("theme", ["ansi-dark", "textual-light"])
async def test_other_themes_show_the_same_text(theme: str) -> None:
    app = MainApp(fill(make_store()))
    async with app.run_test(size=(120, 40)) as pilot:
        before = await settled(pilot)
        app.theme = theme
        after = await settled(pilot)
        frames = str.maketrans("━┃┏┓┗┛", "─│╭╮╰╯")
        assert after.translate(frames) == before


async def test_no_color_emits_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = MainApp(fill(make_store()))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        for strip in app.screen._compositor.render_strips():
            for segment in strip:
                style = segment.style
                if style is not None:
                    assert style.color is None or style.color.is_default
                    assert style.bgcolor is None or style.bgcolor.is_default


async def test_an_empty_store_says_that_it_waits() -> None:
    app = MainApp(make_store())
    async with app.run_test(size=(120, 40)) as pilot:
        text = await settled(pilot)
        assert "perf is starting" in text
        assert "no operation yet" in text
        assert "no samples yet" in text
        assert "no log line yet" in text


async def test_every_size_survives() -> None:
    app = MainApp(fill(make_store(), 5))
    async with app.run_test(size=(80, 24)) as pilot:
        for size in [(20, 5), (10, 3), (40, 10), (300, 80), (60, 60), (1, 1), (80, 24)]:
            await pilot.resize_terminal(*size)
            app.tick()
            await pilot.pause()
        assert "Cluster" in await settled(pilot)


async def test_numbers_bring_up_panes_also_hidden_ones() -> None:
    app = MainApp(fill(make_store()))
    async with app.run_test(size=(80, 24)) as pilot:
        assert "6 Logs" not in await settled(pilot)
        await pilot.press("6")
        text = await settled(pilot)
        assert "6 Logs" in text and "1 Cluster" not in text
        await pilot.press("3")
        text = await settled(pilot)
        assert "6 Logs" not in text and "1 Cluster" in text
        assert app.focused is app.dashboard.hot_symbols


async def test_maximise_and_back_keeps_the_focus() -> None:
    app = MainApp(fill(make_store()))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        app.dashboard.toggle_maximised()
        text = await settled(pilot)
        assert "4 Counters" in text and "1 Cluster" not in text
        app.dashboard.toggle_maximised()
        assert "1 Cluster" in await settled(pilot)
        assert app.focused is app.dashboard.counters


async def test_tab_goes_round_the_panes_that_are_shown() -> None:
    app = MainApp(fill(make_store()))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        seen = []
        for _ in range(3):
            seen.append(app.focused)
            await pilot.press("tab")
        board = app.dashboard
        assert seen == [board.hot_symbols, board.cluster, board.stress]


async def test_a_tick_without_news_draws_nothing() -> None:
    app = MainApp(fill(make_store()))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        versions = [pane._version for pane in app.dashboard.panes]
        app.tick()
        assert [pane._version for pane in app.dashboard.panes] == versions


@pytest.mark.parametrize("cluster", [True, False])
@pytest.mark.parametrize("nodes", [1, 3, 5])
def test_plans_fill_the_height_and_place_panes_once(cluster: bool, nodes: int) -> None:
    for width in (10, 79, 109, 110, 300):
        for height in range(3, 120):
            plan = plan_for(width, height, cluster, nodes)
            ids = [pane for pane, _ in plan.panes]
            rows = [int(row) for row in plan.rows.split()]
            assert len(ids) == len(set(ids)) and "hot-symbols" in ids
            assert sum(rows) == height and min(rows) > 0
            columns = len(plan.columns.split())
            assert sum(span for _, span in plan.panes) == len(rows) * columns


async def test_what_the_plan_says_is_what_stands_there() -> None:
    app = MainApp(fill(make_store(), 5))
    async with app.run_test(size=(200, 50)) as pilot:
        await settled(pilot)
        board = app.dashboard
        assert all(pane.display for pane in board.panes)
        for pane in board.panes:
            for other in board.panes:
                assert pane is other or not pane.region.overlaps(other.region)
        assert sum(pane.region.area for pane in board.panes) == board.region.area


async def test_the_live_flamegraph_shows_what_hot_symbols_count() -> None:
    store = fill(make_store(), 5)
    app = MainApp(store)
    async with app.run_test(size=(200, 50)) as pilot:
        await settled(pilot)
        graph = app.dashboard.flamegraph
        before = graph.state.tree.weight
        for event in play(store, START + 5, START + 7):
            store.apply(event)
        app.tick()
        assert graph.state.tree.weight > before
        app.dashboard.hot_symbols.set_label("node1")
        app.tick()
        assert "node1" in graph.caption
        assert graph.state.tree.weight == app.dashboard.hot_symbols._counts.weight
        graph.focus()
        await pilot.press("down", "down", "enter")
        assert graph.state.zoom
        await pilot.press("escape")
        assert not graph.state.zoom


async def test_enter_on_a_node_profiles_it_alone() -> None:
    app = MainApp(fill(make_store(), 5))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("1", "down", "enter")
        await pilot.pause()
        assert app.dashboard.hot_symbols.label == "node1"
        await pilot.press("enter")
        await pilot.pause()
        assert app.dashboard.hot_symbols.label is None


async def test_a_process_that_exits_is_loud() -> None:
    store = fill(make_store(has_cluster=False), 5)
    store.apply(ProcessUsage(START + 5, "node0", 4101, 71.5, 64 << 20, 9, "sleeping"))
    app = MainApp(store)
    async with app.run_test(size=(120, 40)) as pilot:
        text = await settled(pilot)
        assert re.search(r"node0 .*sleeping +4101 +71\.5 +64\.0M +9", text)
        assert "EXITED" not in text
        store.apply(TargetsChanged(START + 6, targets()[1:]))
        app.tick()
        text = await settled(pilot)
        assert re.search(r"node0 +EXITED +4101 +– +– +–", text)
        assert "4 alive · 1 exited" in text


async def test_more_nodes_get_more_lines() -> None:
    store = fill(make_store(), 5)
    app = MainApp(store)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        for number in range(3, 5):
            store.apply(NodeStatus(START + 6, f"node{number}", 4101 + number, NodeState.UP))
        app.tick()
        text = await settled(pilot)
        assert all(f"node{number}" in text for number in range(5))
        assert app.dashboard.cluster.region.height == 8


def contrast(one: Color, other: Color) -> float:
    """The contrast ratio of WCAG 2."""

    def luminance(colour: Color) -> float:
        parts = [v / 255 for v in colour.rgb]
        parts = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "nord", "gruvbox", "dracula"])
async def test_text_can_be_read_in_every_theme(theme: str) -> None:
    app = MainApp(fill(make_store(), 5))
    async with app.run_test(size=(200, 50)) as pilot:
        app.theme = theme
        text = await settled(pilot)
        assert text
        for strip in app.screen._compositor.render_strips():
            for segment in strip:
                style = segment.style
                if style is None or not any(c.isalnum() for c in segment.text):
                    continue
                assert style.color is not None and style.bgcolor is not None
                ratio = contrast(
                    Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)
                )
                # The cursor of gruvbox has no more than 2.36, by its own choice.
                assert ratio > 2.3, (theme, segment)
