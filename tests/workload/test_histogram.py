"""The latency histogram against exact quantiles."""

from __future__ import annotations

import json
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.workload.histogram import Histogram

durations = st.lists(st.floats(min_value=2e-9, max_value=1e4), min_size=1, max_size=200)


def _of(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


@given(durations, st.sampled_from([0.0, 0.5, 0.99, 0.999, 1.0]))
def test_quantiles_are_within_two_percent(values: list[float], share: float) -> None:
    exact = sorted(values)[max(1, ceil(share * len(values))) - 1]
    assert _of(values).quantile(share) == pytest.approx(exact, rel=0.02)


@given(durations, durations)
def test_merging_equals_counting_together(left: list[float], right: list[float]) -> None:
    merged = _of(left)
    merged.merge(_of(right))
    together = _of(left + right)
    assert merged.buckets == together.buckets
    assert (merged.count, merged.maximum) == (together.count, together.maximum)


@given(durations)
def test_survives_json(values: list[float]) -> None:
    before = _of(values)
    after = Histogram.from_json(json.loads(json.dumps(before.to_json())))
    assert after.buckets == before.buckets
    assert (after.count, after.total, after.maximum) == (
        before.count,
        before.total,
        before.maximum,
    )


def test_an_empty_histogram_has_no_quantile() -> None:
    assert Histogram().quantile(0.5) is None


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"buckets": [], "total": 0, "maximum": 0},
        {"buckets": {"1": 0}, "total": 1, "maximum": 1},
        {"buckets": {"x": 1}, "total": 1, "maximum": 1},
        {"buckets": {"1": 1}, "total": None, "maximum": 1},
    ],
)
def test_refuses_what_is_no_histogram(data: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Histogram.from_json(data)
