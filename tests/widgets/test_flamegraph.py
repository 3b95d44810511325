"""The flamegraph by key and by mouse, under moving data, at three sizes."""

from __future__ import annotations

import re

import pytest
from textual.pilot import Pilot

from kvtop.profile.stacks import StackTable
from kvtop.profile.tree import CallTree
from kvtop.store import Store
from kvtop.widgets.flamegraph import Flamegraph
from kvtop.widgets.flamegraph_screen import FlamegraphScreen
from tests.widgets import golden
from tests.widgets.app import MainApp, WidgetApp
from tests.widgets.made_up import PYTHON, START, fill, make_store, play
from tests.widgets.render import screen_text, widget_text

SIZES = [(80, 24), (120, 40), (200, 50)]


def small() -> tuple[StackTable, dict[int, int]]:
    """all -> main -> {alpha 60 -> leaf 20, beta 30 -> leaf 30, gamma 10}."""
    table = StackTable()
    main, alpha, beta, gamma, leaf = (
        table.frame_id(name, "/bin/x") for name in ("main", "alpha", "beta", "gamma", "leaf")
    )
    return table, {
        table.stack_id([main, alpha]): 40,
        table.stack_id([main, alpha, leaf]): 20,
        table.stack_id([main, beta, leaf]): 30,
        table.stack_id([main, gamma]): 10,
    }


class Bench:
    """A flamegraph over the small profile."""

    def __init__(self) -> None:
        self.table, self.counts = small()
        self.graph = Flamegraph(self.table)
        self.app = WidgetApp(self.graph)

    def load(self, counts: dict[int, int] | None = None) -> None:
        self.graph.set_counts(self.counts if counts is None else counts, self.table, "made up")

    @property
    def selected(self) -> str:
        state = self.graph.state
        return state.tree.frame(state.selected).symbol

    @property
    def zoomed(self) -> str:
        state = self.graph.state
        return state.tree.frame(state.zoom).symbol

    def row(self, number: int) -> str:
        return widget_text(self.graph).splitlines()[1 + number]


async def ready(pilot: Pilot[object], bench: Bench) -> None:
    bench.load()
    bench.graph.focus()
    await pilot.pause()


async def test_boxes_are_as_wide_as_their_share() -> None:
    bench = Bench()
    async with bench.app.run_test(size=(102, 20)) as pilot:
        await ready(pilot, bench)
        assert bench.row(0).startswith("│ all · 100 samples")
        assert bench.row(1).startswith("│ main")
        line = bench.row(2)
        assert (line.index("alpha"), line.index("beta"), line.index("gamma")) == (2, 62, 92)
        assert [m.start() for m in re.finditer("leaf", bench.row(3))] == [2, 62]


async def test_arrows_walk_parents_children_and_siblings() -> None:
    bench = Bench()
    async with bench.app.run_test(size=(102, 20)) as pilot:
        await ready(pilot, bench)
        walk = []
        for key in (
            "down",
            "down",
            "down",
            "right",
            "up",
            "right",
            "left",
            "left",
            "up",
            "up",
            "up",
        ):
            await pilot.press(key)
            walk.append(bench.selected)
        assert walk == [
            "main", "alpha", "leaf", "leaf", "beta", "gamma", "beta", "alpha", "main", "all", "all",
        ]  # fmt: skip


async def test_details_are_of_the_selected_box() -> None:
    bench = Bench()
    async with bench.app.run_test(size=(102, 20)) as pilot:
        await ready(pilot, bench)
        await pilot.press("down", "down")
        text = widget_text(bench.graph)
        assert "alpha  native  x" in text
        assert "total 60 (60.0%)   self 40 (40.0%)   of parent 60.0%   samples" in text


async def test_zoom_by_key_and_back() -> None:
    bench = Bench()
    async with bench.app.run_test(size=(102, 20)) as pilot:
        await ready(pilot, bench)
        await pilot.press("down", "down", "right", "enter")
        assert bench.zoomed == "beta"
        assert bench.row(2).index("beta") == 2 and "alpha" not in bench.row(2)
        await pilot.press("down", "enter")
        assert bench.zoomed == "leaf"
        await pilot.press("backspace")
        assert bench.zoomed == "beta"
        await pilot.press("u")
        assert bench.zoomed == "all" and "alpha" in bench.row(2)


