"""Adding up the intervals of several stress processes."""

from __future__ import annotations

from typing import Any

import pytest

from kvtop.workload.histogram import Histogram
from kvtop.workload.stress_merge import StressMerger
from kvtop.workload.supervisor_protocol import Stress


def _part(time: float, latencies: list[float], errors: int = 0) -> dict[str, Any]:
    histogram = Histogram()
    for latency in latencies:
        histogram.add(latency)
    return {
        "time": time,
        "interval": 0.5,
        "operations": len(latencies),
        "errors": errors,
        "reads": 1,
        "writes": len(latencies) - 1,
        "clients": 4,
        "latency": histogram.to_json(),
    }


@pytest.fixture
def merged() -> list[Stress]:
    return []


@pytest.fixture
def merger(merged: list[Stress]) -> StressMerger:
    merger = StressMerger(merged.append, 0.5)
    merger.expect("client0")
    merger.expect("client1")
    return merger


def test_waits_for_all_processes_of_an_interval(merger: StressMerger, merged: list[Stress]) -> None:
    merger.add("client0", _part(1.5, [0.001] * 90))
    assert not merged
    merger.add("client1", _part(1.5, [0.1] * 10, errors=3))
    (stress,) = merged
    assert (stress.operations, stress.errors, stress.clients) == (100, 3, 8)
    assert (stress.reads, stress.writes) == (2, 98)
    assert stress.p50 == pytest.approx(0.001, rel=0.02)
    assert stress.p99 == pytest.approx(0.1, rel=0.02)


def test_totals_grow_and_intervals_do_not(merger: StressMerger, merged: list[Stress]) -> None:
    merger.forget("client1")
    for number in range(3):
        merger.add("client0", _part(number * 0.5, [0.001] * 10, errors=1))
    assert [s.operations for s in merged] == [10, 10, 10]
    assert [s.total_operations for s in merged] == [10, 20, 30]
    assert merged[-1].total_errors == 3


def test_does_not_wait_for_a_late_process_for_ever(
    merger: StressMerger, merged: list[Stress]
) -> None:
    merger.add("client0", _part(1.5, [0.001]))
    merger.flush(1.55)
    assert not merged
    merger.flush(merger.due)
    assert [s.clients for s in merged] == [4]


def test_intervals_are_never_mixed(merger: StressMerger, merged: list[Stress]) -> None:
    merger.add("client1", _part(1.0, [0.001] * 5))
    merger.add("client0", _part(1.5, [0.001] * 7))
    merger.add("client1", _part(1.5, [0.001] * 7))
    assert [s.operations for s in merged] == [5, 14]


def test_a_dead_process_is_not_waited_for(merger: StressMerger, merged: list[Stress]) -> None:
    merger.add("client0", _part(1.5, [0.001]))
    merger.forget("client1")
    assert len(merged) == 1


def test_an_interval_without_operations_has_no_latency(
    merger: StressMerger, merged: list[Stress]
) -> None:
    merger.add("client0", _part(1.0, []))
    merger.add("client1", _part(1.0, []))
    assert (merged[0].p50, merged[0].p999) == (None, None)


def test_a_bad_part_is_refused(merger: StressMerger) -> None:
    with pytest.raises(ValueError):
        merger.add("client0", _part(1.0, [0.1]) | {"latency": {}})
