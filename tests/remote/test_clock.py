"""The bound on the clock's error holds whatever the network does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kvtop.remote.clock import Clock

SECONDS = st.floats(0, 5)


@given(
    st.floats(-1e6, 1e6),
    st.floats(-50e-6, 50e-6),
    st.lists(st.tuples(SECONDS, SECONDS, SECONDS), min_size=1, max_size=30),
)
def test_the_true_difference_is_within_the_error(
    difference: float, drift: float, trips: list[tuple[float, float, float]]
) -> None:
    clock, here = Clock(), 1000.0
    for pause, there_after, back_after in trips:
        asked = here + pause
        answered = asked + there_after
        here = answered + back_after
        theirs = answered - difference + drift * (answered - 1000)
        clock.measure(asked, theirs, here)
        true = answered - theirs
        assert abs(clock.offset - true) <= clock.error + 2 * abs(drift) * (here - asked) + 1e-6
        assert clock.remote(clock.local(theirs)) - theirs < 1e-6


def test_quick_answers_make_it_exact_and_it_does_not_move_without_need() -> None:
    clock = Clock()
    clock.measure(10.0, 110.0, 11.0)
    assert (clock.offset, clock.error) == (-99.5, 0.5)
    clock.measure(12.0, 112.3, 12.6)
    # The first answer allowed -99.5, so does this one.
    assert clock.offset != 0 and clock.error < 0.5
    before = clock.offset
    clock.measure(13.0, 113.4, 14.0)
    assert clock.offset == before


def test_a_machine_that_was_suspended_is_measured_anew() -> None:
    clock = Clock()
    clock.measure(10.0, 10.0, 10.01)
    clock.measure(3610.0, 20.0, 3610.01)
    assert abs(clock.offset - 3590) < 0.01 and clock.error < 0.01