async def test_zoom_by_click_and_hover() -> None:
    bench = Bench()
    async with bench.app.run_test(size=(102, 20)) as pilot:
        await ready(pilot, bench)
        await pilot.hover(bench.graph, offset=(96, 3))
        assert "gamma  native" in widget_text(bench.graph)
        await pilot.hover(bench.graph, offset=(50, 12))
        assert "gamma  native" not in widget_text(bench.graph)
        await pilot.click(bench.graph, offset=(70, 3))
        assert (bench.zoomed, bench.selected) == ("beta", "beta")
        await pilot.click(bench.graph, offset=(70, 3))
        assert bench.zoomed == "all"


async def test_selection_and_zoom_follow_the_path_when_data_moves() -> None:
    bench = Bench()
    async with bench.app.run_test(size=(102, 20)) as pilot:
        await ready(pilot, bench)
        await pilot.press("down", "down", "right", "enter", "down")
        new = bench.table.stack_id(
            [bench.table.frame_id("main", "/bin/x"), bench.table.frame_id("aaa", "/bin/x")]
        )
        bench.load({**bench.counts, new: 500})
        await pilot.pause()
        assert (bench.zoomed, bench.selected) == ("beta", "leaf")
        await pilot.press("u")
        assert "aaa" in bench.row(2)


async def test_siblings_keep_their_order_when_weights_change() -> None:
    bench = Bench()
    async with bench.app.run_test(size=(102, 20)) as pilot:
        await ready(pilot, bench)
        bench.load({stack: 101 - weight for stack, weight in bench.counts.items()})
        await pilot.pause()
        line = bench.row(2)
        assert line.index("alpha") < line.index("beta") < line.index("gamma")


async def test_search_says_the_share_and_walks_the_matches() -> None:
    bench = Bench()
    async with bench.app.run_test(size=(102, 20)) as pilot:
        await ready(pilot, bench)
        bench.graph.search(re.compile("leaf|gamma"))
        await pilot.pause()
        assert "matched 60.0%" in widget_text(bench.graph)
        found = []
        for key in ("n", "n", "n", "n", "N"):
            await pilot.press(key)
            found.append(bench.selected)
        # The widest first (beta's leaf), then in the order in which they stand.
        assert found == ["leaf", "gamma", "leaf", "leaf", "leaf"]
        bench.graph.search(None)
        await pilot.pause()
        assert "matched" not in widget_text(bench.graph)


async def test_upside_down_and_callers_first() -> None:
    bench = Bench()
    async with bench.app.run_test(size=(102, 20)) as pilot:
        await ready(pilot, bench)
        await pilot.press("i")
        lines = widget_text(bench.graph).splitlines()
        assert "all · 100" in lines[-5]
        assert "alpha" in lines[-7]
        await pilot.press("up", "up")
        assert bench.selected == "alpha"
        await pilot.press("i", "c")
        assert "callers first" in widget_text(bench.graph)
        assert bench.row(1).split("│")[1].split()[:1] == ["alpha"]
        assert "leaf" in bench.row(1) and "main" in bench.row(2)


async def test_glue_is_folded_until_it_is_asked_for() -> None:
    table = StackTable()
    stack = table.stack_id(
        [table.frame_id("py::f:/a.py", ""), table.frame_id("_PyEval_EvalFrameDefault", PYTHON)]
    )
    graph = Flamegraph(table)
    async with WidgetApp(graph).run_test(size=(80, 20)) as pilot:
        graph.set_counts({stack: 3}, table)
        graph.focus()
        await pilot.pause()
        assert "_PyEval" not in widget_text(graph) and "f  a.py" in widget_text(graph)
        await pilot.press("g")
        assert "_PyEval_EvalFrameDefault" in widget_text(graph)
        assert "interpreter glue" in widget_text(graph)


