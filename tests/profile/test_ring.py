"""The ring against a plain list of samples."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.events import Role, StackSample
from kvtop.profile.ring import EVERYTHING, Filter, GroupKey, SampleRing
from kvtop.profile.stacks import StackTable

Entry = tuple[StackSample, str, Role]
Row = tuple[float, int, int, str, int, int, Role]


def entries() -> st.SearchStrategy[list[Row]]:
    """(time, pid, tid, event, period, stack number, role)."""
    return st.lists(
        st.tuples(
            st.floats(0, 30).map(lambda t: round(t, 1)),
            st.sampled_from([10, 20]),
            st.sampled_from([10, 11, 20]),
            st.sampled_from(["cpu-clock", "sched:sched_switch"]),
            st.integers(1, 9),
            st.integers(0, 3),
            st.sampled_from([Role.LEADER, Role.FOLLOWER]),
        ),
        max_size=60,
    )


def fill(ring: SampleRing, rows: list[Row]) -> list[Entry]:
    """Append everything; the samples in time order, as an unbounded ring would hold them."""
    table = ring.table
    stacks = [table.stack_id([table.frame_id(f"f{n}", "")]) for n in range(4)]
    made = []
    for time, pid, tid, event, period, stack, role in rows:
        sample = StackSample(time, pid, tid, f"c{tid}", event, period, stacks[stack])
        ring.append(sample, f"node{pid}", role)
        made.append((sample, f"node{pid}", role))
    return sorted(made, key=lambda e: e[0].time)


FILTERS = [
    EVERYTHING,
    Filter(start=5.0, end=20.0),
    Filter(labels=frozenset({"node10"})),
    Filter(roles=frozenset({Role.LEADER})),
    Filter(pids=frozenset({20})),
    Filter(tids=frozenset({11})),
    Filter(comms=frozenset({"c10"})),
    Filter(events=frozenset({"cpu-clock"})),
    Filter(pattern=re.compile("f[12]")),
    Filter(start=3.0, roles=frozenset({Role.LEADER}), pattern=re.compile("f2")),
]


def passes(table: StackTable, filter: Filter, entry: Entry) -> bool:
    sample, label, role = entry
    symbols = [table.frame(f).symbol for f in table.frames(sample.stack)]
    return (
        (filter.start is None or sample.time >= filter.start)
        and (filter.end is None or sample.time <= filter.end)
        and (filter.labels is None or label in filter.labels)
        and (filter.roles is None or role in filter.roles)
        and (filter.pids is None or sample.pid in filter.pids)
        and (filter.tids is None or sample.tid in filter.tids)
        and (filter.comms is None or sample.comm in filter.comms)
        and (filter.events is None or sample.event in filter.events)
        and (filter.pattern is None or any(filter.pattern.search(s) for s in symbols))
    )


@pytest.mark.parametrize("filter", FILTERS)
@given(rows=entries())
def test_every_view_agrees_with_a_plain_list(filter: Filter, rows: list[Row]) -> None:
    ring = SampleRing(StackTable(), seconds=100)
    kept = [e for e in fill(ring, rows) if passes(ring.table, filter, e)]
    assert ring.fold(filter) == dict(Counter(s.stack for s, _, _ in kept))
    periods: Counter[int] = Counter()
    for sample, _, _ in kept:
        periods[sample.stack] += sample.period
    assert ring.fold(filter, "period") == dict(periods)
    assert list(ring.times(filter)) == [s.time for s, _, _ in kept]
    assert Counter(ring.iter_samples(filter)) == Counter(kept)
    by_role = ring.fold_by(filter, GroupKey.ROLE)
    assert {n: sum(c.values()) for n, c in by_role.items()} == dict(
        Counter(role.value for _, _, role in kept)
    )
    by_period = ring.fold_by(filter, GroupKey.LABEL, "period")
    assert sum(n for c in by_period.values() for n in c.values()) == sum(periods.values())
    assert list(by_period) == sorted(by_period)
    assert sum(ring.histogram(0, 31, 7, filter)) == len(kept)
    if filter.pattern is None:
        rows_by_label = ring.histogram_by(0, 31, 7, GroupKey.LABEL, filter)
        for name in ("node10", "node20"):
            one = ring.histogram(0, 31, 7, replace(filter, labels=frozenset({name})))
            other = filter.labels is not None and name not in filter.labels
            assert rows_by_label.get(name, [0] * 7) == ([0] * 7 if other else one)


@given(rows=entries(), start=st.floats(-1, 31), end=st.floats(-1, 31))
def test_a_count_leaves_its_end_out(rows: list[Row], start: float, end: float) -> None:
    ring = SampleRing(StackTable(), seconds=100)
    kept = fill(ring, rows)
    assert ring.count(start, end) == sum(start <= s.time < end for s, _, _ in kept)
    if end > start + 1e-6:
        groups = ring.histogram_by(start, end, 3, GroupKey.PROCESS)
        assert sum(map(sum, groups.values())) == ring.count(start, end)


@given(rows=entries(), limit=st.integers(1, 20), seconds=st.floats(0.5, 40))
def test_bounds_hold_and_nothing_is_lost_in_silence(
    rows: list[Row], limit: int, seconds: float
) -> None:
    ring = SampleRing(StackTable(), seconds, limit)
    table = ring.table
    stacks = [table.stack_id([table.frame_id(f"f{n}", "")]) for n in range(4)]
    for time, pid, tid, event, period, stack, role in rows:
        sample = StackSample(time, pid, tid, "c", event, period, stacks[stack])
        ring.append(sample, "n", role)
        assert len(ring) <= limit
        times = list(ring.times())
        assert times == sorted(times)
        assert times[-1] - times[0] <= seconds
        assert (ring.first_time, ring.last_time) == (times[0], times[-1])
    assert set(ring.origins) == {
        (s.pid, s.tid, s.comm, s.event, label, role) for s, label, role in ring.iter_samples()
    }
    if rows and max(r[0] for r in rows) - min(r[0] for r in rows) <= seconds:
        assert len(ring) + ring.dropped == len(rows)
    ring.clear()
    assert len(ring) == 0 and ring.first_time is None and ring.origins == []
    table.compact()
    table.compact()
    assert len(table) == 0  # every stack was given back


def sample(time: float, stack: int, comm: str = "c") -> StackSample:
    return StackSample(time, 1, 1, comm, "cpu-clock", 1, stack)


def test_a_late_sample_takes_its_place_and_a_too_late_one_is_counted() -> None:
    table = StackTable()
    ring = SampleRing(table, seconds=10)
    stack = table.stack_id([table.frame_id("f", "")])
    for time in (100.0, 101.0, 100.5, 89.0):
        ring.append(sample(time, stack), "n", Role.OTHER)
    assert list(ring.times()) == [100.0, 100.5, 101.0]
    assert ring.dropped == 1


def test_a_sample_whose_stack_is_forgotten_is_dropped_and_counted() -> None:
    ring = SampleRing(StackTable())
    ring.append(sample(1.0, 12345), "n", Role.OTHER)
    assert (len(ring), ring.dropped) == (0, 1)


def test_revision_moves_with_the_data() -> None:
    table = StackTable()
    ring = SampleRing(table)
    before = ring.revision
    ring.append(sample(1.0, table.stack_id([table.frame_id("f", "")])), "n", Role.OTHER)
    assert ring.revision > before


def test_memory_is_given_back_over_a_long_run() -> None:
    table = StackTable()
    ring = SampleRing(table, seconds=1.0, max_samples=1000)
    for n in range(20_000):
        stack = table.stack_id([table.frame_id(f"f{n}", "")])
        ring.append(sample(n * 0.01, stack, comm=f"short-lived-{n}"), "n", Role.OTHER)
    assert len(ring) <= 102
    assert len(ring.origins) <= 102
    assert len(ring._times) <= 2 * 1000
    assert len(table) < 20_000


def test_the_label_and_role_are_those_of_the_moment() -> None:
    table = StackTable()
    ring = SampleRing(table)
    stack = table.stack_id([table.frame_id("f", "")])
    ring.append(sample(1.0, stack), "node0", Role.FOLLOWER)
    ring.append(sample(2.0, stack), "node0", Role.LEADER)
    groups = ring.fold_by(EVERYTHING, GroupKey.ROLE)
    assert groups == {"follower": {stack: 1}, "leader": {stack: 1}}
    assert list(ring.fold_by(EVERYTHING, GroupKey.THREAD)) == ["c (1)"]
    assert list(ring.fold_by(EVERYTHING, GroupKey.PROCESS)) == ["node0 (1)"]


def test_refusals() -> None:
    with pytest.raises(ValueError):
        SampleRing(StackTable(), seconds=0)
    with pytest.raises(ValueError):
        SampleRing(StackTable()).histogram(1, 1, 3)
