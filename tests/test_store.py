"""Each event lands in the store that shows it, and moves that store's revision only."""

from __future__ import annotations

import pytest

from kvtop.events import (
    CollectorStatus,
    CounterReading,
    Event,
    Health,
    LogLine,
    Marker,
    MarkerKind,
    NodeState,
    NodeStatus,
    OwnUsage,
    PipelineStats,
    ProcessUsage,
    Role,
    SampleBatch,
    StackSample,
    StressStats,
    Target,
    TargetsChanged,
)
from kvtop.profile.ring import EVERYTHING, GroupKey, SampleRing
from kvtop.profile.stacks import StackTable
from kvtop.store import RunInfo, Store

INFO = RunInfo("t", "host", "6.1", "6.1", "on", 100.0, 1_000_000.0, has_cluster=True)


@pytest.fixture
def store() -> Store:
    return Store(INFO, SampleRing(StackTable()))


def sample(store: Store, time: float, pid: int, comm: str = "python") -> StackSample:
    stack = store.table.stack_id([store.table.frame_id("main", "/bin/x")])
    return StackSample(time, pid, pid, comm, "cpu-clock", 1, stack)


def status(name: str, role: Role, term: int | None = 1, **more: object) -> NodeStatus:
    fields: dict[str, object] = {"time": 1.0, "pid": 10, "state": NodeState.UP} | more
    return NodeStatus(name=name, role=role, term=term, **fields)  # type: ignore[arg-type]


def stress(time: float, operations: int, p99: float | None = 0.002) -> StressStats:
    return StressStats(time, 0.5, operations, 0, 0, operations, 0.001, p99, 0.003, 4, 9, 0)


def pipeline(time: float, samples: int) -> PipelineStats:
    return PipelineStats(time, samples, 0, 0, 0, None, "cpu-clock", 99, "fp")


def revisions(store: Store) -> dict[str, int]:
    return {
        "ring": store.ring.revision,
        "counters": store.counters.revision,
        "stress": store.stress.revision,
        "cluster": store.cluster.revision,
        "markers": store.markers.revision,
        "logs": store.logs.revision,
        "header": store.revision,
    }


@pytest.mark.parametrize(
    ("event", "moved"),
    [
        (CounterReading(1.0, 0.5, "node0", "task-clock", 400.0, "ms"), "counters"),
        (stress(1.0, 10), "stress"),
        (status("node0", Role.FOLLOWER), "cluster"),
        (ProcessUsage(1.0, "node0", 10, 5.0, 1, 1, "running"), "cluster"),
        (Marker(1.0, MarkerKind.KILL, "killed"), "markers"),
        (LogLine(1.0, "node0", "info", "hello"), "logs"),
        (pipeline(1.0, 10), "header"),
        (OwnUsage(1.0, 3.0, 1, 1.0), "header"),
        (CollectorStatus(1.0, "perf", Health.OK), "header"),
        (TargetsChanged(1.0, ()), "header"),
    ],
)
def test_an_event_moves_its_own_revision_only(store: Store, event: Event, moved: str) -> None:
    before = revisions(store)
    store.apply(event)
    after = revisions(store)
    assert {name for name in after if after[name] != before[name]} == {moved}


def test_counters_keep_the_rate_and_a_gap_where_nothing_was_counted(store: Store) -> None:
    for time, value in ((1.0, 400.0), (1.5, None), (2.0, 100.0)):
        store.apply(CounterReading(time, 0.5, "node0", "faults", value, ""))
    store.apply(CounterReading(2.0, 0.5, "client0", "cycles", None, "", supported=False))
    series = store.counters.series("node0", "faults")
    assert series is not None
    assert series.since(0) == [(1.0, 800.0), (1.5, None), (2.0, 200.0)]
    last = store.counters.last("client0", "cycles")
    assert last is not None and not last.supported
    assert store.counters.labels == ["client0", "node0"]
    assert store.counters.events == ["faults", "cycles"]
    assert store.counters.last("node0", "cycles") is None
    assert store.counters.series("node0", "cycles") is None


def test_readings_that_come_late_are_passed_over(store: Store) -> None:
    store.apply(CounterReading(2.0, 0.5, "node0", "faults", 1.0, ""))
    store.apply(CounterReading(1.0, 0.5, "node0", "faults", 9.0, ""))
    last = store.counters.last("node0", "faults")
    assert last is not None and last.value == 1.0
    store.apply(stress(2.0, 5))
    store.apply(stress(1.0, 50))
    assert store.stress.last is not None and store.stress.last.operations == 5


