"""Which moments a scope shows, and how windows, mark and range follow each other."""

from __future__ import annotations

import pytest

from kvtop.profile.ring import Filter
from kvtop.profile.scope import WINDOWS, Scope, TimeRange


def test_a_window_ends_at_the_newest_sample() -> None:
    scope = Scope(30.0)
    assert scope.bounds(100.0) == (70.0, 100.0)
    assert scope.bounds(None) == (None, None)
    assert scope.seconds(100.0) == 30.0


def test_a_mark_begins_where_it_was_set() -> None:
    scope = Scope(30.0).at_mark(90.0)
    assert scope.bounds(100.0) == (90.0, 100.0)
    assert scope.seconds(100.0) == 10.0
    # Nothing has come since: nothing is shown, and not everything.
    assert scope.bounds(80.0) == (90.0, 90.0)
    assert scope.seconds(80.0) == 0.0


def test_a_range_leaves_its_end_out() -> None:
    chosen = TimeRange(10.0, 12.0)
    start, last = Scope().over(chosen).bounds(100.0)
    assert start == 10.0 and last is not None and 11.999 < last < 12.0
    assert Scope().over(chosen).seconds(100.0) == 2.0
    assert Scope().over(chosen).bounds(None) == (start, last)


def test_a_range_goes_before_the_mark_and_gives_way_to_it() -> None:
    marked = Scope().at_mark(50.0)
    inside = marked.over(TimeRange(10.0, 12.0))
    assert inside.bounds(100.0)[0] == 10.0 and inside.marked is None
    assert inside.over(None) == marked
    assert inside.at_mark(60.0).bounds(100.0) == (60.0, 100.0)


@pytest.mark.parametrize("end", [10.0, 9.0])
def test_an_empty_range_is_refused(end: float) -> None:
    with pytest.raises(ValueError, match="holds no moment"):
        TimeRange(10.0, end)


def test_windows_go_from_shortest_to_since_the_mark_and_back() -> None:
    scope = Scope(30.0)
    seen = [scope]
    for _ in range(8):
        scope = scope.shorter()
    assert scope == Scope(WINDOWS[0])
    for _ in range(12):
        scope = scope.longer()
        seen.append(scope)
    assert scope == Scope(WINDOWS[-1])  # without a mark there is nothing beyond
    scope = Scope(WINDOWS[-1], mark=7.0).longer()
    assert scope.since_mark and scope.longer() == scope
    assert scope.shorter() == Scope(WINDOWS[-1], mark=7.0)


def test_another_window_leaves_the_range() -> None:
    inside = Scope(30.0).over(TimeRange(1.0, 2.0))
    assert inside.longer() == Scope(60.0)
    assert inside.shorter() == Scope(10.0)
    assert inside.at_mark(5.0).over(TimeRange(1.0, 2.0)).longer().range is None


def test_a_filter_keeps_the_samples_of_the_scope() -> None:
    assert Scope(10).filter(100.0) == Filter(90.0, 100.0)
    assert Scope(10).filter(None, "node0") == Filter(labels=frozenset(("node0",)))
    chosen = TimeRange(5.0, 7.0)
    assert Scope(10).over(chosen).filter(100.0) == Filter(5.0, chosen.last)
