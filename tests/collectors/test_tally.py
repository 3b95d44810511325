"""Sums over the last turns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors.tally import SLICES, Sum, Tally


def test_only_the_last_turns_count() -> None:
    tally: Tally[str] = Tally()
    for turn in range(SLICES + 3):
        tally.at("a").add(turn)
        tally.turn(0.5, 1.0)
    one = tally.sums()["a"]
    assert (one.count, one.longest) == (SLICES, SLICES + 2)
    assert tally.recorded == 0.5 * SLICES and tally.share == 0.5
    assert Tally().share == 1.0 and not tally


@given(st.lists(st.tuples(st.none() | st.integers(0, 10**12), st.integers(0, 3)), max_size=40))
def test_merged_sums_are_the_sums_of_all(added: list[tuple[int | None, int]]) -> None:
    whole, merged = Sum(), Sum()
    for duration, mark in added:
        part = Sum()
        for one in (whole, part):
            one.add(duration)
            one.mark(mark)
        merged.merge(part)
    assert whole == merged
    timed = [duration for duration, _ in added if duration is not None]
    assert merged.latency.longest == (max(timed) / 1e9 if timed else None)
    assert merged.latency.timed == len(timed) <= merged.latency.count == len(added)
