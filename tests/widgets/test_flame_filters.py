"""Frames that are hidden, stacks that are kept, plumbing that is dimmed, closer looks by key."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from kvtop.profile.frames import Frame, Kind, make_frame
from kvtop.profile.plumbing import is_plumbing
from kvtop.widgets.flamegraph_screen import FlamegraphScreen
from kvtop.widgets.samples import FunctionAsked
from tests.widgets.app import MainApp
from tests.widgets.made_up import PYTHON, fill, make_store
from tests.widgets.render import screen_text


class Journey(MainApp):
    """The flamegraph screen over a made-up run; ``asked`` holds the closer looks asked for."""

    def __init__(self) -> None:
        super().__init__(fill(make_store(), 40))
        self.graph = FlamegraphScreen(self.store)
        self.asked: list[FunctionAsked] = []

    def on_function_asked(self, event: FunctionAsked) -> None:
        self.asked.append(event)

    async def open(self, pilot: Pilot[object]) -> None:
        await self.push_screen(self.graph)
        await pilot.pause()

    @property
    def symbols(self) -> set[str]:
        """Names of all boxes with weight."""
        tree = self.graph.flamegraph.state.tree
        return {tree.frame(n).symbol for n in range(1, len(tree)) if tree.total[n]}

    @property
    def weight(self) -> int:
        return self.graph.flamegraph.state.tree.weight


async def test_only_stacks_that_match_stay_until_escape() -> None:
    app = Journey()
    async with app.run_test(size=(160, 40)) as pilot:
        await app.open(pilot)
        whole = app.weight
        assert "uv__io_poll" in app.symbols
        await pilot.press("F", *"skiplist", "enter")
        await pilot.pause()
        assert 0 < app.weight < whole
        assert "uv__io_poll" not in app.symbols
        assert {"main", "SkipList.insert", "PyLong_FromLong"} <= app.symbols
        assert "only /skiplist/" in screen_text(app)
        assert sum(app.graph.counts().values()) == app.weight, "what is saved is what is shown"
        await pilot.press("t")
        assert app.graph.grouping is not None and app.weight < whole
        await pilot.press("escape")
        assert app.weight == whole and "only /" not in screen_text(app)
        assert app.screen is app.graph


async def test_hidden_frames_give_their_callees_to_their_callers() -> None:
    app = Journey()
    async with app.run_test(size=(160, 40)) as pilot:
        await app.open(pilot)
        whole = app.weight
        await pilot.press("X", *"^node|libc", "enter")
        await pilot.pause()
        tree = app.graph.flamegraph.state.tree
        assert "Node.step" not in app.symbols and "__libc_start_main@@GLIBC_2.34" not in app.symbols
        entries = next(n for n in range(len(tree)) if tree.frame(n).symbol == "Log.term_at")
        assert tree.frame(tree.parent[entries]).symbol == "main"
        assert app.weight == whole, "no weight is lost"
        assert "without /^node|libc/" in screen_text(app)
        await pilot.press("slash", *"node", "enter")
        await pilot.pause()
        assert "matched 0.0%" in screen_text(app), "what is hidden is not found"
        await pilot.press("escape", "escape")
        assert "Node.step" in app.symbols and "without" not in screen_text(app)


async def test_both_filters_go_at_once_and_zoom_stays() -> None:
    app = Journey()
    async with app.run_test(size=(160, 40)) as pilot:
        await app.open(pilot)
        await pilot.press("down", "enter", "X", *"node", "enter", "F", *"log", "enter")
        await pilot.pause()
        assert "only /log/ · without /node/" in screen_text(app)
        zoom = app.graph.flamegraph.state.zoom
        assert zoom
        await pilot.press("escape")
        assert "only" not in app.graph.flamegraph.caption
        assert app.graph.flamegraph.state.zoom
        await pilot.press("escape")
        assert not app.graph.flamegraph.state.zoom
        assert app.screen is app.graph


async def test_nothing_that_matches_is_an_empty_graph() -> None:
    app = Journey()
    async with app.run_test(size=(100, 30)) as pilot:
        await app.open(pilot)
        await pilot.press("F", *"nosuchname", "enter", "t", "down", "w", "a")
        await pilot.pause()
        assert app.weight == 0 and not app.asked


async def test_plumbing_is_dimmed_on_a_key() -> None:
    app = Journey()
    async with app.run_test(size=(160, 40)) as pilot:
        await app.open(pilot)
        graph = app.graph.flamegraph
        boxes = {graph.state.tree.frame(b.node).symbol: b.node
                 for row in graph.state.layout.rows for b in row}  # fmt: skip
        before = {name: graph._steady_look(node) for name, node in boxes.items()}
        await pilot.press("A")
        after = {name: graph._steady_look(node) for name, node in boxes.items()}
        changed = {name for name in boxes if before[name] != after[name]}
        assert {"uv__io_poll", "Py_BytesMain"} <= changed
        assert changed.isdisjoint({"SkipList.insert", "main", "fdatasync"})
        assert "event loop dimmed" in screen_text(app)
        await pilot.press("A")
        assert graph._steady_look(boxes["uv__io_poll"]) == before["uv__io_poll"]


async def test_a_closer_look_is_asked_for_the_selected_box() -> None:
    app = Journey()
    async with app.run_test(size=(160, 40)) as pilot:
        await app.open(pilot)
        await pilot.press("w", "down", "w", "a")
        await pilot.pause()
        assert [(e.frame.symbol, e.view) for e in app.asked] == [
            ("_start", "callers"),
            ("_start", "source"),
        ]
        lines = screen_text(app).splitlines()
        row = next(n for n, line in enumerate(lines) if "Py_BytesMain" in line)
        zoom = app.graph.flamegraph.state.zoom
        await pilot.click(offset=(lines[row].index("Py_BytesMain"), row), button=3)
        await pilot.pause()
        assert (app.asked[-1].frame.symbol, app.asked[-1].view) == ("Py_BytesMain", "callers")
        assert app.graph.flamegraph.state.zoom == zoom, "the right button zooms nowhere"


@pytest.mark.parametrize(
    ("symbol", "object", "plumbing"),
    [
        ("py::BaseEventLoop._run_once:/usr/lib/python3.13/asyncio/base_events.py", "", True),
        ("py::Thread._bootstrap:/usr/lib/python3.13/threading.py", "", True),
        ("py::_run_code:<frozen runpy>", "", True),
        ("py::run:/home/me/asyncio_tool.py", "", False),
        ("py::Raft.step:/srv/kv/raft.py", "", False),
        ("uv__io_poll", "/lib/loop.cpython-313-x86_64-linux-gnu.so", True),
        ("__pyx_f_6uvloop_4loop_4Loop__on_idle", "/lib/loop.so", True),
        ("__libc_start_main@@GLIBC_2.34", "/lib/libc.so.6", True),
        ("task_step_impl.lto_priv.0", "/usr/bin/python3.13", True),
        ("main", "/usr/bin/python3.13", True),
        ("main", "/srv/store", False),
        ("fdatasync", "/lib/libc.so.6", False),
        ("do_epoll_wait", "[kernel.kallsyms]", False),
        ("_PyEval_EvalFrameDefault", PYTHON, True),
    ],
)
def test_what_is_plumbing(symbol: str, object: str, plumbing: bool) -> None:
    assert is_plumbing(make_frame(symbol, object)) is plumbing


def test_groups_are_not_plumbing() -> None:
    assert not is_plumbing(Frame("clone3", "", Kind.GROUP))
