"""Figures keep their width and their unit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.widgets.figures import NONE, count, digits3, duration, percent, size, span


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, NONE),
        (0, "0"),
        (7, "7"),
        (999, "999"),
        (999.6, "1.00k"),
        (1234, "1.23k"),
        (45_600_000, "45.6M"),
        (7.2e9, "7.20G"),
        (0.5, "0.50"),
    ],
)
def test_count(value: float | None, text: str) -> None:
    assert count(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, NONE),
        (0.0, "0s"),
        (12.34e-6, "12.3µs"),
        (0.00123, "1.23ms"),
        (0.9996, "1.00s"),
        (4.56, "4.56s"),
    ],
)
def test_duration(value: float | None, text: str) -> None:
    assert duration(value) == text


def test_size_percent_span() -> None:
    assert [size(v) for v in (None, 512, 12_595, 3 << 29)] == [NONE, "512", "12.3K", "1.50G"]
    assert percent(12.345) == "12.3" and percent(None) == NONE
    assert [span(v) for v in (0.5, 30, 90, 300, 5400)] == ["0.5s", "30s", "1m30s", "5m", "1h30m"]


@given(st.floats(min_value=0, max_value=999e9))
def test_a_count_is_never_wider_than_its_column(value: float) -> None:
    assert len(count(value)) <= 5


@given(st.floats(min_value=0, max_value=999))
def test_three_digits_are_near_the_value(value: float) -> None:
    assert abs(float(digits3(value)) - value) <= max(0.0051, value * 0.006)
