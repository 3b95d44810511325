"""The parser of perf stat, and the collector on a real process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors.perf_stat import PerfStat, StatParser, with_sampled
from kvtop.collectors.stat_detail import StatDetail
from kvtop.events import CollectorStatus, CountedBy, CounterReading, Event, Health, Role, Target
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


def test_threads_whose_names_hold_anything() -> None:
    """Lines as recorded of ``perf stat --per-thread``, names as hostile as 15 bytes allow."""
    parser = StatParser("", CountedBy.THREAD, lambda who: who)
    text = (
        b"     0.300398649;py;9;;x-1;5-6666;303.75;msec;task-clock;303751765;100.00;1.013;CPUs\n"
        b"     0.300398649;\x1b[2J-77;<not counted>;;context-switches;0;100.00;;\n"
    )
    first, second = parser.feed(text, 5.0)
    assert (first.label, first.value, first.event) == ("py;9;;x-1;5-6666", 303.75, "task-clock")
    assert first.by is CountedBy.THREAD
    assert second.label == r"\x1b[2J-77" and second.value is None and second.supported


def test_cores() -> None:
    """Lines as recorded of ``perf stat --per-core -a``."""
    parser = StatParser("", CountedBy.CORE)
    text = (
        b"     0.300407759;S0-D0-C0;1;32;;context-switches;303753597;100.00;105.349;/sec\n"
        b"     0.300407759;S0-D0-C1;1;2;;context-switches;300573247;100.00;6.654;/sec\n"
    )
    found = {reading.label: reading.value for reading in parser.feed(text, 5.0)}
    assert found == {"S0-D0-C0": 32, "S0-D0-C1": 2}


def test_what_only_the_kernel_does_is_unknown_to_an_ordinary_user_and_not_0() -> None:
    """perf 6.1 says 0 context-switches:u to a user who may not look into the kernel."""
    (reading,) = parse(b"     0.5;0;;context-switches:u;1403539;100.00;;\n", 100)
    assert reading.value is None and not reading.supported
    (faults,) = parse(b"     0.5;45;;page-faults:u;1246208;100.00;;\n", 100)
    assert faults.value == 45


def test_times_hold_still_however_late_perf_is_read() -> None:
    parser = StatParser("node0")
    line = "     {}.0;7;;page-faults;1;100.00;;\n"
    late = [0.0, 0.4, 0.0, 0.3]
    readings = []
    for number, delay in enumerate(late, 1):
        readings += parser.feed(line.format(number).encode(), 100 + number + delay)
    assert [r.time for r in readings] == [101, 102, 103, 104]


def test_sampled_events_are_counted_too_and_each_once() -> None:
    assert with_sampled(
        ("page-faults", "cycles"), ["{faults,sched:sched_switch}:S", "cycles:u"]
    ) == (
        *("page-faults", "cycles"),
        "sched:sched_switch",
    )


@pytest.mark.e2e
async def test_threads_of_a_real_process_and_cores_by_turns() -> None:
    threads = (sys.executable, "-c", THREADS)
    with processes(threads) as (process,):
        assert process.stdout is not None
        tid = int(process.stdout.readline())
        detail = StatDetail(interval=0.2)
        detail.retarget([Target("node0", process.pid, Role.OTHER)])
        detail.count_by(CountedBy.THREAD, ("task-clock", "page-faults"))

        asked = False

        def done(events: list[Event]) -> bool:
            nonlocal asked
            if not asked and any(r.label.endswith(f" {tid}") for r in task_clocks(events)):
                asked = True
                detail.count_by(CountedBy.CORE, ("task-clock",))
            return any(r.by is CountedBy.CORE for r in task_clocks(events))

        events = await collect(detail, done)
    mine = [r for r in task_clocks(events) if r.label.endswith(f" {tid}")]
    assert mine and all(r.label.startswith("node0 ") for r in mine)
    assert all(r.value is not None and r.value <= r.interval * 1100 for r in mine)
    assert not detail.child_pids


THREADS = """
import threading
def spin():
    print(threading.get_native_id(), flush=True)
    while True: pass
threading.Thread(target=spin).start()
"""
