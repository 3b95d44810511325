"""Figures of the counters pane: totals, ratios, and costs per operation over the same seconds."""

from __future__ import annotations

import pytest

from kvtop.events import CountedBy, CounterReading, NodeState, NodeStatus, StressStats
from kvtop.store import Store
from kvtop.widgets.counter_rows import ALL, Figures, Measure, current_labels, show
from kvtop.widgets.counters import CountersPane
from tests.widgets.app import WidgetApp
from tests.widgets.made_up import START, fill, make_store
from tests.widgets.render import widget_text


def counted(store: Store, second: int, label: str, event: str, value: float | None) -> None:
    reading = CounterReading(START + second, 1.0, label, event, value, "")
    store.apply(reading)


def operations(store: Store, time: float, number: int) -> None:
    stats = StressStats(START + time, 1.0, number, 0, 0, 0, None, None, None, 8, 0, 0)
    store.apply(stats)


def a_run(per_second: int = 100) -> Store:
    """Ten seconds; operations are told half a second after perf's counters."""
    store = make_store()
    for second in range(1, 11):
        counted(store, second, "node0", "context-switches", 300)
        counted(store, second, "node1", "context-switches", 500)
        operations(store, second + 0.5, per_second)
        for name, rate in (("node0", 200), ("node1", 50)):
            status = NodeStatus(
                START + second, name, 1, NodeState.UP, fdatasyncs=7000 + rate * second
            )
            store.apply(status)
    return store


def per_operation(store: Store) -> Figures:
    return Figures(store, store.counters, ["node0", "node1"], Measure.PER_OPERATION)


def test_cost_of_an_operation_over_the_same_seconds() -> None:
    figures = per_operation(a_run())
    assert figures.stretch is not None
    # perf's newest second ends at 10, the operations' newest whole one before that at 9.5.
    assert figures.stretch.end == START + 9.5 and figures.stretch.start == START + 4.5
    assert figures.stretch.operations == 500
    line = figures.event_line("context-switches")
    assert line.values == {ALL: pytest.approx(8), "node0": pytest.approx(3), "node1": 5}
    syncs = figures.event_line("fdatasyncs")
    assert syncs.values == {ALL: 2.5, "node0": pytest.approx(2), "node1": pytest.approx(0.5)}
    points = figures.cost_over_time(["node0", "node1"], "context-switches", START + 5)
    assert [value for _, value in points[:-1]] == [pytest.approx(8)] * (len(points) - 1)


def test_without_operations_there_is_no_cost() -> None:
    figures = per_operation(a_run(0))
    assert set(figures.event_line("context-switches").values.values()) == {None}
    points = figures.cost_over_time(["node0"], "context-switches", START)
    assert points and all(value is None for _, value in points)


def test_a_gap_in_one_node_leaves_its_cost_and_the_sum_unknown() -> None:
    store = a_run()
    for second in range(14, 18):
        counted(store, second, "node0", "context-switches", 300)
    for second in range(11, 18):
        counted(store, second, "node1", "context-switches", 500)
        operations(store, second + 0.5, 100)
    values = per_operation(store).event_line("context-switches").values
    assert values["node0"] is None and values[ALL] is None and values["node1"] is not None


def test_totals_add_up_what_was_counted_and_remember_scaling() -> None:
    store = a_run()
    store.apply(CounterReading(START + 11, 1.0, "node0", "context-switches", 7, "", running=0.5))
    counted(store, 12, "node0", "context-switches", None)
    counted(store, 13, "node0", "context-switches", 1)
    figures = Figures(store, store.counters, ["node0"], Measure.TOTAL)
    line = figures.event_line("context-switches")
    assert line.values["node0"] == 3000 + 7 + 1 and "node0" in line.shared
    delta = Figures(store, store.counters, ["node0"], Measure.DELTA)
    assert delta.value("node0", "context-switches") == 1
    assert not delta.shared("node0", "context-switches")


def test_miss_rates_and_top_down() -> None:
    """Constructed: no machine here counts these."""
    store = make_store(has_cluster=False)
    counts = {
        "cache-references": 400,
        "cache-misses": 100,
        "slots": 1000,
        "topdown-retiring": 300,
        "topdown-be-bound": 450,
    }
    for event, value in counts.items():
        counted(store, 1, "a", event, value)
    figures = Figures(store, store.counters, ["a"], Measure.RATE)
    assert figures.value("a", "cache-miss rate") == 25
    assert figures.value("a", "retiring") == 30 and figures.value("a", "backend bound") == 45
    assert "branch-miss rate" not in figures.events
    assert show("retiring", 30, Measure.RATE) == "30.0%"


def test_units() -> None:
    assert show("task-clock", 500, Measure.RATE) == "50.0%"
    assert show("task-clock", 0.0123, Measure.PER_OPERATION) == "12.3µs"
    assert show("page-faults", 0.0034, Measure.PER_OPERATION) == "0.0034"
    assert show("page-faults", 0, Measure.PER_OPERATION) == "0"
    assert show("cycles", None, Measure.TOTAL) == "–"


def test_threads_that_ended_are_no_longer_shown() -> None:
    store = make_store()
    for second in range(1, 9):
        for label in ("one", "two")[: 2 if second < 3 else 1]:
            reading = CounterReading(START + second, 1.0, label, "task-clock", 1, "msec")
            store.details[CountedBy.THREAD].add(reading)
    assert current_labels(store.details[CountedBy.THREAD]) == ["one"]


async def test_keys_go_through_measures_threads_and_cores() -> None:
    store = fill(make_store(), 20)
    pane = CountersPane(store)
    asked: list[CountedBy] = []

    class App(WidgetApp):
        def on_counters_pane_detail_asked(self, event: CountersPane.DetailAsked) -> None:
            asked.append(event.by)

    async with App(pane).run_test(size=(100, 30)) as pilot:
        pane.focus()
        for words in ("in 0.50 s", "total since the start", "per operation, of", "per second"):
            await pilot.press("u")
            assert words in str(pane.border_subtitle)
        await pilot.press("v")
        assert "counting" in widget_text(pane)
        for number, label in enumerate(("node0 py 1", "node1 py 2")):
            reading = CounterReading(
                *(START + 30, 1.0, label, "task-clock", 100.0 + 400 * number, "msec"),
                by=CountedBy.THREAD,
            )
            store.apply(reading)
        pane.refresh_data()
        await pilot.pause()
        text = widget_text(pane)
        # The busiest thread stands first.
        assert text.index("node1 py 2") < text.index("node0 py 1") and "50.0%" in text
        await pilot.press("v")
        assert "whole machine" in str(pane.border_subtitle)
        await pilot.press("v")
        assert "node0" in widget_text(pane) and "event" in widget_text(pane)
    assert asked == [CountedBy.THREAD, CountedBy.CORE, CountedBy.TARGET]
