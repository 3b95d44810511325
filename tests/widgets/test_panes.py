"""Stress, counters and timeline: figures with units, gaps, complaints, choices by key."""

from __future__ import annotations

import re

import pytest

from kvtop.events import (
    CollectorStatus,
    CounterReading,
    Health,
    Marker,
    MarkerKind,
    StressStats,
)
from kvtop.profile.series import Series
from kvtop.store import Store
from kvtop.widgets.base import Pane
from kvtop.widgets.cluster import ClusterPane
from kvtop.widgets.counters import CountersPane, sum_of
from kvtop.widgets.hot_symbols import HotSymbolsPane
from kvtop.widgets.stress import StressPane
from kvtop.widgets.timeline import TimelinePane
from tests.widgets.app import WidgetApp
from tests.widgets.made_up import START, fill, make_store
from tests.widgets.render import widget_text

PANES: list[tuple[type[Pane], str]] = [
    (ClusterPane, "cluster"),
    (StressPane, "stress"),
    (CountersPane, "perf_stat"),
    (HotSymbolsPane, "perf_record"),
]


@pytest.mark.parametrize(("kind", "collector"), PANES)
@pytest.mark.parametrize("health", [Health.UNAVAILABLE, Health.DEGRADED])
async def test_a_pane_says_why_its_collector_cannot_work(
    kind: type[Pane], collector: str, health: Health
) -> None:
    store = make_store()
    pane = kind(store)
    async with WidgetApp(pane).run_test(size=(60, 12)) as pilot:
        reason = "It cannot be had here, because of [this]; do that."
        store.apply(CollectorStatus(START, collector, health, reason))
        pane.refresh_data()
        await pilot.pause()
        text = re.sub(r"[\s│]+", " ", widget_text(pane))
        assert f"! {reason}" in text
        store.apply(CollectorStatus(START + 1, collector, Health.OK))
        pane.refresh_data()
        await pilot.pause()
        assert "cannot be had" not in widget_text(pane)


def stress(store: Store, time: float, operations: int, p99: float | None, errors: int = 0) -> None:
    store.apply(
        StressStats(time, 0.5, operations, errors, operations, 0, p99, p99, p99, 8, 10_000, errors)
    )


@pytest.mark.parametrize("size", [(40, 20), (60, 10), (100, 6)])
async def test_stress_figures_have_units(size: tuple[int, int]) -> None:
    store = make_store()
    pane = StressPane(store)
    async with WidgetApp(pane).run_test(size=size) as pilot:
        stress(store, START, 1000, 0.00321)
        stress(store, START + 0.5, 1234, 0.00654, errors=3)
        pane.refresh_data()
        await pilot.pause()
        text = widget_text(pane)
        assert re.search(r"ops/s +2\.47k", text)
        assert re.search(r"p99 +6\.54ms", text)
        assert re.search(r"errors/s +6\b", text)
        assert "8 clients · 10.0k ops so far" in text


async def test_an_interval_without_operations_has_no_latency() -> None:
    store = make_store()
    pane = StressPane(store)
    async with WidgetApp(pane).run_test(size=(60, 20)) as pilot:
        stress(store, START, 0, None)
        pane.refresh_data()
        await pilot.pause()
        assert re.search(r"p99 +–", widget_text(pane))


async def test_counters_are_rates_and_say_what_is_not_supported() -> None:
    store = fill(make_store(), 5)
    pane = CountersPane(store)
    async with WidgetApp(pane).run_test(size=(120, 24)) as pilot:
        await pilot.pause()
        text = widget_text(pane)
        assert re.search(r"event .*all +node0 +node1 +node2 +client0 +client1", text)
        assert re.search(r"cpu-migrations +30 +6 +6 +6 +6 +6", text)
        assert "not supported: cycles, instructions, branches" in text
        assert "─ task-clock · all targets" in text
        pane.focus()
        await pilot.press("down", "right", "right")
        assert "─ context-switches · node1" in widget_text(pane)


async def test_what_an_ordinary_user_may_not_count_is_not_called_unsupported() -> None:
    store = make_store(has_cluster=False)
    pane = CountersPane(store)
    async with WidgetApp(pane).run_test(size=(90, 10)) as pilot:
        store.apply(CounterReading(START, 1.0, "x(1)", "task-clock", 5.0, "msec"))
        for event in ("context-switches", "cycles", "cpu-migrations"):
            store.apply(CounterReading(START, 1.0, "x(1)", event, None, "", supported=False))
        pane.refresh_data()
        await pilot.pause()
        told = "not permitted: context-switches, cpu-migrations; not supported: cycles"
        assert told in widget_text(pane)


