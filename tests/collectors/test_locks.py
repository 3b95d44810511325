"""Waits for locks: known begins and ends, who asked, and a program whose lock is held for long."""

from __future__ import annotations

import asyncio
import os
import shutil
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors.lock_callers import futex_caller, kernel_caller, kernel_kind
from kvtop.collectors.lock_waits import FUTEX, LockPoint, LockWaits, split_period
from kvtop.collectors.locks import Locks
from kvtop.collectors.perf_pipe import HEADER_ATTR, LOST, SAMPLE, Record
from kvtop.events import Event
from kvtop.profile.frames import Frame, make_frame
from kvtop.profile.stacks import StackTable
from kvtop.tool_events import LockRow, ToolReading
from tests.collectors.helpers import processes, until

BEGIN, END, ENTER, EXIT = 408, 407, 522, 521
FIELDS = 1 << 16 | 1 | 2 | 4 | 1 << 7 | 1 << 8 | 1 << 10
POINTS = {
    BEGIN: LockPoint(True, struct.Struct("=8xQI")),
    END: LockPoint(False, struct.Struct("=8xQ")),
    ENTER: LockPoint(True, None),
    EXIT: LockPoint(False, None),
}
MS = 1_000_000


def declared(waits: LockWaits) -> list[int]:
    """Tell it of all events, which have their tracepoints' numbers as ids; those passed on."""
    records = []
    for point in POINTS:
        body = struct.pack("=IIQQQQQ", 2, 128, point, 1, FIELDS, 0, 1 << 18).ljust(128, b"\0")
        body += struct.pack("=Q", point)
        head = struct.pack("=IHH", HEADER_ATTR, 0, 8 + len(body))
        records.append(Record(HEADER_ATTR, 0, head + body))
    passed = waits.feed(records, 0)
    return [int.from_bytes(record.data[16:24], "little") for record in passed]


def event(point: int, at: int, tid: int, lock: int = 0, flags: int = 0) -> Record:
    raw = struct.pack("=8xQI", lock, flags)
    body = struct.pack("=QQIIQQQI", point, 0, 1, tid, at, 0, 1, len(raw)) + raw
    return Record(SAMPLE, 2, struct.pack("=IHH", SAMPLE, 2, 8 + len(body)) + body)


def told(records: list[Record]) -> list[tuple[int, int, int, int]]:
    """Thread, end, length and flags."""
    found = []
    for record in records:
        tid, end = struct.unpack_from("=IQ", record.data, 28)
        (period,) = struct.unpack_from("=Q", record.data, 48)
        found.append((tid, end, *split_period(period)))
    return found


def test_a_wait_is_told_at_its_end_with_its_length_and_lock() -> None:
    waits = LockWaits(POINTS)
    assert declared(waits) == [BEGIN, ENTER]
    records = [
        event(ENTER, 0, 7),
        event(BEGIN, 1 * MS, 8, 0xA0, 1),
        # The same mutex: spun for first, then slept for.
        event(BEGIN, 2 * MS, 9, 0xB0, 33),
        event(BEGIN, 3 * MS, 9, 0xB0, 32),
        event(END, 4 * MS, 8, 0xA0),
        event(EXIT, 5 * MS, 8),
        event(EXIT, 6 * MS, 7),
        event(END, 9 * MS, 9, 0xB0),
        event(END, 10 * MS, 9, 0xC0),
    ]
    found = told(waits.feed(records, 0) + waits.feed([], 5_000 * MS))
    assert found == [
        (8, 4 * MS, 3 * MS, 1),
        (7, 6 * MS, 6 * MS, FUTEX),
        (9, 9 * MS, 7 * MS, 32),
    ]
    assert waits.begun == 4


def test_nothing_is_told_of_a_wait_whose_end_may_be_lost() -> None:
    waits = LockWaits(POINTS)
    declared(waits)
    lost = Record(LOST, 0, struct.pack("=IHHQQ", LOST, 0, 24, 1, 5))
    waits.feed([event(ENTER, 0, 7), lost, event(EXIT, MS, 7)], 0)
    assert waits.lost == 5 and waits.feed([], 5_000 * MS) == []


@given(st.lists(st.tuples(st.sampled_from([SAMPLE, HEADER_ATTR, LOST, 99]), st.binary())))
def test_any_records_are_taken(records: list[tuple[int, bytes]]) -> None:
    waits = LockWaits(POINTS)
    declared(waits)
    for kind, body in records:
        data = struct.pack("=IHH", kind, 0, 8 + len(body)) + body
        waits.feed([Record(kind, 0, data)], 0)
    for _, _, length, _ in told([r for r in waits.feed([], 1 << 62) if r.type == SAMPLE]):
        assert length >= 0


def stack(*symbols: str, kernel: bool = False) -> list[Frame]:
    where = "[kernel.kallsyms]" if kernel else "/lib/libc.so.6"
    return [make_frame(symbol, where) for symbol in symbols]


def test_who_asked_is_the_last_function_that_is_no_locks_own() -> None:
    found = kernel_caller(
        stack("do_syscall_64", "ksys_write", "mutex_lock", "__mutex_lock.constprop.0", kernel=True)
    )
    assert found is not None and found.symbol == "ksys_write"
    kind, asked = futex_caller(stack("main", "work", "pthread_mutex_lock", "__GI___lll_lock_wait"))
    assert (kind, asked and asked.symbol) == ("futex", "work")
    python = [make_frame("py::put:/srv/q.py", "/tmp/jitted-1.so"), *stack("take_gil", "futex_wait")]
    kind, asked = futex_caller(python)
    assert (kind, asked and asked.symbol) == ("GIL (futex)", "put")
    assert futex_caller([]) == ("futex", None) and kernel_caller([]) is None


def test_kinds_are_named_by_their_flags() -> None:
    assert [kernel_kind(flags) for flags in (0, 1, 3, 4, 18, 32, 33)] == [
        *("semaphore", "spinlock", "rwlock, read", "rwsem, write"),
        *("percpu-rwsem, read", "mutex", "mutex"),
    ]


HOLDER = """
import threading, time
lock = threading.Lock()
def hold():
    while True:
        with lock: time.sleep(0.05)
        time.sleep(0.001)
for _ in range(2): threading.Thread(target=hold).start()
"""


@pytest.mark.e2e
@pytest.mark.skipif(shutil.which("perf") is None or os.geteuid() != 0, reason="needs perf and root")
async def test_a_lock_that_is_held_for_long_is_waited_for() -> None:
    events: list[Event] = []

    def longest() -> float:
        readings = [event for event in events if isinstance(event, ToolReading)]
        found = [
            row.waits.longest or 0.0
            for row in (readings[-1].rows if readings else ())
            if isinstance(row, LockRow) and row.kind == "futex"
        ]
        return max(found, default=0.0)

    with processes([sys.executable, "-c", HOLDER]) as (program,):
        tasks = Path(f"/proc/{program.pid}/task")
        await until(lambda: len(list(tasks.iterdir())) == 3)
        collector = Locks(StackTable(), [program.pid], "fp")
        running = asyncio.create_task(collector.run(events.append))
        try:
            # One thread sleeps 50 ms with the lock: the other cannot have it sooner.
            await until(lambda: longest() > 0.04, 30)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
