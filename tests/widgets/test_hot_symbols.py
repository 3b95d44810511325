"""Hot symbols: figures of the fold, glue, targets, filter, hostile names."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.events import (
    ProcessUsage,
    Role,
    SampleBatch,
    StackSample,
    Target,
    TargetsChanged,
)
from kvtop.profile.hotspots import hotspots
from kvtop.profile.ring import Filter
from kvtop.profile.scope import Scope
from kvtop.profile.stacks import StackTable
from kvtop.store import Store
from kvtop.widgets.hot_counts import HotCounts
from kvtop.widgets.hot_symbols import HotSymbolsPane
from tests.widgets.app import WidgetApp
from tests.widgets.made_up import PYTHON, START, fill, make_store
from tests.widgets.render import widget_text

_FOLDS = st.lists(
    st.dictionaries(
        st.lists(st.integers(0, 5), min_size=1, max_size=6).map(tuple),
        st.integers(1, 9),
        max_size=8,
    ),
    min_size=1,
    max_size=5,
)


@given(_FOLDS)
def test_moving_folds_give_the_figures_of_counting_anew(
    folds: list[dict[tuple[int, ...], int]],
) -> None:
    table = StackTable()
    frames = [table.frame_id(f"f{n}", "/bin/x") for n in range(6)]
    counts = HotCounts(table, fold_glue=False)
    for fold in folds:
        by_id = {table.stack_id([frames[n] for n in path]): w for path, w in fold.items()}
        assert set(counts.update(by_id)) == set(hotspots(table, by_id))
        assert counts.weight == sum(by_id.values())


def test_glue_counts_for_the_function_that_it_runs() -> None:
    table = StackTable()
    function = table.frame_id("py::f:/a.py", "")
    glue = table.frame_id("_PyEval_EvalFrameDefault", PYTHON)
    stack = table.stack_id([glue, function, glue])
    raw = {
        s.frame.symbol: (s.self_weight, s.total) for s in HotCounts(table, False).update({stack: 4})
    }
    folded = {
        s.frame.symbol: (s.self_weight, s.total) for s in HotCounts(table, True).update({stack: 4})
    }
    assert raw == {"_PyEval_EvalFrameDefault": (4, 4), "f": (0, 4)}
    assert folded == {"f": (4, 4)}


def add(store: Store, pid: int, symbol: str, samples: int, time: float = START) -> None:
    frame = store.table.frame_id(symbol, "/usr/lib/evil.so")
    stack = store.table.stack_id([frame])
    store.apply(
        SampleBatch(
            tuple(StackSample(time, pid, pid, "x", "cpu-clock", 1, stack) for _ in range(samples))
        )
    )


async def test_percentages_are_of_the_window() -> None:
    store = make_store(has_cluster=False)
    pane = HotSymbolsPane(store, window=10)
    async with WidgetApp(pane).run_test(size=(100, 12)) as pilot:
        add(store, 1, "ancient", 50, START)
        add(store, 1, "hot", 30, START + 60)
        add(store, 1, "warm", 10, START + 60)
        pane.refresh_data()
        await pilot.pause()
        text = widget_text(pane)
        assert re.search(r"75\.0 +75\.0 +30 +C +hot", text)
        assert re.search(r"25\.0 +25\.0 +10 +C +warm", text)
        assert "ancient" not in text
        assert "40 samples in 10s" in text and "top 2 carry 100.0%" in text
        pane.scope = Scope(300)
        pane.refresh_data()
        await pilot.pause()
        assert "ancient" in widget_text(pane)


async def test_one_target_at_a_time() -> None:
    store = fill(make_store(), 5)
    pane = HotSymbolsPane(store)
    async with WidgetApp(pane).run_test(size=(100, 20)) as pilot:
        seen = []
        for _ in range(6):
            pane.next_label()
            await pilot.pause()
            seen.append(pane.label)
            label = pane.label
            expected = store.ring.fold(
                Filter(labels=None if label is None else frozenset((label,)))
            )
            assert pane._counts.weight == sum(expected.values())
            assert (label or "all targets") in widget_text(pane)
        assert seen == ["client0", "client1", "node0", "node1", "node2", None]


async def test_the_kind_of_code_is_said_without_colour() -> None:
    pane = HotSymbolsPane(fill(make_store(), 5))
    async with WidgetApp(pane).run_test(size=(100, 20)) as pilot:
        await pilot.pause()
        text = widget_text(pane)
        assert re.search(r"py +Core.append_entries", text)
        assert re.search(r"krn +ext4_sync_file", text)
        assert re.search(r"C +PyLong_FromLong", text)
        assert "_PyEval_EvalFrameDefault" not in text
        pane.focus()
        await pilot.press("g")
        assert re.search(r"vm +_PyEval_EvalFrameDefault", widget_text(pane))
        assert "glue shown" in widget_text(pane)


async def test_hostile_names_are_text() -> None:
    store = make_store(has_cluster=False)
    pane = HotSymbolsPane(store)
    async with WidgetApp(pane).run_test(size=(120, 12)) as pilot:
        for symbol in (
            "[red]boo[/red]",
            "\x1b[2Jclear",
            "a\u202ebidi",
            "$(x) [@click=app.quit]q[/]",
        ):
            add(store, 1, symbol, 1)
        pane.refresh_data()
        await pilot.pause()
        text = widget_text(pane)
        assert "[red]boo[/red]" in text
        assert "\\x1b[2Jclear" in text and "\x1b" not in text
        assert "a\\u202ebidi" in text and "\u202e" not in text
        pane.set_filter(re.compile(r"\[red\]"))
        await pilot.pause()
        assert "/\\[red\\]/ 25.0% of self" in widget_text(pane)


async def test_roles_are_not_needed() -> None:
    store = make_store(has_cluster=False)
    add(store, 7, "f", 1)
    assert {origin.role for origin in store.ring.origins} == {Role.OTHER}


@pytest.mark.parametrize(
    ("status", "cpu", "said"),
    [
        ("stopped", 0.0, "no samples yet: stopped"),
        ("sleeping", 0.0, "no samples yet: nothing runs on a CPU"),
        ("sleeping", 3.1, "no samples yet\n"),
        ("sleeping", None, "no samples yet\n"),
    ],
)
async def test_where_there_is_no_sample_the_reason_is_told(
    status: str, cpu: float | None, said: str
) -> None:
    store = make_store(has_cluster=False)
    target = Target("sleep(7)", 7, Role.UNKNOWN, "sleep", False)
    store.apply(TargetsChanged(START, (target,)))
    pane = HotSymbolsPane(store)
    async with WidgetApp(pane).run_test(size=(90, 20)) as pilot:
        store.apply(ProcessUsage(START, "sleep(7)", 7, cpu, 1 << 20, 1, status))
        pane.refresh_data()
        await pilot.pause()
        text = "\n".join(line.strip("│ ") for line in widget_text(pane).splitlines())
        assert said in text