async def test_a_value_that_was_not_counted_is_no_zero_and_a_shared_one_is_marked() -> None:
    store = make_store(has_cluster=False)
    pane = CountersPane(store)
    async with WidgetApp(pane).run_test(size=(60, 10)) as pilot:
        store.apply(CounterReading(START, 1.0, "x(1)", "cycles", None, ""))
        store.apply(CounterReading(START, 1.0, "x(1)", "branches", 2e6, "", running=0.5))
        pane.refresh_data()
        await pilot.pause()
        text = widget_text(pane)
        assert re.search(r"cycles +–", text)
        assert re.search(r"branches +~2\.00M", text)


async def test_instructions_per_cycle_are_worked_out_and_plotted() -> None:
    store = make_store(has_cluster=False)
    pane = CountersPane(store)
    async with WidgetApp(pane).run_test(size=(60, 20)) as pilot:
        for second in range(9):
            for label, cycles, instructions in (("a", 1e9, 2e9), ("b", 1e9, 1e9)):
                time = START + second
                store.apply(CounterReading(time, 1.0, label, "cycles", cycles, ""))
                store.apply(CounterReading(time, 1.0, label, "instructions", instructions, ""))
        pane.refresh_data()
        pane.focus()
        await pilot.pause()
        assert re.search(r"IPC +1\.50 +2\.00 +1\.00", widget_text(pane))
        await pilot.press("end", "right")
        assert "─ IPC · a" in widget_text(pane)
        assert [value for _, value in pane._points("IPC", ["a"], START)] == [2.0] * 9


async def test_narrow_counters_drop_whole_targets_and_say_so() -> None:
    pane = CountersPane(fill(make_store(), 5))
    async with WidgetApp(pane).run_test(size=(44, 24)) as pilot:
        await pilot.pause()
        text = widget_text(pane)
        assert "node0" in text and "client1" not in text and "client…" not in text
        assert "3 more targets" in text


async def test_counting_by_thread_that_failed_is_not_said_to_go_on() -> None:
    store = make_store()
    store.apply(CollectorStatus(START, "stat_detail", Health.DEGRADED, "It failed."))
    pane = CountersPane(store)
    async with WidgetApp(pane).run_test(size=(60, 14)) as pilot:
        pane.focus()
        await pilot.press("v")
        await pilot.pause()
        text = widget_text(pane)
    assert "! It failed." in text and "counting" not in text


@pytest.mark.parametrize("labels", [["python3.12(104211)"], ["python3.12(41)", "python3.12(42)"]])
async def test_targets_of_one_name_are_told_apart(labels: list[str]) -> None:
    store = make_store(has_cluster=False)
    for label in labels:
        store.apply(CounterReading(START, 1.0, label, "task-clock", 500.0, "msec", True))
    pane = CountersPane(store)
    async with WidgetApp(pane).run_test(size=(54, 14)) as pilot:
        await pilot.pause()
        head = widget_text(pane).splitlines()[1]
    assert all(label[label.index("(") :] in head for label in labels)
    assert len(labels) > 1 or labels[0] in head


def test_sums_never_mix_in_what_is_stale() -> None:
    a, b = Series(), Series()
    for second in range(10):
        a.append(float(second), 5.0)
        if second < 5:
            b.append(second + 0.01, 7.0)
    points = dict(sum_of([a, b], 0.0))
    assert [points[t] for t in (0.01, 4.01)] == [12.0, 12.0]
    assert points[9.0] == 5.0
    assert len(points) == 10


async def test_the_timeline_tells_what_happened() -> None:
    store = fill(make_store(), 60)
    pane = TimelinePane(store)
    async with WidgetApp(pane).run_test(size=(120, 20)) as pilot:
        store.apply(Marker(START + 45, MarkerKind.PAUSE, "node0 paused", "node0"))
        pane.refresh_data()
        await pilot.pause()
        text = widget_text(pane)
        assert "✕" in text and "‖ node0" in text and "┊" in text
        assert "ops/s" in text and "p99" in text and "samples/s 200" in text
        assert "-3m" in text and "22:14:2" in text
        pane.focus()
        await pilot.press("w")
        assert "-10m" in widget_text(pane)


async def test_without_a_cluster_the_timeline_has_samples_only() -> None:
    pane = TimelinePane(fill(make_store(has_cluster=False), 10))
    async with WidgetApp(pane).run_test(size=(80, 14)) as pilot:
        await pilot.pause()
        text = widget_text(pane)
        assert "samples/s 200" in text and "ops/s" not in text
