"""Records of several CPUs' buffers in order of time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors.settling import SETTLE_NS, Settling

Item = tuple[int, str]


@given(st.lists(st.lists(st.integers(0, 2 * SETTLE_NS), max_size=20), max_size=8))
def test_nothing_is_lost_and_nothing_comes_before_its_time(reads: list[list[int]]) -> None:
    queue: Settling[Item] = Settling()
    given: list[Item] = []
    put: list[Item] = []
    for number, times in enumerate(reads):
        for at, time in enumerate(times):
            put.append((time, f"{number}.{at:02}"))
            queue.put(put[-1])
        horizon = queue.horizon(3 * SETTLE_NS, fresh=bool(times))
        settled = queue.before(horizon)
        assert all(time <= horizon for time, _ in settled)
        assert [time for time, _ in settled] == sorted(time for time, _ in settled)
        given += settled
    given += queue.before(2 * SETTLE_NS)
    assert sorted(given) == sorted(put)


def test_those_of_one_time_keep_their_order() -> None:
    queue: Settling[Item] = Settling()
    for item in ((5, "z"), (4, "b"), (5, "a"), (4, "a")):
        queue.put(item)
    assert queue.before(5) == [(4, "b"), (4, "a"), (5, "z"), (5, "a")]


def test_while_perf_has_something_to_read_its_newest_record_is_the_clock() -> None:
    queue: Settling[Item] = Settling()
    queue.put((7 * SETTLE_NS, "read"))
    queue.remark((9 * SETTLE_NS, "kvtop's own"))
    now = 10 * SETTLE_NS
    assert queue.horizon(now, fresh=True) == 6 * SETTLE_NS
    assert queue.horizon(now, fresh=False) == 9 * SETTLE_NS


def test_a_record_of_the_future_does_not_let_the_others_pass_unsorted() -> None:
    queue: Settling[Item] = Settling()
    queue.put((10**15, "of the future"))
    now = 10 * SETTLE_NS
    assert queue.horizon(now, fresh=True) == 9 * SETTLE_NS
    assert queue.before(now) == []
