"""The parser of perf stat, and the collector on a real process."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors.perf_stat import PerfStat, StatParser
from kvtop.events import CollectorStatus, CounterReading, Event, Health, Role, Target
from tests.collectors.helpers import SPIN, collect, processes

FIXTURES = Path(__file__).parent.parent / "fixtures"


def parse(text: bytes, size: int) -> list[CounterReading]:
    parser = StatParser("node0")
    found = []
    for at in range(0, len(text), size):
        found += parser.feed(text[at : at + size], 10.0)
    return found


def test_hardware_counters_scaling_and_what_is_missing() -> None:
    text = (FIXTURES / "perf_stat_hardware.constructed.csv").read_bytes()
    readings = parse(text, len(text))
    first = {r.event: r for r in readings if r.time < 10.0}
    assert first["task-clock"].value == 475.5 and first["task-clock"].unit == "msec"
    assert first["cycles"].value == 1.5e9 and first["cycles"].running == 0.625
    assert first["instructions"].value == 3e9
    assert first["cache-misses"].value is None and first["cache-misses"].supported
    assert first["branch-misses"].value is None and not first["branch-misses"].supported
    assert first["cycles"].interval == pytest.approx(0.500605363)
    assert first["cycles"].time == pytest.approx(10.0 - 0.500605363)
    second = {r.event: r for r in readings if r.time == 10.0}
    assert second["cycles"].value == 1000 and second["cycles"].running == 0.375
    assert second["instructions"].value is None and second["instructions"].supported
    assert second["cycles"].interval == pytest.approx(0.500605363)


def test_a_machine_without_hardware_counters() -> None:
    text = (FIXTURES / "perf_stat_virtual.recorded.csv").read_bytes()
    readings = {r.event: r for r in parse(text, len(text))}
    assert readings["context-switches"].value == 48
    assert not readings["cycles"].supported and readings["cycles"].value is None


@given(st.integers(1, 200))
def test_lines_may_come_in_pieces(size: int) -> None:
    text = (FIXTURES / "perf_stat_virtual.recorded.csv").read_bytes()
    pieces = parse(text, size)
    assert [(r.event, r.value, r.interval) for r in pieces] == [
        (r.event, r.value, r.interval) for r in parse(text, len(text))
    ]


LINE = st.sampled_from(
    [
        "1.5;",
        "2.5;7;;cycles;1;50.00;;\n",
        "1.5;9;;x\n",
        ";",
        "\n",
        "1e5;nan;;a\n",
        "\x1b[2J",
        "9" * 30,
    ]
)


@given(st.lists(LINE | st.text(max_size=10), max_size=20))
def test_garbage_gives_no_false_figures(pieces: list[str]) -> None:
    for reading in parse("".join(pieces).encode(errors="replace"), 5):
        assert reading.interval > 0
        assert reading.value is None or reading.value >= 0
        assert 0 <= reading.running <= 1
        assert reading.event.isprintable() and reading.unit.isprintable()


@pytest.mark.e2e
async def test_counts_real_processes_and_follows_a_new_pid() -> None:
    with processes(SPIN, SPIN) as (first, second):
        stat = PerfStat([Target("node0", first.pid, Role.OTHER)], interval=0.2)
        children: tuple[int, ...] = ()

        def done(events: list[Event]) -> bool:
            nonlocal children
            labels = {e.label for e in task_clocks(events)}
            if labels == {"node0"}:
                stat.retarget([Target("node1", second.pid, Role.OTHER)])
            children = stat.child_pids
            return labels == {"node0", "node1"}

        events = await collect(stat, done)
    for reading in task_clocks(events):
        assert reading.value is not None
        # Milliseconds of CPU time in the interval: no more than it is long.
        assert 0 < reading.value <= reading.interval * 1000 * 1.1
    assert len(children) == 1 and not psutil.pid_exists(children[0])
    assert [e.health for e in events if isinstance(e, CollectorStatus)] == [Health.OK]


def task_clocks(events: list[Event]) -> list[CounterReading]:
    readings = [e for e in events if isinstance(e, CounterReading)]
    return [r for r in readings if r.event == "task-clock" and r.value]


@pytest.mark.e2e
async def test_an_event_that_perf_does_not_know_is_named() -> None:
    stat = PerfStat([Target("a", os.getpid(), Role.OTHER)], events=["nosuch"])
    status = (await collect(stat, bool))[0]
    assert isinstance(status, CollectorStatus)
    assert status.health is Health.UNAVAILABLE and "nosuch" in status.reason
