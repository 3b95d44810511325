"""From hot symbols and flamegraph to callers, callees and source of a function, and back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual.pilot import Pilot

from kvtop.app import KvtopApp
from kvtop.collectors.annotate import AnnotateError
from kvtop.events import SampleBatch, StackSample
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.listing import Instruction, Listing, SourceFile
from kvtop.widgets.flamegraph_screen import FlamegraphScreen
from kvtop.widgets.sandwich_screen import SandwichScreen
from kvtop.widgets.source_screen import SourceScreen
from tests.fake_session import FakeSession, config
from tests.widgets.made_up import START, play
from tests.widgets.render import screen_text

SIZE = (140, 40)


class Annotated(FakeSession):
    """Answers with a made-up listing, and keeps what it was asked."""

    asked: tuple[str, float, float, str | None] | None = None
    error = ""

    async def annotate(self, frame: Frame, start: float, end: float, label: str | None) -> Listing:
        self.asked = frame.symbol, start, end, label
        if self.error:
            raise AnnotateError(self.error)
        source = SourceFile("/src/x.c", ("int a;", "int b;"), 1, {2: 9})
        return Listing(9, (source,), (Instruction(1, 9, "ret", "/src/x.c", 2),))


class Run:
    """An application over a made-up run."""

    def __init__(self, tmp_path: Path) -> None:
        self.session = Annotated(config(output=tmp_path))
        self.app = KvtopApp(self.session)

    async def press(self, pilot: Pilot[int], *keys: str) -> str:
        """The screen after these keys."""
        await pilot.press(*keys)
        await pilot.pause()
        await self.app.workers.wait_for_complete()
        await pilot.pause()
        return screen_text(self.app)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


async def test_from_a_hot_symbol_to_its_callers_on_to_the_source_and_back(run: Run) -> None:
    app, session = run.app, run.session
    async with app.run_test(size=SIZE) as pilot:
        await run.press(pilot)
        hot = app.dashboard.hot_symbols
        name = hot.shown[0].frame.symbol
        text = await run.press(pilot, "enter")
        assert isinstance(app.screen, SandwichScreen) and app.screen.frame.symbol == name
        assert f"● {name}" in text and "Callers and callees" in text
        found = app.screen.table.found
        assert found is not None and found.self_weight == hot.shown[0].self_weight
        assert found.total == hot.shown[0].total
        text = await run.press(pilot, "a")
        assert isinstance(app.screen, SourceScreen)
        assert "▶ 100.0%      9      2 int b;" in text
        assert f"self {found.self_weight:,} (" in text
        last = session.store.ring.last_time
        assert last is not None
        assert session.asked is not None and session.asked[:2] == (name, last - 30)
        # perf's samples end with the newest one; py-spy, which tells Python's lines, goes on.
        python = app.screen.frame.kind is Kind.PYTHON
        assert (session.asked[2] > last) is python and session.asked[3] is None
        await run.press(pilot, "escape", "escape")
        assert app.screen_stack[-1] is app.screen_stack[0]


async def test_it_follows_the_run_and_stands_still_with_it(run: Run) -> None:
    app = run.app
    async with app.run_test(size=SIZE) as pilot:
        for paused in (False, True):
            if paused:
                await run.press(pilot, "space")
            await run.press(pilot, "t", "enter")
            screen = app.screen
            assert isinstance(screen, SandwichScreen) and screen.table.found is not None
            before = screen.table.found.total
            seconds = 160 if paused else 60
            for event in play(run.session.store, START + seconds, START + seconds + 5):
                run.session.store.apply(event)
            app.tick()
            assert (screen.table.found.total == before) is paused
            await run.press(pilot, "escape")


async def test_from_the_flamegraph_with_its_target_and_frozen_time(run: Run) -> None:
    app, session = run.app, run.session
    async with app.run_test(size=SIZE) as pilot:
        await run.press(pilot, "t", "f", "space", "down")
        graph = app.screen
        assert isinstance(graph, FlamegraphScreen)
        weight = graph.flamegraph.state.tree.weight
        text = await run.press(pilot, "w")
        assert isinstance(app.screen, SandwichScreen) and "FROZEN" in text
        assert app.screen.table.found is not None
        assert app.screen.table.found.weight == weight
        await run.press(pilot, "escape")
        assert app.screen is graph
        await run.press(pilot, "a")
        assert isinstance(app.screen, SourceScreen)
        assert session.asked is not None and session.asked[3] == "client0"
        assert session.asked[2] == graph.until


async def test_a_source_that_cannot_be_had_is_a_sentence(run: Run) -> None:
    async with run.app.run_test(size=SIZE) as pilot:
        run.session.error = "objdump is missing: install the package binutils."
        text = await run.press(pilot, "a")
        assert "objdump is missing: install the package binutils." in text


async def test_keys_of_the_main_screen_do_nothing_from_these(run: Run) -> None:
    app = run.app
    async with app.run_test(size=SIZE) as pilot:
        for opening in ("enter", "a"):
            await run.press(pilot, opening)
            screen = app.screen
            for key in ("p", "r", "k", "s", "S", "space", "t", "z", "left_square_bracket"):
                await run.press(pilot, key)
                assert app.screen is screen and not run.session.faults
            assert not app.paused and app.dashboard.hot_symbols.label is None
            await run.press(pilot, "escape")


async def test_python_frames_carry_the_line_where_their_function_begins(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "service.py"
    file.write_text("import os\n\n\nclass Raft:\n    def step(self):\n        return os\n")
    store = run.session.store
    last = store.ring.last_time
    assert last is not None
    stack = store.table.stack_id([store.table.frame_id(f"py::Raft.step:{file}", "")])
    samples = [StackSample(last, 4102, 4102, "python3", "cpu-clock", 1, stack)] * 9000
    store.apply(SampleBatch(tuple(samples)))
    async with run.app.run_test(size=SIZE) as pilot:
        for _ in range(100):
            text = await run.press(pilot, "f")
            if "service.py:5" in text:
                break
            await run.press(pilot, "escape")
            await asyncio.sleep(0.05)
        assert "Raft.step  service.py:5" in text
        assert f"{file}:5" in await run.press(pilot, "down", "right", "left")
