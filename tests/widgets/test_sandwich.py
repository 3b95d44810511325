"""Callers and callees: figures, walking there and back, folding, following the samples."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from textual.pilot import Pilot

from kvtop.profile.frames import Frame, make_frame
from kvtop.profile.stacks import StackTable
from kvtop.widgets.samples import Samples
from kvtop.widgets.sandwich_screen import SandwichScreen
from tests.widgets import golden
from tests.widgets.app import WidgetApp
from tests.widgets.made_up import PYTHON, fill, make_store
from tests.widgets.render import screen_text

NAMES = {"main", "a", "b", "f", "g", "h", "idle"}


class Bench:
    """A screen over stacks that are written out: ``{"main a f": 3}``."""

    def __init__(self, stacks: dict[str, int], name: str = "f", live: bool = True) -> None:
        self.store = make_store()
        self.revision = 0
        self.sources: list[str] = []
        self.stacks = stacks
        self.app = WidgetApp()
        samples = Samples(self.counts, lambda: "made up · all targets", self.now, live=live)
        self.screen = SandwichScreen(
            self.store,
            self.frame(name),
            samples,
            lambda frame, samples: self.sources.append(frame.symbol),
        )

    @property
    def table(self) -> StackTable:
        return self.store.table

    def now(self) -> object:
        return self.revision

    def frame(self, name: str) -> Frame:
        return make_frame(name, PYTHON if name.startswith("_Py") else "/bin/x")

    def counts(self) -> Mapping[int, int]:
        table = self.table
        return {
            table.stack_id([table.intern(self.frame(n)) for n in names.split()]): weight
            for names, weight in self.stacks.items()
        }

    def rows(self) -> list[tuple[str, ...]]:
        """(function, of it, of all, total, self) per row, top to bottom."""
        table = self.screen.table
        keys = ("function", "share", "whole", "samples", "self")
        return [tuple(table.row(c)[k].text.strip() for k in keys) for c in table.shown]

    @property
    def pointed(self) -> str:
        call = self.screen.table.chosen
        return "" if call is None else call.frame.symbol

    async def open(self, pilot: Pilot[object]) -> None:
        await self.app.push_screen(self.screen)
        await pilot.pause()
        await pilot.pause()


STACKS = {"main a f g": 30, "main a f": 10, "main b f h": 10, "main idle": 50}


async def test_callers_stand_above_and_callees_below_with_their_figures() -> None:
    bench = Bench(STACKS)
    async with bench.app.run_test(size=(100, 20)) as pilot:
        await bench.open(pilot)
        assert bench.rows() == [
            ("· main", "20.0", "10.0", "10", ""),
            ("▴ b", "20.0", "10.0", "10", ""),
            ("· main", "80.0", "40.0", "40", ""),
            ("▴ a", "80.0", "40.0", "40", ""),
            ("● f", "100.0", "50.0", "50", "10"),
            ("· g", "60.0", "30.0", "30", "30"),
            ("· h", "20.0", "10.0", "10", "10"),
        ]
        assert bench.pointed == "f"
        text = screen_text(bench.app)
        assert "f · self 10 (10.0%) · total 50 (50.0%) · made up" in text


async def test_enter_walks_there_and_escape_comes_back_step_by_step() -> None:
    bench = Bench(STACKS)
    async with bench.app.run_test(size=(100, 20)) as pilot:
        await bench.open(pilot)
        await pilot.press("up")
        assert bench.pointed == "a"
        await pilot.press("enter")
        await pilot.pause()
        assert bench.screen.frame.symbol == bench.pointed == "a"
        assert [row[0] for row in bench.rows()] == ["· main", "● a", "▾ f", "· g"]
        await pilot.press("down", "down", "enter")
        await pilot.pause()
        assert bench.screen.frame.symbol == "g"
        await pilot.press("escape")
        assert bench.screen.frame.symbol == "a"
        await pilot.press("escape")
        assert bench.screen.frame.symbol == "f"
        await pilot.press("escape")
        await pilot.pause()
        assert bench.app.screen is not bench.screen


async def test_a_double_click_walks() -> None:
    bench = Bench(STACKS)
    async with bench.app.run_test(size=(100, 20)) as pilot:
        await bench.open(pilot)
        y = next(n for n, line in enumerate(screen_text(bench.app).splitlines()) if "▴ a" in line)
        await pilot.click(offset=(40, y), times=2)
        await pilot.pause()
        assert bench.screen.frame.symbol == "a"


async def test_light_paths_are_folded_until_they_are_asked_for() -> None:
    bench = Bench({"main a f g": 97, "main b f h g": 3})
    async with bench.app.run_test(size=(100, 20)) as pilot:
        await bench.open(pilot)
        names = [row[0] for row in bench.rows()]
        assert names == ["▸ b", "· main", "▴ a", "● f", "· g", "▸ h"]
        await pilot.press("end", "right")
        assert [row[0] for row in bench.rows()][-2:] == ["▾ h", "· g"]
        bench.stacks["main b f h g"] = 2
        bench.revision += 1
        bench.screen.refresh_data()
        assert [row[0] for row in bench.rows()][-2:] == ["▾ h", "· g"], "what is unfolded stays so"
        await pilot.press("left")
        assert bench.rows()[-1][0] == "▸ h"


async def test_it_follows_the_samples_unless_they_are_frozen() -> None:
    for live in (True, False):
        bench = Bench({"main f": 10}, live=live)
        async with bench.app.run_test(size=(100, 20)) as pilot:
            await bench.open(pilot)
            bench.stacks = {"main f": 25}
            bench.revision += 1
            for _ in range(3):
                bench.table.compact()
            bench.screen.refresh_data()
            assert bench.screen.table.found is not None
            assert bench.screen.table.found.total == (25 if live else 10)
            await pilot.press("g")
            await pilot.press("escape")
            await pilot.pause()
        for _ in range(3):
            bench.table.compact()
        assert len(bench.table) == 0, "nothing is held afterwards"


async def test_a_function_without_samples_any_more() -> None:
    bench = Bench({"main f": 10})
    async with bench.app.run_test(size=(100, 20)) as pilot:
        await bench.open(pilot)
        bench.stacks = {"main idle": 5}
        bench.revision += 1
        bench.screen.refresh_data()
        assert bench.rows() == [("● f", "0.0", "0.0", "0", "0")]


async def test_glue_is_folded_and_its_time_counts_for_its_caller() -> None:
    bench = Bench({"main f _PyEval_EvalFrameDefault": 4, "main f _PyEval_EvalFrameDefault g": 6})
    async with bench.app.run_test(size=(100, 20)) as pilot:
        await bench.open(pilot)
        assert [row[0] for row in bench.rows()] == ["· main", "● f", "· g"]
        assert bench.rows()[1][-1] == "4"
        await pilot.press("g")
        await pilot.pause()
        names = [row[0] for row in bench.rows()]
        assert names == ["· main", "● f", "▾ _PyEval_EvalFrameDefault", "· g"]
        assert bench.rows()[1][-1] == "0"


async def test_a_filter_is_ended_before_the_screen() -> None:
    bench = Bench(STACKS)
    async with bench.app.run_test(size=(100, 20)) as pilot:
        await bench.open(pilot)
        await pilot.press("slash", "g", "enter")
        await pilot.pause()
        assert [row[0] for row in bench.rows()] == ["· g"]
        await pilot.press("escape")
        assert len(bench.rows()) == 7
        await pilot.press("a")
        assert len(bench.sources) == 1


async def test_hostile_names_are_text() -> None:
    bench = Bench({"main [b]\x1b[31m f": 3, "main f": 1})
    async with bench.app.run_test(size=(100, 20)) as pilot:
        await bench.open(pilot)
        text = screen_text(bench.app)
        assert "\x1b" not in text and r"[b]\x1b[31m" in text


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda s: f"{s[0]}x{s[1]}")
async def test_screen(size: tuple[int, int]) -> None:
    store = fill(make_store(), 40)
    ring = store.ring
    frame = make_frame("py::SkipList.insert:/srv/kv/skiplist.py", "")
    samples = Samples(ring.fold, lambda: "cpu-clock @ 99 Hz · 40s", lambda: ring.revision)
    app = WidgetApp()
    async with app.run_test(size=size) as pilot:
        await app.push_screen(SandwichScreen(store, frame, samples))
        await pilot.pause()
        await pilot.pause()
        golden.check(f"sandwich-{size[0]}x{size[1]}.txt", screen_text(app))