async def test_recursion_folds() -> None:
    table = StackTable()
    f = table.frame_id("f", "/bin/x")
    graph = Flamegraph(table)
    async with WidgetApp(graph).run_test(size=(80, 30)) as pilot:
        graph.set_counts({table.stack_id([f] * 5): 3}, table)
        graph.focus()
        await pilot.pause()
        assert len(graph.state.layout.rows) == 6
        await pilot.press("R")
        assert len(graph.state.layout.rows) == 2


async def test_very_deep_stacks_scroll() -> None:
    table = StackTable()
    frames = [table.frame_id(f"level{n}", "/bin/x") for n in range(2000)]
    graph = Flamegraph(table)
    async with WidgetApp(graph).run_test(size=(80, 24)) as pilot:
        graph.set_counts({table.stack_id(frames): 7}, table)
        graph.focus()
        await pilot.pause()
        for _ in range(40):
            await pilot.press("down")
        assert "level39" in widget_text(graph) and "level5 " not in widget_text(graph)
        for _ in range(3):
            await pilot.press("pagedown")
        assert "level80" in widget_text(graph)


async def test_the_name_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    async with bench.app.run_test(size=(102, 20)) as pilot:
        await ready(pilot, bench)
        await pilot.press("down", "y")
        assert bench.app.clipboard == "main"


async def test_hostile_names_are_text() -> None:
    table = StackTable()
    names = ("[red]boo[/]", "\x1b[31mesc", "bi\u202edi")
    graph = Flamegraph(table)
    async with WidgetApp(graph).run_test(size=(120, 20)) as pilot:
        graph.set_counts({table.stack_id([table.frame_id(n, "/x")]): 1 for n in names}, table)
        await pilot.pause()
        text = widget_text(graph)
        assert "[red]boo[/]" in text and "\\x1b[31mesc" in text and "bi\\u202edi" in text
        assert "\x1b" not in text and "\u202e" not in text


# The screen around it


