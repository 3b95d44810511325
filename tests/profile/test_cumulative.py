"""How much of a running total came in a stretch of time, and where that is not known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.profile.cumulative import Cumulative


def test_a_part_of_an_interval_has_its_share() -> None:
    total = Cumulative()
    total.add(0, 1, 10)
    total.add(1, 2, 20)
    assert total.between(0, 2) == 30
    assert total.between(0.5, 1.5) == pytest.approx(5 + 10)
    assert total.ends(0.5, 2) == [1, 2]


def test_what_was_not_counted_is_unknown_and_never_0() -> None:
    total = Cumulative()
    total.add(0, 1, 10)
    total.add(5, 6, 7)
    assert total.between(0.5, 5.5) is None
    assert total.between(2, 3) is None
    assert total.between(5, 6) == 7
    assert total.between(6, 7) is None and total.between(-1, 1) is None
    assert total.amount == 17


def test_a_counter_that_begins_anew() -> None:
    total = Cumulative()
    for time, value in ((0, 100), (1, 110), (2, 4), (3, 9)):
        total.add_total(time, value)
    assert total.between(0, 1) == 10
    assert total.between(2, 3) == 5
    assert total.between(0.5, 2.5) is None


@given(st.lists(st.tuples(st.floats(0.5, 2), st.integers(0, 1000)), min_size=1, max_size=20))
def test_parts_add_up(intervals: list[tuple[float, int]]) -> None:
    total, at = Cumulative(), 0.0
    for length, amount in intervals:
        total.add(at, at + length, amount)
        at += length
    middle = at / 3
    one, two = total.between(0, middle), total.between(middle, at)
    assert one is not None and two is not None
    assert one + two == pytest.approx(sum(amount for _, amount in intervals))
