"""The run queue: known wake-ups and switches; the kernel's own sums beside what was recorded."""

from __future__ import annotations

import asyncio
import os
import shutil
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors.sched_latency import SchedLatency, filters_for
from kvtop.collectors.trace_stream import GAP, TraceEvent
from kvtop.collectors.tracepoints import Field, Format
from kvtop.events import Event
from tests.collectors.helpers import processes, until

WAKE, NEW, SWITCH = 374, 375, 376
MS = 1_000_000


def tool(*tids: int) -> SchedLatency:
    made = SchedLatency([])
    pid = {"pid": Field(24, 4, True)}
    fields = {
        "prev_pid": Field(8, 4, True),
        "prev_state": Field(16, 8, True),
        "next_pid": Field(24, 4, True),
    }
    made.prepare(
        {
            "sched:sched_wakeup": Format(WAKE, pid),
            "sched:sched_wakeup_new": Format(NEW, pid),
            "sched:sched_switch": Format(SWITCH, fields),
        }
    )
    made._recorded = frozenset(tids)
    return made


def wake(at: int, tid: int) -> TraceEvent:
    return TraceEvent(at, WAKE, 0, 0, struct.pack("=24xi", tid))


def switch(at: int, before: int, state: int, after: int) -> TraceEvent:
    return TraceEvent(at, SWITCH, 0, 0, struct.pack("=8xi4xqi", before, state, after))


def delays(made: SchedLatency) -> dict[int, tuple[int, int, int]]:
    made._delays.turn(1, 1)
    return {tid: (one.count, one.total, one.longest) for tid, one in made._delays.sums().items()}


def test_a_thread_waits_from_being_woken_or_preempted_until_it_runs() -> None:
    made = tool(7, 8)
    made.take(
        [
            switch(0, 7, 1, 0),
            wake(10 * MS, 7),
            wake(11 * MS, 7),
            switch(12 * MS, 0, 0, 7),
            switch(20 * MS, 7, 0x100, 8),
            switch(25 * MS, 8, 1, 7),
            switch(30 * MS, 7, 2, 99),
            switch(40 * MS, 99, 0, 7),
        ]
    )
    # 2 ms after the wake-up, 5 ms after being preempted; what woke it the last time is not known.
    assert delays(made) == {7: (2, 7 * MS, 5 * MS)}


def test_nothing_is_known_across_a_gap() -> None:
    made = tool(7)
    made.take([wake(0, 7), TraceEvent(5, GAP, 0, 0, b""), switch(MS, 0, 0, 7)])
    assert delays(made) == {}


@given(
    st.lists(
        st.tuples(
            st.sampled_from([WAKE, NEW, SWITCH, GAP]), st.binary(max_size=40), st.integers(0, 9)
        )
    )
)
def test_any_events_make_no_negative_delays(events: list[tuple[int, bytes, int]]) -> None:
    made = tool(*range(4))
    at = 0
    for kind, raw, step in events:
        at += step
        made.take([TraceEvent(at, kind, 0, 0, raw)])
    assert all(total >= 0 for _, total, _ in delays(made).values())


def test_too_many_threads_for_a_filter_are_recorded_without_one() -> None:
    assert filters_for([5, 3])["sched:sched_wakeup"] == "pid == 3 || pid == 5"
    assert filters_for(range(100_000, 100_500)) == {}
    assert filters_for([]) == {}


SPIN = "import os\nos.sched_setaffinity(0, {CPU})\nwhile True: pass"


@pytest.mark.e2e
@pytest.mark.skipif(shutil.which("perf") is None or os.geteuid() != 0, reason="needs perf and root")
async def test_what_was_recorded_is_what_the_kernel_summed_up() -> None:
    cpu = min(os.sched_getaffinity(0))
    command = [sys.executable, "-c", SPIN.replace("CPU", str(cpu))]
    events: list[Event] = []
    with processes(command, command) as (one, two):
        collector = SchedLatency([one.pid, two.pid])
        running = asyncio.create_task(collector.run(events.append))

        def both() -> dict[int, tuple[float, float]]:
            recorded = collector._delays.sums()
            return {
                row.tid: (recorded[row.tid].total / 1e9, row.waited)
                for row in collector.rows()
                if row.tid in recorded
            }

        try:
            # They share a CPU: each waits for it about half of the time.
            await until(lambda: len(both()) == 2 and min(b for _, b in both().values()) > 1.5, 40)
            found = both()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    for recorded, summed in found.values():
        # What perf has not passed on yet is at most the last second's.
        assert summed - 1.0 <= recorded <= summed + 0.2
