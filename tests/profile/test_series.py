"""A series is bounded, in order, and keeps its gaps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.profile.series import Series

POINTS = st.lists(st.tuples(st.floats(0, 100), st.none() | st.floats(-1, 1)), max_size=30).map(
    lambda points: sorted(points, key=lambda p: p[0])
)


@given(POINTS, st.integers(1, 10), st.floats(0, 100))
def test_it_keeps_the_newest_points(
    points: list[tuple[float, float | None]], maxlen: int, start: float
) -> None:
    series = Series(maxlen)
    for time, value in points:
        series.append(time, value)
    kept = points[-maxlen:]
    assert len(series) == len(kept)
    assert series.since(start) == [p for p in kept if p[0] >= start]
    assert series.last == (kept[-1][1] if kept else None)
    assert series.last_time == (kept[-1][0] if kept else None)
    assert series.revision == len(points)


def test_time_does_not_run_backwards() -> None:
    series = Series()
    series.append(2.0, 1.0)
    with pytest.raises(ValueError, match="older"):
        series.append(1.0, 1.0)
    series.append(2.0, None)
    assert series.since(0) == [(2.0, 1.0), (2.0, None)]