class Journey:
    """The flamegraph screen over a made-up run."""

    def __init__(self, **options: object) -> None:
        self.store: Store = fill(make_store(), 40)
        self.app = MainApp(self.store)
        self.screen = FlamegraphScreen(self.store, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
async def test_screen(size: tuple[int, int]) -> None:
    journey = Journey()
    async with journey.app.run_test(size=size) as pilot:
        await journey.app.push_screen(journey.screen)
        await pilot.pause()
        await pilot.press("down", "down", "down", "down", "down")
        await pilot.pause()
        golden.check(f"flamegraph-{size[0]}x{size[1]}.txt", screen_text(journey.app))
        if size == (120, 40):
            svg = golden.steady_svg(journey.app.export_screenshot())
            golden.check("flamegraph-120x40.svg", svg)


async def test_without_colour_boxes_are_still_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    journey = Journey()
    async with journey.app.run_test(size=(80, 24)) as pilot:
        await journey.app.push_screen(journey.screen)
        await pilot.pause()
        golden.check("flamegraph-no-color.txt", screen_text(journey.app))


async def test_it_follows_until_it_is_frozen() -> None:
    journey = Journey(window=10.0)
    async with journey.app.run_test(size=(120, 30)) as pilot:
        await journey.app.push_screen(journey.screen)
        await pilot.pause()
        before = journey.screen.flamegraph.caption
        assert "of 10s · all targets" in before
        await pilot.press("space")
        assert "FROZEN at" in journey.screen.flamegraph.caption
        frozen = journey.screen.flamegraph.state.tree.weight
        for event in play(journey.store, START + 40, START + 44):
            journey.store.apply(event)
        journey.screen.refresh_data()
        assert journey.screen.flamegraph.state.tree.weight == frozen
        await pilot.press("space")
        assert "FROZEN" not in journey.screen.flamegraph.caption
        await pilot.press("right_square_bracket")
        assert "of 30s" in journey.screen.flamegraph.caption
        assert journey.screen.flamegraph.state.tree.weight > frozen


async def test_a_frozen_window_outlives_the_ring() -> None:
    journey = Journey(window=10.0)
    async with journey.app.run_test(size=(120, 30)) as pilot:
        await journey.app.push_screen(journey.screen)
        await pilot.pause()
        await pilot.press("space")
        weight = journey.screen.flamegraph.state.tree.weight
        journey.store.ring.clear()
        for _ in range(3):
            journey.store.table.compact()
        await pilot.press("c", "g")
        assert journey.screen.flamegraph.state.tree.weight == weight
        await pilot.press("escape")
        await pilot.pause()
        for _ in range(3):
            journey.store.table.compact()
        assert len(journey.store.table) == 0


async def test_groups() -> None:
    journey = Journey()
    async with journey.app.run_test(size=(160, 30)) as pilot:
        await journey.app.push_screen(journey.screen)
        await pilot.pause()
        await pilot.press("t")
        text = screen_text(journey.app)
        assert "by label" in text
        assert all(name in text for name in ("node0", "node1", "node2", "client0", "client1"))
        await pilot.press("t")
        assert "leader" in screen_text(journey.app) and "follower" in screen_text(journey.app)


async def test_search_is_typed_and_escape_goes_back_step_by_step() -> None:
    journey = Journey()
    async with journey.app.run_test(size=(120, 30)) as pilot:
        await journey.app.push_screen(journey.screen)
        await pilot.pause()
        await pilot.press("slash", *"fdatasync")
        await pilot.pause()
        assert re.search(r"matched 1\d\.\d%", screen_text(journey.app))
        await pilot.press("enter")
        await pilot.pause()
        assert "fdatasync  native  libc.so.6" in screen_text(journey.app)
        await pilot.press("enter")
        assert "zoomed" in screen_text(journey.app)
        await pilot.press("escape")
        assert journey.screen.flamegraph.state.pattern is None
        await pilot.press("escape")
        assert journey.screen.flamegraph.state.zoom == 0
        await pilot.press("escape")
        await pilot.pause()
        assert journey.app.screen is not journey.screen


async def test_a_bad_regex_is_said_and_escape_restores() -> None:
    journey = Journey()
    async with journey.app.run_test(size=(120, 30)) as pilot:
        await journey.app.push_screen(journey.screen)
        await pilot.pause()
        await pilot.press("slash", "(", "a")
        await pilot.pause()
        assert "not a regex" in screen_text(journey.app)
        await pilot.press("enter")
        assert journey.app.screen is not journey.screen
        await pilot.press("escape")
        await pilot.pause()
        assert journey.app.screen is journey.screen
        assert journey.screen.flamegraph.state.pattern is None


async def test_s_saves_through_the_application() -> None:
    saved = []
    journey = Journey(save=lambda: saved.append(1))
    async with journey.app.run_test(size=(120, 30)) as pilot:
        await journey.app.push_screen(journey.screen)
        await pilot.pause()
        await pilot.press("s")
        assert saved == [1]


async def test_help_lists_the_keys() -> None:
    journey = Journey()
    async with journey.app.run_test(size=(120, 40)) as pilot:
        await journey.app.push_screen(journey.screen)
        await pilot.pause()
        await pilot.press("question_mark")
        await pilot.pause()
        text = screen_text(journey.app)
        assert "Keys of the flamegraph" in text and "zoom into the box" in text
        await pilot.press("escape")
        await pilot.pause()
        assert journey.app.screen is journey.screen


async def test_a_screen_opens_on_the_tree_that_a_pane_has() -> None:
    store = fill(make_store(True))
    made = CallTree(store.table)
    made.update(store.ring.fold())
    screen = FlamegraphScreen(store, 30.0, tree=made.copy())
    async with MainApp(store).run_test(size=(120, 40)) as pilot:
        pilot.app.push_screen(screen)
        await pilot.pause()
        assert "fdatasync" in screen_text(pilot.app)
        assert screen.flamegraph.state.tree.weight == sum(screen.counts().values())


@pytest.mark.parametrize("key", ["w", "a"])
async def test_a_box_that_is_no_function_has_no_callers_and_says_so(key: str) -> None:
    bench = Bench()
    async with bench.app.run_test(size=(102, 20)) as pilot:
        await ready(pilot, bench)
        await pilot.press(key)
        assert ["Select a function first" in n.message for n in bench.app._notifications] == [True]
