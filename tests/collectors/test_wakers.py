"""Who ends a wait: joined by thread and time, bystanders unnamed, and on real perf."""

from __future__ import annotations

import os
import shutil
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors.trace_stream import GAP, TraceEvent
from kvtop.collectors.wakers import GOES_ON, INTERRUPT, NOT_SEEN, Wakers, waking_filter
from kvtop.events import StackSample, WaitState
from kvtop.profile.stacks import StackTable
from tests.collectors.helpers import processes, until
from tests.collectors.test_off_cpu import FIXTURES, live

S = 1_000_000_000


def waking(time_ns: int, woken: int, tid: int = 7, flags: int = 0) -> TraceEvent:
    raw = struct.pack("=HBBi16sii", 1, flags, 0, tid, b"comm", woken, 120)
    return TraceEvent(time_ns, 1, tid, tid, raw)


def made(taken: list[StackSample] | None = None) -> tuple[StackTable, Wakers]:
    table = StackTable()
    wakers = Wakers(table, [50, 51], (taken if taken is not None else []).extend)
    wakers._reader = struct.Struct("=24xi")
    wakers._began_ns = 1 * S
    wakers._names.learn(7, "seven")
    wakers._names.learn(8, "eight")
    return table, wakers


def test_the_last_waking_within_the_wait_counts() -> None:
    _, wakers = made()
    wakers._deliver([waking(10 * S, 50), waking(11 * S, 51, 8), waking(12 * S, 50, 8)])
    assert wakers.waker(50, 10 * S + 5, S).symbol == "woken by seven (7)"
    assert wakers.waker(50, 12 * S + 5, S).symbol == "woken by eight (8)"
    assert wakers.waker(50, 11 * S + 500, S) == GOES_ON
    # It ended before a piece of it was told: its waking is missing.
    assert wakers.waker(50, 11 * S, S // 2) == NOT_SEEN
    assert wakers.waker(50, 2 * S, 3 * S) == NOT_SEEN
    assert wakers.waker(99, 10 * S, S) == NOT_SEEN
    # So far the stream is not read yet.
    assert wakers.waker(50, 13 * S, S // 2) == NOT_SEEN
    wakers._deliver([TraceEvent(20 * S, GAP, 0, 0, b"")])
    assert wakers.waker(50, 20 * S, S) == NOT_SEEN


def test_bystanders_are_not_blamed() -> None:
    _, wakers = made()
    wakers._deliver([waking(10 * S, 50, flags=0x08), waking(11 * S, 50, flags=0x10)])
    assert wakers.waker(50, 10 * S, S) == INTERRUPT
    assert wakers.waker(50, 11 * S, S // 2).symbol == "woken in softirq, on seven (7)"
    wakers._deliver([waking(12 * S, 50, tid=0)])
    assert wakers.waker(50, 12 * S, S // 2) == INTERRUPT


def test_waits_are_passed_on_with_one_frame_more_and_what_is_ready_as_it_is() -> None:
    taken: list[StackSample] = []
    table, wakers = made(taken)
    stack = table.stack_id([table.frame_id("main", "app")])
    wakers._deliver([waking(10 * S - 5, 50)])
    blocked = StackSample(10.0, 50, 50, "app", WaitState.BLOCKED, S, stack)
    wakers.add([blocked, blocked._replace(event=WaitState.READY)])
    wakers.look(10.1)
    assert taken == []
    wakers._deliver([waking(11 * S, 51)])
    wakers.look(10.2)
    names = [[table.frame(f).symbol for f in table.frames(s.stack)] for s in taken]
    assert names == [["main", "woken by seven (7)"], ["main"]]


@given(st.sets(st.integers(1, 5000), min_size=1, max_size=300))
def test_the_filter_is_short_and_lets_every_thread_through(tids: set[int]) -> None:
    text = waking_filter(tids)
    assert len(text) < 1200
    allowed = text.replace("||", " or ").replace("&&", " and ")
    assert all(eval(allowed, {}, {"pid": tid}) for tid in tids)


@pytest.mark.e2e
@pytest.mark.skipif(shutil.which("perf") is None, reason="needs perf")
@pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/sys/kernel/tracing/events").is_dir(),
    reason="tracepoints of the machine need root",
)
async def test_a_thread_that_answers_and_a_timer() -> None:
    with processes([sys.executable, str(FIXTURES / "python_waits.py")]) as (program,):
        async with live(program.pid) as run:
            run.collector.follow_wakers(True)

            def woken(sample: StackSample) -> str:
                return run.symbols(sample)[-1]

            def wakers() -> dict[str, int]:
                return {
                    name: sum(
                        s.period for s in run.waits if s.tid == program.pid and woken(s) == name
                    )
                    for name in {woken(s) for s in run.waits if s.tid == program.pid}
                }

            def enough() -> bool:
                answered, others = by_whom()
                return answered > S // 2 and others > S

            def by_whom() -> tuple[int, int]:
                found = wakers()
                named = [n for name, n in found.items() if f"({program.pid})" in name]
                # Not every kernel records what the timer of an idle core does.
                nobody = [found.get(frame.symbol, 0) for frame in (INTERRUPT, NOT_SEEN)]
                return sum(named), sum(nobody)

            await until(enough)
            before = by_whom()
            # What the first seconds hold was not recorded from the start.
            await until(lambda: sum(by_whom()) - sum(before) > 2 * S)
            answered, others = (b - a for a, b in zip(before, by_whom(), strict=True))
            # 30 ms for the other thread's answer, 60 ms for a timer.
            assert 0.25 < answered / others < 0.9
            assert GOES_ON.symbol not in wakers()
