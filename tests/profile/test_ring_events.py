"""Samples of different events are never added up: a ring shows one event at a time."""

from __future__ import annotations

from kvtop.events import Role, StackSample
from kvtop.profile.heat import Axis, HeatColumns
from kvtop.profile.ring import Filter, GroupKey, SampleRing
from kvtop.profile.stacks import StackTable
from kvtop.profile.still_ring import StillRing
from kvtop.widgets.weights import in_unit, shown_event, unit_of, weight_text


def ring_of(*events: str, one_event: bool = True) -> tuple[SampleRing, int]:
    """A sample a second, of the events by turns, 5 ms or 5 events each."""
    ring = SampleRing(StackTable())
    if one_event:
        ring.one_event()
    stack = ring.table.stack_id([ring.table.frame_id("f", "o")])
    for second, event in enumerate(events):
        ring.append(StackSample(second, 1, 1, "c", event, 5_000_000, stack), "a", Role.OTHER)
    return ring, stack


def test_one_event_needs_no_choice() -> None:
    ring, stack = ring_of("cpu-clock", "cpu-clock")
    assert ring.event is None and ring.fold() == {stack: 2}
    assert weight_text(ring, "samples") == "samples"


def test_folds_and_histograms_are_of_the_event_that_is_shown() -> None:
    ring, stack = ring_of("cpu-clock", "page-faults", "cpu-clock")
    assert ring.events == ["cpu-clock", "page-faults"] and ring.event == "cpu-clock"
    assert ring.fold() == {stack: 2} and list(ring.times()) == [0, 2]
    before = ring.revision
    ring.show_event("page-faults")
    assert ring.revision > before
    assert ring.fold() == {stack: 1}
    assert ring.histogram(0, 3, 3) == [0, 1, 0]
    assert ring.fold_by(Filter(), GroupKey.LABEL) == {"a": {stack: 1}}
    assert weight_text(ring, "samples") == "samples of page-faults"


def test_a_filter_may_name_events_and_samples_are_all_there() -> None:
    ring, stack = ring_of("cpu-clock", "page-faults", "cpu-clock")
    every = Filter(events=frozenset(ring.events))
    assert ring.fold(every) == {stack: 3}
    assert len(list(ring.iter_samples())) == 3


def test_states_of_waits_are_no_events_to_choose_from() -> None:
    ring, stack = ring_of("blocked", "ready", one_event=False)
    assert ring.event is None and ring.fold() == {stack: 2}


def test_a_paused_screen_shows_the_same_event() -> None:
    ring, stack = ring_of("cpu-clock", "page-faults", "cpu-clock")
    still = StillRing(ring)
    still.show_event("page-faults")
    assert ring.event == still.event == "page-faults"
    assert still.fold() == {stack: 1}


def test_units() -> None:
    ring, stack = ring_of("cpu-clock", "page-faults", "cpu-clock")
    assert unit_of(ring, "samples") == "samples" and shown_event(ring) == "cpu-clock"
    assert unit_of(ring, "period") == "ms"
    assert in_unit(ring, "period", ring.fold(weight="period")) == {stack: 10}
    ring.show_event("page-faults")
    assert unit_of(ring, "period") == weight_text(ring, "period") == "page-faults"
    assert in_unit(ring, "period", ring.fold(weight="period")) == {stack: 5_000_000}


def test_the_time_map_counts_anew() -> None:
    ring, _ = ring_of("cpu-clock", "page-faults", "cpu-clock")
    columns = HeatColumns(Axis(4.0, 1, 0.0))
    first = sum(columns.slots(ring, 0))
    ring.show_event("page-faults")
    assert (first, sum(columns.slots(ring, 0))) == (2, 1)
