"""Profiles of a size that programs rarely have: still drawn, walked, searched and filtered."""

from __future__ import annotations

import re
from itertools import product

from kvtop.profile.callers import sandwich
from kvtop.profile.stacks import StackTable
from kvtop.widgets.flamegraph import Flamegraph
from tests.widgets.app import WidgetApp
from tests.widgets.render import widget_text

DEEP = 2000


async def test_a_hundred_thousand_stacks() -> None:
    table = StackTable()
    main = table.frame_id("main", "/bin/x")
    digits = [[table.frame_id(f"f{level}_{n}", "/bin/x") for n in range(10)] for level in range(5)]
    counts = {table.stack_id((main, *path)): 1 for path in product(*digits)}
    assert len(counts) == 100_000
    graph = Flamegraph(table)
    async with WidgetApp(graph).run_test(size=(122, 30)) as pilot:
        graph.set_counts(counts, table)
        graph.focus()
        await pilot.pause()
        text = widget_text(graph)
        assert "all · 100,000 samples" in text
        assert all(f"f0_{n}" in text for n in range(10))
        assert "too narrow to draw" in text
        await pilot.press("down", "down", "right", "enter", *["down", "enter"] * 4)
        assert "total 1 (0.0%)   self 1 (0.0%)   of parent 10.0%" in widget_text(graph)
        await pilot.press("u")
        graph.search(re.compile("f4_7"))
        await pilot.pause()
        assert "matched 10.0%" in widget_text(graph)
        graph.hide(re.compile("f[0-3]_"))
        await pilot.pause()
        assert graph.state.tree.weight == 100_000
        assert "f4_3" in widget_text(graph).splitlines()[3]
    found = sandwich(table, counts, digits[2][4])
    assert (found.total, found.self_weight) == (10_000, 0)


async def test_stacks_of_two_thousand_frames() -> None:
    table = StackTable()
    frames = [table.frame_id(f"level{n}", "/bin/x") for n in range(DEEP)]
    other = [*frames[: DEEP // 2], *(table.frame_id(f"other{n}", "/bin/x") for n in range(50))]
    counts = {table.stack_id(frames): 7, table.stack_id(other): 3}
    graph = Flamegraph(table)
    async with WidgetApp(graph).run_test(size=(80, 24)) as pilot:
        graph.set_counts(counts, table)
        graph.focus()
        await pilot.pause()
        await pilot.press("end")
        assert f"level{DEEP - 1}" in widget_text(graph)
        await pilot.press("i")
        assert "all · 10 samples" in widget_text(graph), "root at the bottom, where one looks"
        await pilot.press("home")
        assert f"level{DEEP - 1}" in widget_text(graph)
        await pilot.press("i", "home", "slash")
        graph.search(re.compile("other49"))
        await pilot.press("n")
        assert "other49  native  x" in widget_text(graph)
        await pilot.press("enter")
        assert "total 3 (30.0%)   self 3 (30.0%)" in widget_text(graph)
        await pilot.press("backspace", "c", "home")
        text = widget_text(graph)
        assert text.index(f"level{DEEP - 1}") < text.index(f"level{DEEP - 2}")
    found = sandwich(table, counts, frames[DEEP // 2])
    assert found.total == 7
    assert (len(found.callees), len(found.callers)) == (DEEP // 2 + 1, DEEP // 2 + 2)
