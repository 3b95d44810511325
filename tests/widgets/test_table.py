"""Live tables by key and by mouse: sort, filter, and a selection that survives new data."""

from __future__ import annotations

import re
from dataclasses import replace

from kvtop.events import NodeState, NodeStatus, Role
from kvtop.widgets.cluster import ClusterPane
from kvtop.widgets.table import Column, fit_columns
from tests.widgets.app import WidgetApp
from tests.widgets.made_up import START, fill, make_store
from tests.widgets.render import widget_text


def test_columns_leave_whole_and_by_priority() -> None:
    columns = [
        Column("a", "a", 5, 0, grow=1),
        Column("b", "b", 5, 2),
        Column("c", "c", 5, 1),
    ]
    shown = {width: [(c.key, w) for c, w in fit_columns(columns, width)] for width in (30, 16, 3)}
    assert shown[30] == [("a", 16), ("b", 5), ("c", 5)]
    assert shown[16] == [("a", 9), ("c", 5)]
    assert shown[3] == [("a", 5)]


def names(pane: ClusterPane) -> list[str]:
    return [
        match[0]
        for line in widget_text(pane).splitlines()
        if (match := re.search(r"node\d+", line))
    ]


async def test_sorting_by_keys_and_by_a_click_on_the_title() -> None:
    pane = ClusterPane(fill(make_store(), 5))
    async with WidgetApp(pane).run_test(size=(100, 12)) as pilot:
        pane.focus()
        await pilot.press("I")
        assert names(pane)[:3] == ["node2", "node1", "node0"]
        lines = widget_text(pane).splitlines()
        await pilot.click(pane, offset=(lines[1].index("CPU"), 1))
        assert pane.sort_key == "cpu"
        assert names(pane)[0] == "node1"
        assert "▼CPU" in widget_text(pane)
        await pilot.press("less_than_sign")
        assert pane.sort_key == "lag"
        await pilot.press("greater_than_sign", "greater_than_sign")
        assert pane.sort_key in ("rss", "fsync")


async def test_the_selection_follows_the_node_and_not_the_line() -> None:
    store = fill(make_store(), 5)
    pane = ClusterPane(store)
    async with WidgetApp(pane).run_test(size=(100, 12)) as pilot:
        pane.focus()
        await pilot.press("down", "down")
        assert pane.selected_node == "node2"
        await pilot.press("I")
        assert pane.selected_node == "node2"
        store.apply(NodeStatus(START + 9, "node9", 4190, NodeState.UP, Role.FOLLOWER, 7))
        pane.refresh_data()
        await pilot.pause()
        assert names(pane)[0] == "node9"
        assert pane.selected_node == "node2"
        await pilot.click(pane, offset=(3, 2))
        assert pane.selected_node == "node9"


async def test_a_filter_stays_when_data_comes() -> None:
    store = fill(make_store(), 5)
    pane = ClusterPane(store)
    async with WidgetApp(pane).run_test(size=(100, 12)) as pilot:
        pane.set_filter(re.compile("leader"))
        await pilot.pause()
        assert names(pane)[:1] == ["node1"] and len(pane.shown) == 1
        store.apply(replace(store.cluster.nodes["node1"], term=8))
        pane.refresh_data()
        assert len(pane.shown) == 1
        pane.set_filter(re.compile("no such"))
        await pilot.pause()
        assert "nothing matches the filter" in widget_text(pane)


async def test_a_dead_and_a_paused_node_are_loud_and_show_no_old_figures() -> None:
    store = fill(make_store(), 5)
    pane = ClusterPane(store)
    async with WidgetApp(pane).run_test(size=(120, 12)) as pilot:
        store.apply(NodeStatus(START + 9, "node1", None, NodeState.DOWN))
        store.apply(NodeStatus(START + 9, "node2", 4103, NodeState.PAUSED, Role.FOLLOWER, 7))
        pane.refresh_data()
        await pilot.pause()
        text = widget_text(pane)
        dead = next(line for line in text.splitlines() if "node1" in line and "DOWN" in line)
        assert "87" not in dead and "leader" not in dead
        assert " PAUSED " in text
        assert "NO LEADER · 1/3 up" in text
