"""Columns of time: whole wall-clock seconds, counted once, and again when samples come or go."""

from __future__ import annotations

import pytest

from kvtop.events import Role, StackSample
from kvtop.profile.heat import Axis, HeatColumns
from kvtop.profile.ring import SampleRing
from kvtop.profile.stacks import StackTable


def put(ring: SampleRing, *times: float, label: str = "node0") -> None:
    stack = ring.table.stack_id([ring.table.frame_id("f", "")])
    for time in times:
        ring.append(StackSample(time, 1, 1, "c", "cpu-clock", 1, stack), label, Role.LEADER)


def test_columns_begin_on_the_wall_clock() -> None:
    axis = Axis(1.0, 10, 0.25)
    assert axis.column(10.0) == 10 and axis.column(10.75) == 11
    assert axis.bounds(10) == (9.75, 10.75)
    assert axis.bounds(10, 2) == pytest.approx((9.95, 10.05))
    assert axis.bounds(10, 8, 2) == pytest.approx((10.55, 10.75))
    # The last slot ends where the next column begins, to the last bit.
    assert axis.bounds(10, 9)[1] == axis.start(11)


def test_samples_fall_into_their_slot() -> None:
    ring = SampleRing(StackTable())
    put(ring, 5.0, 5.05, 5.99, 6.0)
    heat = HeatColumns(Axis(1.0, 10, 0.0))
    assert list(heat.slots(ring, 5)) == [2, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert list(heat.slots(ring, 6)) == [1] + [0] * 9
    assert list(heat.slots(ring, 7)) == [0] * 10


def test_late_samples_and_those_that_left_are_counted_again() -> None:
    ring = SampleRing(StackTable(), seconds=10.0)
    put(ring, 5.1, 6.1)
    heat = HeatColumns(Axis(1.0, 2, 0.0))
    assert list(heat.slots(ring, 5)) == [1, 0]
    put(ring, 5.7)
    assert list(heat.slots(ring, 5)) == [1, 1]
    put(ring, 15.5)
    assert list(heat.slots(ring, 5)) == [0, 1]


def test_a_column_that_did_not_change_is_not_counted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = SampleRing(StackTable())
    put(ring, 5.1, 6.1)
    heat = HeatColumns(Axis(1.0, 2, 0.0))
    heat.slots(ring, 5), heat.labels(ring, 5)
    put(ring, 6.2)
    monkeypatch.setattr(ring, "histogram_by", None)
    assert list(heat.slots(ring, 5)) == [1, 0] and heat.labels(ring, 5) == {"node0": 1}


def test_one_target_alone_or_each_by_itself() -> None:
    ring = SampleRing(StackTable())
    put(ring, 5.1, 5.2)
    put(ring, 5.3, label="node1")
    axis = Axis(1.0, 2, 0.0)
    assert HeatColumns(axis).labels(ring, 5) == {"node0": 2, "node1": 1}
    assert list(HeatColumns(axis, "node1").slots(ring, 5)) == [1, 0]
    assert list(HeatColumns(axis, "gone").slots(ring, 5)) == [0, 0]
