"""What is passed on to perf script when: names before the samples that need them."""

from __future__ import annotations

import asyncio
import os
import struct
import time
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kvtop.collectors import perf_stream
from kvtop.collectors.perf_jit import JitObjects
from kvtop.collectors.perf_pipe import (
    COMM,
    FORK,
    MISC_EXEC,
    PIPE_HEADER,
    ROUND,
    SAMPLE,
    PipeReader,
    Record,
    as_record,
    read_mmap2,
)
from kvtop.collectors.perf_stream import RecordOptions, Stream
from kvtop.collectors.perf_window import PipeWindow
from kvtop.collectors.vdso import VdsoFile
from tests.collectors.test_perf_jit import ATTR, HEADER, event, load, mmap2


@pytest.fixture
async def stream() -> AsyncIterator[Stream]:
    objects, vdso = JitObjects(), VdsoFile()
    made = Stream(
        RecordOptions((1,)), objects, vdso, PipeWindow(), asyncio.Event(), lambda text: None
    )
    made.attr = ATTR
    yield made
    made.dumps.close()
    objects.close()
    vdso.close()


def sample(time_ns: int) -> Record:
    return event(SAMPLE, struct.pack("=IIQ", 7, 7, time_ns))


def give(stream: Stream, *records: Record, age: float) -> list[str | int]:
    """Let records arrive ``age`` seconds ago; what is passed on now, samples by their time."""
    stream._held.append((time.monotonic() - age, list(records)))
    passed: list[str | int] = []
    for record in PipeReader().feed(PIPE_HEADER + stream._release()):
        mapped = read_mmap2(record.data)
        if record.type == SAMPLE:
            passed.append(ATTR.time_of(record))
        else:
            passed.append(Path(os.fsdecode(mapped.filename)).name if mapped else "round")
    return ["name" if isinstance(one, str) and one.isdigit() else one for one in passed]


async def test_samples_wait_for_the_names_of_a_young_dump(
    stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perf_stream, "_HOLD", 3600.0)
    dump = tmp_path / "jit-7.dump"
    dump.write_bytes(HEADER)
    found = mmap2(7, os.fsencode(dump))
    assert give(stream, sample(1), age=0) == [1]
    assert give(stream, sample(2), found, sample(5), age=0) == [2, "jit-7.dump"]
    assert give(stream, sample(6), age=0) == []
    assert stream.forwarded == 2
    dump.write_bytes(HEADER + load(b"py::f:/x.py", time=4))
    stream._held = deque((at - 7200, records) for at, records in stream._held)
    assert give(stream, sample(7), age=0) == ["name", 5, 6]
    # Once it is not young any more, and nothing was compiled of late, nothing waits.
    monkeypatch.setattr(stream.dumps, "is_young", lambda now: False)
    assert give(stream, sample(8), age=0) == []
    stream._compiling_until = time.monotonic() - 1
    assert give(stream, sample(9), age=0) == [7, 8, 9]


async def test_what_has_waited_long_enough_comes_with_the_names(
    stream: Stream, tmp_path: Path
) -> None:
    """No name sooner than its time: perf script would take that for the time of the stream."""
    dump = tmp_path / "jit-7.dump"
    loads = [load(b"py::f:/x.py", at * 4096, at) for at in (4, 6, 6, 9)]
    dump.write_bytes(HEADER + b"".join(loads))
    records = [mmap2(7, os.fsencode(dump)), sample(3), sample(5), as_record(ROUND), sample(6)]
    given = give(stream, *records, age=60)
    assert given == ["jit-7.dump", 3, "name", 5, "round", "name", "name", 6]
    assert give(stream, sample(10), age=60) == ["name", 10]


async def test_a_fork_read_after_the_exec_that_followed_it_is_left_out(stream: Stream) -> None:
    def fork(pid: int, tid: int, time_ns: int) -> Record:
        body = struct.pack("=IIIIQ", pid, 6, tid, 6, time_ns)
        return event(FORK, body + ATTR.sample_id(pid, tid, time_ns))

    run = struct.pack("=II16s", 7, 7, b"python") + ATTR.sample_id(7, 7, 20)
    stream._held.append((0.0, [event(COMM, run, MISC_EXEC), fork(7, 7, 10), fork(8, 8, 10)]))
    kinds = [record.type for record in PipeReader().feed(PIPE_HEADER + stream._release())]
    # The first is kvtop's own, which makes perf begin anew.
    assert kinds == [FORK, COMM, FORK]
    stream._held.append((0.0, [fork(7, 7, 30)]))
    assert stream._release()


async def test_what_is_known_of_execs_does_not_grow_with_the_run(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perf_stream, "_MOST_EXECS", 8)
    for pid in range(100, 200):
        run = struct.pack("=II16s", pid, pid, b"sh") + ATTR.sample_id(pid, pid, pid)
        stream._held.append((0.0, [event(COMM, run, MISC_EXEC)]))
        stream._release()
    assert sorted(stream._execs) == list(range(192, 200))
