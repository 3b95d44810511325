"""Spikes: the worst first, as wide as it was high, and where its operations began."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.profile.spikes import Spike, spikes


def series(*values: float | None) -> list[tuple[float, float | None]]:
    """A point a second, the first at 1."""
    return [(float(at), value) for at, value in enumerate(values, 1)]


def test_the_worst_comes_first_and_spans_what_is_high_beside_it() -> None:
    found = spikes(series(1, 1, 9, 10, 1, 1, 1, 30, 1, 1), 1.0)
    assert found == [Spike(7.0, 8.0, 30), Spike(2.0, 4.0, 10)]


def test_a_gap_ends_a_spike() -> None:
    assert spikes(series(1, 10, None, 9, 1, 1, 1), 1.0) == [Spike(1.0, 2.0, 10), Spike(3.0, 4.0, 9)]


def test_slow_operations_began_before_the_interval_that_they_ended_in() -> None:
    (spike,) = spikes(series(0.1, 0.1, 0.1, None, None, 2.5, 0.1), 1.0, latency=True)
    assert spike.start == pytest.approx(2.5) and spike.end == 6.0


@pytest.mark.parametrize("values", [(), (None, None), (3, 3, 3), (5,)])
def test_no_spike_where_nothing_stands_out(values: tuple[float | None, ...]) -> None:
    assert spikes(series(*values), 1.0) == []


@given(st.lists(st.none() | st.floats(0, 100), max_size=40))
def test_spikes_are_apart_and_hold_their_peak(values: list[float | None]) -> None:
    points = series(*values)
    found = spikes(points, 1.0)
    assert [s.peak for s in found] == sorted((s.peak for s in found), reverse=True)
    inside = [{t for t, _ in points if s.start < t <= s.end} for s in found]
    assert sum(map(len, inside)) == len(set().union(*inside))
    for spike, times in zip(found, inside, strict=True):
        assert spike.peak == max(v for t, v in points if t in times and v is not None)
