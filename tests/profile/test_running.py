"""Which processes ran a function."""

from __future__ import annotations

from kvtop.events import Role, StackSample
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.ring import SampleRing
from kvtop.profile.running import processes_of
from kvtop.profile.stacks import StackTable

STEP = Frame("Raft.step", "raft.py", Kind.PYTHON, "/srv/raft.py")
OTHER = Frame("other", "raft.py", Kind.PYTHON, "/srv/raft.py")


def ring(table: StackTable, *samples: tuple[float, int, Frame]) -> SampleRing:
    """A ring with samples of a process, whose label is its PID, in one function below another."""
    found = SampleRing(table)
    for time, pid, frame in samples:
        stack = table.stack_id([table.intern(frame), table.intern(OTHER)])
        found.append(StackSample(time, pid, pid, "t", "e", 1, stack), str(pid), Role.OTHER)
    return found


def test_those_whose_stacks_hold_it_in_any_ring() -> None:
    table = StackTable()
    rings = (
        ring(table, (100, 1, STEP), (101, 2, OTHER), (102, 3, STEP)),
        ring(table, (101, 4, STEP), (300, 5, STEP)),
    )
    assert processes_of(rings, STEP, 90, 110) == {1, 3, 4}
    assert processes_of(rings, STEP, 90, 110, "3") == {3}
    assert processes_of(rings, OTHER, 101, 101) == {2, 4}
    assert processes_of(rings, STEP, 103, 110) == frozenset()


def test_the_last_minute_is_enough_where_it_has_an_answer() -> None:
    table = StackTable()
    one = ring(table, (100, 1, STEP), (300, 2, STEP), (500, 3, OTHER))
    assert processes_of([one], STEP, 0, 310) == {2}
    assert processes_of([one], STEP, 0, 500) == {1, 2}
