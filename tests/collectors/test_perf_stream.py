"""What is passed on to perf script when: names before the samples that need them."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kvtop.collectors import perf_stream
from kvtop.collectors.perf_jit import JitObjects
from kvtop.collectors.perf_pipe import PIPE_HEADER, SAMPLE, PipeReader, Record, read_mmap2
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


def sample(number: int) -> Record:
    return event(SAMPLE, bytes([number]) * 16)


def give(stream: Stream, *records: Record, age: float) -> list[str]:
    """Let records arrive ``age`` seconds ago; what is passed on now."""
    stream._held.append((time.monotonic() - age, list(records)))
    names = []
    for record in PipeReader().feed(PIPE_HEADER + stream._release()):
        mapped = read_mmap2(record.data) if record.type != SAMPLE else None
        names.append(Path(os.fsdecode(mapped.filename)).name if mapped else f"s{record.data[8]}")
    return names


async def test_samples_wait_for_the_names_of_a_young_dump(
    stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perf_stream, "_HOLD", 3600.0)
    dump = tmp_path / "jit-7.dump"
    dump.write_bytes(HEADER)
    found = mmap2(7, os.fsencode(dump))
    assert give(stream, sample(1), age=0) == ["s1"]
    assert give(stream, sample(2), found, sample(3), age=0) == ["s2", "jit-7.dump"]
    assert give(stream, sample(4), age=0) == []
    assert stream.forwarded == 2
    dump.write_bytes(HEADER + load(b"py::f:/x.py"))
    stream._held = deque((at - 7200, records) for at, records in stream._held)
    name, *rest = give(stream, sample(5), age=0)
    assert name.isdigit() and rest == ["s3", "s4"]
    # Once it is not young any more nothing waits.
    monkeypatch.setattr(stream.dumps, "is_young", lambda now: False)
    assert give(stream, sample(6), age=0) == ["s5", "s6"]


async def test_what_has_waited_long_enough_comes_with_the_names(
    stream: Stream, tmp_path: Path
) -> None:
    dump = tmp_path / "jit-7.dump"
    dump.write_bytes(HEADER + load(b"py::f:/x.py"))
    first, name, last = give(stream, mmap2(7, os.fsencode(dump)), sample(1), age=60)
    assert (first, last) == ("jit-7.dump", "s1") and name.isdigit()
