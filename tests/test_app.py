"""The real application over a session without processes: keys, dialogs, pause, saving."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from math import nextafter
from pathlib import Path

import pytest
from textual.pilot import Pilot

from kvtop import saving
from kvtop.app import NOT_OFFERED, KvtopApp
from kvtop.events import NodeState, SampleBatch, SpiedBatch, StackSample, TargetsChanged
from kvtop.keys import KEYS, Key
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.ring import Filter
from kvtop.profile.scope import WINDOWS, TimeRange
from kvtop.recording.reader import Recording
from kvtop.screens import SCREENS
from kvtop.tool_events import Tool
from kvtop.widgets.base import LineWidget
from kvtop.widgets.dialogs import ConfirmScreen
from kvtop.widgets.diff_screen import DiffScreen
from kvtop.widgets.flamegraph_screen import FlamegraphScreen
from kvtop.widgets.help import HelpScreen
from kvtop.widgets.prompt import PromptScreen
from kvtop.widgets.python_stacks_screen import PythonStacksScreen
from kvtop.widgets.time_map import TimeMap
from kvtop.widgets.time_screen import TimeScreen
from kvtop.widgets.tools_screen import ToolsScreen
from kvtop.widgets.waits_screen import WaitsScreen
from tests.fake_session import FakeSession, config
from tests.widgets import golden
from tests.widgets.conftest import _utc as _utc
from tests.widgets.made_up import START, change, play, targets
from tests.widgets.render import screen_text

SIZE = (120, 40)


class Run:
    """One application under test."""

    def __init__(self, app: KvtopApp, session: FakeSession, pilot: Pilot[int]) -> None:
        self.app = app
        self.session = session
        self.pilot = pilot

    async def press(self, *keys: str) -> str:
        """Press keys; the screen afterwards."""
        await self.pilot.press(*keys)
        return await self.text()

    async def text(self) -> str:
        """The screen once it has settled."""
        await self.pilot.pause()
        await self.pilot.pause()
        return screen_text(self.app)

    async def saved(self) -> None:
        """Wait for the workers that save and that inject faults."""
        await self.app.workers.wait_for_complete()

    def toasts(self) -> str:
        """What is being told in the corner."""
        return "\n".join(n.message for n in self.app._notifications)

    def more(self, start: float = 60, end: float = 63) -> None:
        """Let the run go on."""
        for event in play(self.session.store, START + start, START + end):
            self.session.store.apply(event)


def made(tmp_path: Path, *argv: str) -> tuple[KvtopApp, FakeSession]:
    session = FakeSession(config(*argv, output=tmp_path))
    return KvtopApp(session), session


def files_in(directory: Path) -> list[Path]:
    return sorted(directory.iterdir())


# One check per action: what must be true after its key was pressed. A new key without one fails.


async def _quit(run: Run) -> None:
    assert run.app.return_code == 0
    assert not run.app.is_running or run.app._exit


async def _help(run: Run) -> None:
    assert isinstance(run.app.screen, HelpScreen)


async def _toggle_pause(run: Run) -> None:
    assert "PAUSED" in await run.text()


async def _focus_next(run: Run) -> None:
    assert run.app.focused is run.app.dashboard.counters


async def _focus_previous(run: Run) -> None:
    assert run.app.focused is run.app.dashboard.stress


async def _maximize_pane(run: Run) -> None:
    text = await run.text()
    assert "3 Hot symbols" in text and "1 Cluster" not in text


async def _command_palette(run: Run) -> None:
    assert type(run.app.screen).__name__ == "CommandPalette"


async def _faster(run: Run) -> None:
    assert run.app.interval == 0.2
    assert "every 0.2 s" in await run.text()


async def _slower(run: Run) -> None:
    assert run.app.interval == 1.0
    assert "every 1 s" in await run.text()


async def _flamegraph(run: Run) -> None:
    assert isinstance(run.app.screen, FlamegraphScreen)
    assert "SkipList.insert" in await run.text()


async def _off_cpu(run: Run) -> None:
    assert isinstance(run.app.screen, WaitsScreen)
    assert run.session.followed == [True]
    assert "off-CPU" in await run.press("o", "o")
    assert run.session.followed == [True, False, True]


async def _tools(run: Run) -> None:
    assert isinstance(run.app.screen, ToolsScreen)
    assert "System calls" in await run.press("y", "y")
    assert run.session.tools == [Tool.SYSCALLS, None, Tool.SYSCALLS]


async def _python_stacks(run: Run) -> None:
    assert isinstance(run.app.screen, PythonStacksScreen)
    assert "No target is a Python program without names" in await run.text()
    store = run.session.store
    frame = Frame("spied_on", "app.py", Kind.PYTHON, "/srv/app.py")
    stack = store.table.stack_id([store.table.intern(frame)])
    store.apply(SpiedBatch((StackSample(START + 1, 1, 1, "MainThread", "py-spy", 1, stack),) * 3))
    run.app.tick()
    text = await run.text()
    assert "spied_on" in text and "py-spy" in text
    # perf's samples are none of these.
    assert "all · 3 py-spy samples" in text
    await run.press("P")
    assert not isinstance(run.app.screen, PythonStacksScreen)


async def _stream(run: Run) -> None:
    assert isinstance(run.app.screen, HelpScreen)
    assert "The sample stream" in await run.text()


async def _save_svg(run: Run) -> None:
    await run.saved()
    files = list(run.session.config.output.iterdir())
    assert [file.suffix for file in files] == [".svg"]
    assert "SkipList.insert" in files[0].read_text()
    assert files[0].name in run.toasts() and str(files[0].parent) in run.toasts()


async def _save_all(run: Run) -> None:
    await run.saved()
    (directory,) = run.session.config.output.iterdir()
    names = {file.name for file in directory.iterdir()}
    assert names == {"perf.data", "perf.unfold", "perf.folded", "perf.svg"}
    assert directory.name in run.toasts()


async def _record(run: Run) -> None:
    assert "REC" in await run.text()
    (file,) = run.session.config.output.iterdir()
    assert file.name in run.toasts()
    run.more()
    await run.press("R")
    await run.saved()
    assert "REC" not in await run.text()
    recording = Recording.open(file)
    assert recording.store().ring.fold() == run.session.store.ring.fold()
    assert not recording.cut


async def _filter(run: Run) -> None:
    assert isinstance(run.app.screen, PromptScreen)
    text = await run.press(*"skip")
    assert "Filter Hot symbols: / skip" in text
    assert "SkipList._find" in text and "Core.append_entries" not in text
    assert "Core.append_entries" in await run.press("escape")


async def _event_picker(run: Run) -> None:
    await run.saved()
    assert "perf list" in await run.text() or "cpu-clock" in await run.text()
    await run.press("escape")
    assert run.app.screen is run.app.screen_stack[0]


async def _next_event(run: Run) -> None:
    assert "Only one event was sampled" in run.toasts()
    store = run.session.store
    before = run.app.dashboard.hot_symbols.counts()
    stack = next(iter(before))
    last = store.ring.last_time or 0.0
    store.apply(SampleBatch((StackSample(last, 1, 1, "x", "page-faults", 7, stack),)))
    assert run.app.dashboard.hot_symbols.counts() == before
    assert "1 samples of page-faults" in await run.press("E")
    assert run.app.dashboard.hot_symbols.counts() == {stack: 1}
    assert "1 page-faults" not in await run.press("U")
    assert "7 page-faults" in await run.text()


async def _weight(run: Run) -> None:
    hot = run.app.dashboard.hot_symbols
    assert hot.unit == "ms" and "ms of cpu-clock in 30s" in await run.text()
    assert "ms of 30s" in await run.press("f")
    assert hot.unit == "ms" and "samples of 30s" in await run.press("U")


async def _next_target(run: Run) -> None:
    assert run.app.dashboard.hot_symbols.label == "client0"
    assert "client0" in await run.text()


async def _window_shorter(run: Run) -> None:
    assert run.app.window == run.app.dashboard.hot_symbols.window == 10
    assert "samples in 10s" in await run.text()


async def _window_longer(run: Run) -> None:
    assert run.app.window == run.app.dashboard.hot_symbols.window == 60
    assert "samples in 1m" in await run.text()


async def _mark(run: Run) -> None:
    store = run.session.store
    assert run.app.scope.marked == START + 59.5
    assert "samples in 0.5s" in await run.text()
    assert store.markers.items[-1].text == "mark"
    run.more(60, 62)
    run.app.tick()
    assert run.app.dashboard.hot_symbols.counts() == store.ring.fold(Filter(start=START + 59.5))
    assert "since the mark at" in await run.text()


async def _time_map(run: Run) -> None:
    assert isinstance(run.app.screen, TimeScreen)
    text = await run.text()
    assert "ops/s" in text and "p99" in text and "♛ node1 is leader" in text


async def _layers(run: Run) -> None:
    text = await run.text()
    assert "CPU by layer" in text and "no waits recorded: o records them" in text
    assert "Bytecode and its objects, in all layers: " in text


async def _baseline(run: Run) -> None:
    base = run.app.baseline
    assert base is not None and base.side.counts == run.app.dashboard.hot_symbols.counts()
    assert base.side.seconds == pytest.approx(30.0)
    assert "Baseline: 6,001 samples of 30s" in run.toasts()


async def _diff(run: Run) -> None:
    assert isinstance(run.app.screen, DiffScreen)
    assert "mean of 2 followers" in await run.text()


async def _clear_range(run: Run) -> None:
    app = run.app
    before = app.scope
    app.set_scope(before.over(TimeRange(START + 5, START + 7)))
    assert app.scope.range is not None
    await run.press("x")
    assert app.scope == before and "RANGE" not in await run.text()
    await run.press("m", "x")
    assert app.scope.marked is None


async def _kill_leader(run: Run) -> None:
    assert isinstance(run.app.screen, ConfirmScreen)
    assert "leader node1 (PID 4102)" in await run.text()
    assert run.session.faults == []
    await run.press("y")
    await run.saved()
    assert run.session.faults == ["kill node1"]


async def _pause_node(run: Run) -> None:
    await run.saved()
    assert run.session.faults == ["pause node0"]


async def _restart_node(run: Run) -> None:
    assert "node0 (PID 4101), which runs" in await run.text()
    assert run.session.faults == []
    await run.press("y")
    await run.saved()
    assert run.session.faults == ["restart node0"]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.key)
async def test_every_key_does_its_action(key: Key, tmp_path: Path) -> None:
    app, session = made(tmp_path)
    check = globals().get(f"_{key.action}")
    assert check is not None, f"no test says what {key.action} does"
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.text()
        await pilot.press(key.key)
        await pilot.pause()
        await check(run)


@pytest.mark.parametrize("answer", ["n", "escape", "enter"])
@pytest.mark.parametrize("key", ["k", "r"])
async def test_nothing_dies_unless_the_answer_is_yes(key: str, answer: str, tmp_path: Path) -> None:
    app, session = made(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.press(key, answer)
        await run.saved()
        assert session.faults == []
        assert app.screen is app.screen_stack[0]


@pytest.mark.parametrize(
    ("node", "state", "key", "fault"),
    [
        ("node2", NodeState.DOWN, "r", "restart node2"),
        ("node0", NodeState.PAUSED, "p", "resume node0"),
    ],
)
async def test_a_node_comes_back_without_a_question(
    node: str, state: NodeState, key: str, fault: str, tmp_path: Path
) -> None:
    app, session = made(tmp_path)
    session.store.apply(replace(session.store.cluster.nodes[node], state=state))
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.press(key)
        await run.saved()
        assert session.faults == [fault]


async def test_without_a_leader_there_is_nothing_to_kill(tmp_path: Path) -> None:
    app, session = made(tmp_path)
    nodes = session.store.cluster.nodes
    session.store.apply(replace(nodes["node1"], state=NodeState.DOWN))
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.press("k")
        assert app.screen is app.screen_stack[0]
        assert run.toasts() == "There is no leader at the moment."


async def test_a_refused_fault_is_a_sentence(tmp_path: Path) -> None:
    app, session = made(tmp_path)
    session.refuse = "there is no node0 any more"
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.press("p")
        await run.saved()
        assert run.toasts() == "There is no node0 any more."


async def test_readonly_refuses_and_does_not_offer(tmp_path: Path) -> None:
    app, session = made(tmp_path, "--readonly")
    session.refuse = "--readonly disables faults"
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        text = await run.text()
        assert "READ-ONLY" in text
        footer = text.splitlines()[-1]
        assert "q quit" in footer and "kill" not in footer and "restart" not in footer
        for key in "kpr":
            await run.press(key)
            await run.saved()
            assert app.screen is app.screen_stack[0]
            assert "--readonly disables faults." in run.toasts()
            app.clear_notifications()
        assert session.faults == []


async def test_attached_runs_have_no_cluster_keys(tmp_path: Path) -> None:
    app, session = made(tmp_path, "--attach", "4242")
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        text = await run.press("k", "p", "r")
        assert app.screen is app.screen_stack[0]
        assert run.toasts() == "" and session.faults == []
        assert "kill leader" not in text and "1 Processes" in text
        assert "kill -9" not in await run.press("question_mark")


# Pause


async def test_a_paused_screen_stands_still_and_then_shows_the_present(tmp_path: Path) -> None:
    app, session = made(tmp_path)
    async with app.run_test(size=(200, 50)) as pilot:
        run = Run(app, session, pilot)
        before = await run.press("space")
        revisions = session.store.ring.revision
        run.more()
        app.tick()
        assert await run.text() == before
        await run.press(*["tab"] * len(app.dashboard.panes))
        assert app.focused is app.dashboard.hot_symbols
        assert await run.text() == before
        await pilot.resize_terminal(120, 40)
        await pilot.resize_terminal(200, 50)
        assert await run.text() == before
        assert session.store.ring.revision > revisions
        after = await run.press("space")
        assert "PAUSED" not in after
        assert session.store.ring.last_time == app.dashboard.hot_symbols.store.ring.last_time
        assert before.splitlines()[5:] != after.splitlines()[5:]


async def test_what_a_paused_screen_shows_is_what_is_saved_and_opened(tmp_path: Path) -> None:
    app, session = made(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.press("space")
        end = session.store.ring.last_time
        shown = app.dashboard.hot_symbols.counts()
        run.more(60, 100)
        assert app.dashboard.hot_symbols.counts() == shown
        assert saving.shot(app).counts == shown and saving.shot(app).until == end
        await run.press("f")
        graph = app.graph_screen
        assert graph is not None
        assert graph.counts() == shown and graph.until == end
        assert "FROZEN" in await run.text()
        await run.press("space")
        assert graph.counts() == session.store.ring.fold(
            Filter(start=(session.store.ring.last_time or 0) - 30)
        )


# Time ranges and marks


async def test_a_range_limits_every_profile_view_and_says_so(tmp_path: Path) -> None:
    app, session = made(tmp_path)
    async with app.run_test(size=(200, 50)) as pilot:
        run = Run(app, session, pilot)
        app.set_scope(app.scope.over(TimeRange(START + 5, START + 7, "p99 spike")))
        inside = session.store.ring.fold(
            Filter(start=START + 5, end=nextafter(START + 7, 0)),
        )
        assert sum(inside.values()) == 400
        text = await run.text()
        assert text.count("400 samples in 2s · RANGE 22:13:25–22:13:27 · p99 spike") == 3
        assert app.dashboard.hot_symbols.counts() == inside
        run.more()
        app.tick()
        assert app.dashboard.hot_symbols.counts() == inside
        text = await run.press("f")
        assert "400 samples of 2s · RANGE 22:13:25–22:13:27 · p99 spike" in text
        graph = app.graph_screen
        assert graph is not None and graph.counts() == inside
        await run.press("s")
        await run.saved()
        (svg,) = files_in(tmp_path)
        assert "2 s up to 2023-11-14 22:13:27" in svg.read_text()
        text = await run.press("x")
        assert "RANGE" not in text and "FROZEN" not in text
        assert graph.counts() == session.store.ring.fold(Filter(start=START + 62.995 - 30))
        assert "RANGE" not in await run.press("q")


async def test_the_svg_has_what_the_filters_show_and_the_raw_files_have_all(tmp_path: Path) -> None:
    app, session = made(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.press("space", "f", "X", *"SkipList", "enter", "t", "s")
        await run.saved()
        (svg,) = files_in(tmp_path)
        text = svg.read_text()
        assert "without /SkipList/" in text and "SkipList." not in text and '"node0"' in text
        await run.press("S")
        await run.saved()
        (raw,) = (file for file in files_in(tmp_path) if file.suffix != ".svg")
        assert "SkipList." in (raw / "perf.folded").read_text()


async def test_a_late_sample_of_the_range_is_counted(tmp_path: Path) -> None:
    app, session = made(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        app.set_scope(app.scope.over(TimeRange(START + 5, START + 7)))
        ring = session.store.ring
        stack = next(iter(ring.fold()))
        session.store.apply(
            SampleBatch((StackSample(START + 6, 4101, 4101, "python3", "cpu-clock", 1, stack),))
        )
        app.tick()
        assert "401 samples in 2s" in await run.text()


@pytest.mark.parametrize("key", ["left_square_bracket", "right_square_bracket", "space"])
async def test_the_flamegraph_leaves_a_range_for_the_present(key: str, tmp_path: Path) -> None:
    app, session = made(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        app.set_scope(app.scope.over(TimeRange(START + 5, START + 7)))
        await run.press("f", key)
        graph = app.graph_screen
        assert graph is not None and graph.live
        assert graph.until == session.store.ring.last_time
        assert "RANGE" not in await run.text()


async def test_what_ran_during_the_worst_spike_is_three_keys(tmp_path: Path) -> None:
    app, session = made(tmp_path)
    ring, stress = session.store.ring, session.store.stress
    worst = max((value, time) for time, value in stress.p99.since(0) if value is not None)
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.press("T", "p", "f")
        chosen = app.scope.range
        graph = app.graph_screen
        assert chosen is not None and graph is not None and app.screen is graph
        # The operations of an interval of half a second, the slowest of which took that long.
        assert (chosen.start, chosen.end) == pytest.approx((worst[1] - 0.5 - worst[0], worst[1]))
        shown = ring.fold(Filter(start=chosen.start, end=nextafter(chosen.end, 0)))
        assert graph.counts() == shown and 100 <= sum(shown.values()) < 120
        text = await run.text()
        assert f"{sum(shown.values()):,} samples of 0." in text and "p99 spike" in text
        await run.press("escape")
        assert isinstance(app.screen, TimeScreen)
        text = await run.press("escape")
        assert app.screen is app.screen_stack[0]
        assert app.dashboard.hot_symbols.counts() == shown and "RANGE" in text
        text = await run.press("T")
        assert "selected" in text and "p99 spike" in text
        assert "selected" not in await run.press("x")
        assert "RANGE" not in await run.press("escape")


async def test_from_the_flamegraph_to_the_time_map_and_back(tmp_path: Path) -> None:
    app, session = made(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.press("f", "T")
        assert isinstance(app.screen, TimeScreen) and len(app.screen_stack) == 2
        await run.press("f", "T")
        assert isinstance(app.screen, TimeScreen) and len(app.screen_stack) == 2
        for key in ["k", "r", "z", "slash", "tab", "space", "[", "]", "h", "j", "l"]:
            await run.press(key)
            assert isinstance(app.screen, TimeScreen), key
        assert session.faults == [] and app.window == 30 and not app.paused
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert "Select the worst p99 spike, then the next" in titles
        await run.press("question_mark")
        assert isinstance(app.screen, HelpScreen)


async def test_a_range_is_compared_with_a_range(tmp_path: Path) -> None:
    app, session = made(tmp_path)
    change(session.store, START + 40, 10, 2, 120)
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        app.set_scope(app.scope.over(TimeRange(START + 5, START + 15)))
        await run.press("T", "b", "escape")
        app.set_scope(app.scope.over(TimeRange(START + 40, START + 50)))
        text = await run.press("d")
        assert "baseline 22:13:35 (2,000) → selected (3,200)" in text
        await run.press("s")
        await run.saved()
        (svg,) = files_in(tmp_path)
        assert "baseline 22:13:35 (2,000 samples of 10 s) → selected (3,200" in svg.read_text()
        svg.unlink()
        await run.press("S")
        await run.saved()
        (file,) = files_in(tmp_path)
        lines = file.read_text().splitlines()
        assert lines[0].startswith("# baseline 22:13:35 (2,000) → selected (3,200)")
        fields = [line.split(" ")[-2:] for line in lines[1:]]
        assert sum(int(one) for one, _ in fields) == 2000
        assert sum(int(two) for _, two in fields) == 3200
        # A new baseline shows at once; x leaves the range here too.
        assert "baseline 22:14:10 (3,200) → selected (3,200)" in await run.press("b")
        assert "→ now (" in await run.press("x")
        await run.press("k", "p", "t", "z", "S")
        assert isinstance(app.screen, DiffScreen) and session.faults == []
        await run.press("escape")
        assert app.screen is app.screen_stack[0]


async def test_without_anything_to_compare_a_diff_says_what_to_do(tmp_path: Path) -> None:
    app, session = made(tmp_path, "--attach", "4242")
    session.store.apply(TargetsChanged(START + 60, ()))
    session.store.ring.clear()
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.press("d")
        assert app.screen is app.screen_stack[0]
        assert "b makes what is shown the baseline" in run.toasts()
        app.clear_notifications()
        await run.press("b")
        assert app.baseline is None and "no samples" in run.toasts()


async def test_the_diff_takes_the_flamegraphs_window(tmp_path: Path) -> None:
    app, session = made(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.press("f", "[", "space", "b")
        run.more()
        text = await run.press("d")
        assert "(2,001) → now (2,001) · share · 10s · FROZEN" in text


async def test_the_time_map_works_only_while_it_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, session = made(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.press("T", "escape")
        monkeypatch.setattr(TimeMap, "draw", None)
        monkeypatch.setattr(TimeMap, "data_revision", None)
        run.more()
        app.tick()
        await run.text()


async def test_a_mark_stays_while_the_screen_is_paused(tmp_path: Path) -> None:
    app, session = made(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.press("m")
        run.more(60, 70)
        app.tick()
        shown = app.dashboard.hot_symbols.counts()
        assert sum(shown.values()) == 2100
        await run.press("space")
        run.more(70, 80)
        assert app.dashboard.hot_symbols.counts() == shown
        await run.press("f")
        graph = app.graph_screen
        assert graph is not None and graph.counts() == shown


@pytest.mark.parametrize("key", ["T", "f", "d"])
async def test_a_tick_after_a_widget_has_closed_draws_nothing(key: str, tmp_path: Path) -> None:
    # As when the application ends: widgets lose their styles while their screen is there still.
    app, session = made(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.press(key)
        for widget in app.screen.query(LineWidget):
            widget.notify_style_update()
        await app.screen.remove_children(LineWidget)
        run.more()
        app.tick()
        app.set_scope(app.scope.longer())


# The flamegraph keeps its keys to itself


async def test_keys_of_the_main_screen_do_nothing_to_it_from_the_flamegraph(
    tmp_path: Path,
) -> None:
    app, session = made(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.press("f")
        for key in ["k", "p", "r", "z", "t", "tab", "shift+tab", "space", "[", "]", "slash"]:
            await run.press(key)
            if isinstance(app.screen, PromptScreen):
                await run.press("escape")
            assert isinstance(app.screen, FlamegraphScreen), key
        await run.saved()
        assert session.faults == []
        assert app.window == 30 and not app.paused
        assert app.dashboard.maximised is None and app.dashboard.hot_symbols.label is None
        await run.press("q")
        assert app.screen is app.screen_stack[0] and app.return_code is None


@pytest.mark.parametrize("opening", ["k", "question_mark"])
async def test_a_dialog_takes_all_keys(opening: str, tmp_path: Path) -> None:
    app, session = made(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.press(opening)
        dialog = app.screen
        await run.press("s", "S", "f", "k", "p", "r", "t", "z", "[", "]", "slash", "plus")
        await run.saved()
        assert app.screen is dialog
        assert files_in(tmp_path) == [] and session.faults == []
        assert app.window == 30 and app.interval == 0.5 and app.dashboard.maximised is None


async def test_the_flamegraph_saves_what_it_shows(tmp_path: Path) -> None:
    app, session = made(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.press("t", "f", "[", "[", "s")
        await run.saved()
        (svg,) = files_in(tmp_path)
        assert "5 s up to" in svg.read_text()
        assert "client0 of 3-node Raft KV cluster" in svg.read_text()


# Saving


async def test_a_directory_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    app, session = made(blocked)
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        for key in "sS":
            await run.press(key)
            await run.saved()
            assert re.match(r"[Cc]annot (write|make) .*file", run.toasts())
            app.clear_notifications()


async def test_without_samples_nothing_is_saved(tmp_path: Path) -> None:
    app, session = made(tmp_path)
    session.store.ring.clear()
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.press("s")
        await run.saved()
        assert "no samples" in run.toasts()
        assert files_in(tmp_path) == []


async def test_the_past_of_targets_that_have_exited_can_be_saved(tmp_path: Path) -> None:
    app, session = made(tmp_path, "--attach", "4242")
    session.store.apply(TargetsChanged(START + 60, ()))
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.press("s")
        await run.saved()
        assert len(files_in(tmp_path)) == 1


# Steps, palette, help, footer, duration


async def test_refresh_goes_from_a_tenth_to_ten_seconds(tmp_path: Path) -> None:
    app, session = made(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.press(*["plus"] * 9)
        assert app.interval == 0.1
        await run.press(*["minus"] * 12)
        assert app.interval == 10.0
        assert "every 10 s" in await run.text()


async def test_the_window_goes_from_its_shortest_to_its_longest(tmp_path: Path) -> None:
    app, session = made(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.press(*["["] * 9)
        assert app.window == WINDOWS[0]
        await run.press(*["]"] * 12)
        assert app.window == WINDOWS[-1]


async def test_the_palette_has_every_action(tmp_path: Path) -> None:
    app, session = made(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        titles = [command.title for command in app.get_system_commands(app.screen)]
        for key in KEYS:
            if key.action not in ("quit", "command_palette"):
                assert f"{key.text[:1].upper()}{key.text[1:]}" in titles
        assert not set(NOT_OFFERED) & set(titles)
        await run.press("ctrl+p", *"maximise")
        await pilot.pause(0.3)
        await run.press("enter")
        await pilot.pause(0.3)
        assert app.dashboard.maximised is app.dashboard.hot_symbols


async def test_the_palette_over_the_flamegraph_speaks_of_the_flamegraph(tmp_path: Path) -> None:
    app, session = made(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.press("f")
        commands = {command.title: command for command in app.get_system_commands(app.screen)}
        assert "Upside down" in commands
        assert not any("leader" in title for title in commands)
        await commands["Longer window"].callback()
        assert app.graph_screen is not None and app.graph_screen.window == 60


async def test_help_lists_every_key_of_every_screen(tmp_path: Path) -> None:
    app, session = made(tmp_path)
    async with app.run_test(size=(120, 400)) as pilot:
        run = Run(app, session, pilot)
        text = await run.press("question_mark")
        for key in KEYS:
            assert re.search(rf"{re.escape(key.label)} +{re.escape(key.text)}", text), key
        for group in (
            "Flamegraph screen",
            "Time screen",
            "Diff screen",
            "Callers and callees screen",
            "Source screen",
            "Hot symbols pane",
            "Logs pane",
            "Timeline pane",
        ):
            assert group in text


def test_a_screen_is_loaded_when_it_is_opened() -> None:
    names = ("flamegraph", "time", "diff", "waits", "sandwich", "source")
    code = "import sys, kvtop.app; print(*sys.modules)"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    loaded = made.stdout.split()
    assert "kvtop.widgets.profile_screen" in loaded
    assert not {f"kvtop.widgets.{name}_screen" for name in names} & set(loaded)
    assert not {f"kvtop.screens.{name}" for name in SCREENS} & set(loaded)


@pytest.mark.parametrize("columns", [80, 120])
async def test_the_footer_offers_the_most_needed_keys(columns: int, tmp_path: Path) -> None:
    app, session = made(tmp_path)
    async with app.run_test(size=(columns, 24)) as pilot:
        last = (await Run(app, session, pilot).text()).splitlines()[-1]
        for hint in ("q quit", "? help", "f flame", "s save", "k kill leader", "/ filter"):
            assert hint in last


async def test_a_duration_ends_the_run(tmp_path: Path) -> None:
    app, _ = made(tmp_path, "--duration", "0.2")
    async with app.run_test(size=SIZE) as pilot:
        while app.return_code is None:
            await pilot.pause(0.05)
    assert app.return_code == 0


async def test_no_color_shows_the_same_text_without_colour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app, session = made(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        assert "SkipList.insert" in await Run(app, session, pilot).press("f")
        for strip in app.screen._compositor.render_strips():
            for style in (segment.style for segment in strip if segment.style):
                assert style.color is None or style.color.is_default
                assert style.bgcolor is None or style.bgcolor.is_default


async def test_a_target_that_vanishes_while_it_is_shown(tmp_path: Path) -> None:
    app, session = made(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.press("t")
        assert app.dashboard.hot_symbols.label == "client0"
        session.store.apply(TargetsChanged(START + 61, targets()[:3]))
        await run.press("t")
        assert app.dashboard.hot_symbols.label in (None, "node0")


async def test_pictures_of_both_screens(tmp_path: Path) -> None:
    app, session = made(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        run = Run(app, session, pilot)
        await run.text()
        golden.check("app-main.svg", golden.steady_svg(app.export_screenshot()))
        await run.press("f")
        golden.check("app-flamegraph.svg", golden.steady_svg(app.export_screenshot()))
