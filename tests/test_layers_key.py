"""The key L in the application: the user's rules count, a paused run stands still, s saves."""

from __future__ import annotations

from pathlib import Path

import pytest

from kvtop import saving
from kvtop.app import KvtopApp
from kvtop.widgets.layer_flame import LayerFlamegraph
from kvtop.widgets.layers_screen import LayersScreen
from tests.fake_session import FakeSession, config
from tests.widgets.made_up import START, play


async def test_the_users_rules_decide(tmp_path: Path) -> None:
    rules = tmp_path / "mine.toml"
    rules.write_text("[[rule]]\nlayer = 'my raft'\nfile = '/raft/'\n")
    app = KvtopApp(FakeSession(config("--layers", str(rules))))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("L")
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, LayersScreen)
        one = screen.group
        assert one is not None and one.cpu.layers["my raft"] > 0
        shown = [row.layer for row in screen.layer_table.shown]
        assert "my raft" in shown and shown[-1] == "other"
        await pilot.press("L")
        await pilot.pause()
        assert not isinstance(app.screen, LayersScreen)


async def test_what_is_saved_from_its_flamegraph_is_the_layer() -> None:
    app = KvtopApp(FakeSession(config()))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("L")
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, LayersScreen)
        one, layer = screen.group, screen.chosen
        assert one is not None and layer is not None
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, LayerFlamegraph)
        assert sum(saving.shot(app).counts.values()) == one.cpu.layers[layer]


async def test_window_keys_and_o_work_from_it() -> None:
    session = FakeSession(config())
    app = KvtopApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("L")
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, LayersScreen)
        before = screen.gathered.of("nodes")
        await pilot.press("left_square_bracket")
        await pilot.pause()
        after = screen.gathered.of("nodes")
        assert before is not None and after is not None
        assert after.cpu.total < before.cpu.total
        await pilot.press("o")
        await pilot.pause()
        assert session.followed == [True]
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is screen


@pytest.mark.parametrize("paused", [True, False])
async def test_a_paused_run_stands_still(paused: bool) -> None:
    session = FakeSession(config())
    app = KvtopApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        if paused:
            await pilot.press("space")
        await pilot.press("L")
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, LayersScreen)
        before = screen.gathered
        for event in play(session.store, START + 60, START + 70):
            session.store.apply(event)
        app.tick()
        await pilot.pause()
        assert (screen.gathered is before) is paused