def test_stress_history(store: Store) -> None:
    store.apply(stress(1.0, 10))
    store.apply(stress(1.5, 0, p99=None))
    assert store.stress.rate.since(0) == [(1.0, 20.0), (1.5, 0.0)]
    assert store.stress.p99.since(0) == [(1.0, 0.002), (1.5, None)]


def test_samples_carry_label_and_role_of_their_moment(store: Store) -> None:
    store.apply(TargetsChanged(0.0, (Target("node0", 10, Role.UNKNOWN),)))
    store.apply(status("node0", Role.FOLLOWER))
    store.apply(SampleBatch((sample(store, 1.0, 10),)))
    store.apply(status("node0", Role.LEADER))
    store.apply(SampleBatch((sample(store, 2.0, 10), sample(store, 3.0, 99, "zsh"))))
    seen = [(s.time, label, role) for s, label, role in store.ring.iter_samples()]
    assert seen == [
        (1.0, "node0", Role.FOLLOWER),
        (2.0, "node0", Role.LEADER),
        (3.0, "zsh(99)", Role.OTHER),
    ]


def test_a_restarted_node_is_known_by_its_new_process(store: Store) -> None:
    store.apply(status("node0", Role.LEADER, pid=10))
    store.apply(TargetsChanged(2.0, (Target("node0", 11, Role.UNKNOWN),)))
    store.apply(SampleBatch((sample(store, 2.0, 11),)))
    assert list(store.ring.fold_by(EVERYTHING, GroupKey.LABEL)) == ["node0"]
    assert list(store.ring.fold_by(EVERYTHING, GroupKey.ROLE)) == ["unknown"]
    assert store.targets["node0"].pid == 11


def test_the_leader_is_the_live_one_of_the_highest_term_and_a_change_is_marked(
    store: Store,
) -> None:
    store.apply(status("node0", Role.LEADER, term=3, pid=10))
    assert store.cluster.leader == "node0"
    store.apply(status("node0", Role.LEADER, term=3, pid=10, time=2.0))
    store.apply(status("node1", Role.LEADER, term=4, pid=11, time=3.0))
    assert store.cluster.leader == "node1"
    store.apply(status("node1", Role.LEADER, term=4, pid=None, state=NodeState.DOWN, time=4.0))
    marks = [(m.time, m.kind, m.label, m.text) for m in store.markers.items]
    assert marks == [
        (1.0, MarkerKind.ELECTION, "node0", "node0 is leader in term 3"),
        (3.0, MarkerKind.ELECTION, "node1", "node1 is leader in term 4"),
    ]
    assert store.cluster.leader == "node0"


def test_sample_rate_comes_from_two_readings_of_the_pipe(store: Store) -> None:
    for time, samples in ((1.0, 100), (2.0, 280), (3.0, 50)):
        store.apply(pipeline(time, samples))
    assert store.sample_rate.since(0) == [(2.0, 180.0)]
    assert store.pipeline is not None and store.pipeline.samples == 50


def test_health_of_a_silent_collector_is_starting(store: Store) -> None:
    assert store.health("perf").health is Health.STARTING
    store.apply(CollectorStatus(1.0, "perf", Health.UNAVAILABLE, "perf is missing"))
    assert store.health("perf").reason == "perf is missing"


def test_logs_and_markers_are_bounded(store: Store) -> None:
    for n in range(3000):
        store.apply(LogLine(n, "x", "info", str(n)))
        store.apply(Marker(n, MarkerKind.NOTE, str(n)))
    assert len(store.logs.items) <= 2000 and store.logs.items[-1].text == "2999"
    assert len(store.markers.items) <= 500 and store.markers.items[-1].text == "2999"


def test_wall_clock(store: Store) -> None:
    assert store.wall(5.0) == 1_000_005.0


def test_the_first_event_of_what_is_sampled_is_shown_until_another_is_chosen(
    store: Store,
) -> None:
    stack = store.table.stack_id([store.table.frame_id("f", "o")])

    def sampled(time: float, *names: str) -> None:
        store.apply(
            SampleBatch(tuple(StackSample(time, 1, 1, "c", name, 1, stack) for name in names))
        )
        known = PipelineStats(time, 1, 0, 0, 0, None, "", 99, "fp", events=tuple(sorted(names)))
        store.apply(known)

    sampled(1, "b")
    assert store.ring.event is None
    sampled(2, "b", "a")
    assert store.ring.event == "a"
    store.ring.show_event("b")
    sampled(3, "a", "b", "c")
    assert store.ring.event == "b"
    sampled(4, "d")
    assert store.ring.event == "d"
