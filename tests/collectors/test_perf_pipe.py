"""Framing of the binary stream, records made here, and the window of the past."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors.perf_jit import JIT_OBJECT_DIRECTORY
from kvtop.collectors.perf_pipe import (
    AUXTRACE,
    COMM,
    EXIT,
    FINISHED_ROUND,
    FORK,
    HEADER_ATTR,
    LOST,
    LOST_SAMPLES,
    MISC_EXEC,
    MMAP2,
    PIPE_HEADER,
    SAMPLE,
    TRACING_DATA,
    EventAttr,
    PipeFormatError,
    PipeReader,
    Record,
    as_record,
    forget_mappings,
    lost_count,
    make_mmap2,
    read_attr,
    read_mmap2,
    read_perf_version,
)
from kvtop.collectors.perf_window import PipeWindow

TID, TIME, ID, IDENTIFIER = 1 << 1, 1 << 2, 1 << 6, 1 << 16


def record(kind: int, body: bytes, misc: int = 0) -> bytes:
    return struct.pack("=IHH", kind, misc, 8 + len(body)) + body


def attr(sample_type: int = TID | TIME | ID, all_ids: bool = True) -> EventAttr:
    return EventAttr(1, 0, sample_type, all_ids, False)


RECORDS = st.lists(
    st.tuples(st.sampled_from([SAMPLE, COMM, FINISHED_ROUND, 81]), st.binary(max_size=60)),
    max_size=20,
)


@given(RECORDS, st.integers(1, 50))
def test_any_chunking_gives_the_same_records(items: list[tuple[int, bytes]], size: int) -> None:
    stream = PIPE_HEADER + b"".join(record(kind, body) for kind, body in items)
    reader, found = PipeReader(), []
    for at in range(0, len(stream), size):
        found += reader.feed(stream[at : at + size])
    assert [(r.type, r.data[8:]) for r in found] == items


@given(st.binary(max_size=200))
def test_garbage_raises_only_its_own_error(data: bytes) -> None:
    for stream in (data, PIPE_HEADER + data):
        try:
            for item in PipeReader().feed(stream):
                read_mmap2(item.data)
                read_attr(item.data)
                lost_count(item)
                forget_mappings(item, attr())
        except PipeFormatError:
            pass


def test_what_is_no_pipe_is_refused() -> None:
    with pytest.raises(PipeFormatError):
        PipeReader().feed(b"PERFILE2" + struct.pack("=Q", 104) + bytes(100))
    with pytest.raises(PipeFormatError):
        PipeReader().feed(b"nope")
    with pytest.raises(PipeFormatError):
        PipeReader().feed(PIPE_HEADER + struct.pack("=IHH", SAMPLE, 0, 4))


def test_payloads_behind_records_are_not_taken_for_records() -> None:
    tracing = record(TRACING_DATA, struct.pack("=II", 16, 0)) + b"x" * 16
    aux = record(AUXTRACE, struct.pack("=Q", 24) + bytes(32)) + b"y" * 24
    found = PipeReader().feed(PIPE_HEADER + tracing + aux + record(SAMPLE, b"z" * 8))
    assert [r.type for r in found] == [TRACING_DATA, AUXTRACE, SAMPLE]
    assert found[0].data == tracing and found[1].data == aux


def test_losses_are_counted() -> None:
    lost = Record(LOST, 0, record(LOST, struct.pack("=QQ", 5, 17)))
    samples = Record(LOST_SAMPLES, 0, record(LOST_SAMPLES, struct.pack("=Q", 4)))
    assert lost_count(lost) == 17 and lost_count(samples) == 4
    assert lost_count(Record(COMM, 0, record(COMM, bytes(24)))) == 0


@given(st.sampled_from([TID | TIME, TID | TIME | ID, TIME, TID, TID | TIME | IDENTIFIER | ID]))
def test_a_mapping_record_reads_back(sample_type: int) -> None:
    layout = attr(sample_type)
    data = make_mmap2(layout, 7, 8, 123456, 0x1000, 96, 0x80, (8, 1), 42, b"/proc/1/fd/9")
    (found,) = PipeReader().feed(PIPE_HEADER + data)
    mapped = read_mmap2(found.data)
    assert mapped == (7, 8, 0x1000, 96, 0x80, b"/proc/1/fd/9")
    assert layout.time_of(as_record(data)) == (123456 if sample_type & TIME else 0)
    assert len(data) % 8 == 0


def test_an_exec_drops_inherited_mappings() -> None:
    layout = attr()
    body = struct.pack("=II16s", 7, 7, b"python") + layout.sample_id(7, 7, 99)
    fork = forget_mappings(Record(COMM, MISC_EXEC, record(COMM, body, MISC_EXEC)), layout)
    made = as_record(fork)
    assert (made.type, made.misc) == (FORK, MISC_EXEC)
    assert struct.unpack_from("=IIIIQ", fork, 8) == (7, 0, 7, 0, 99)
    assert layout.time_of(as_record(fork)) == 99
    assert forget_mappings(Record(COMM, 0, record(COMM, body)), layout) == b""


def test_the_event_is_named_before_the_first_sample() -> None:
    def header(kind: int, config: int, flags: int) -> EventAttr | None:
        fields = struct.pack("=IIQQQQQ", kind, 136, config, 99, TID, 0, flags)
        return read_attr(record(HEADER_ATTR, fields + bytes(80)))

    clock, cycles = header(1, 0, 1 << 18), header(0, 0, 1 << 5)
    assert clock is not None and clock.name == "cpu-clock" and clock.sample_id_all
    assert cycles is not None and cycles.name == "cycles:u" and not cycles.sample_id_all


def mapping(pid: int, name: bytes) -> Record:
    data = make_mmap2(attr(), pid, pid, 5, 0x1000, 96, 0, (8, 1), 42, name)
    return as_record(data)


def test_the_window_keeps_time_and_room() -> None:
    window = PipeWindow(seconds=10, max_bytes=1000)
    for second in range(20):
        window.keep(Record(SAMPLE, 0, record(SAMPLE, bytes(42))), float(second))
    assert window.oldest == 9.0 and window.dropped == 0
    for _ in range(30):
        window.keep(Record(SAMPLE, 0, record(SAMPLE, bytes(92))), 20.0)
    assert window.size <= 1000 and window.dropped > 0


def test_the_window_forgets_processes_that_ended_but_none_that_live() -> None:
    window = PipeWindow(seconds=1, max_bytes=4000)
    for pid in range(100, 140):
        window.keep(mapping(pid, b"/bin/x"), 0.0)
        if pid != 100:
            exit_body = struct.pack("=IIIIQ", pid, 1, pid, 1, 0)
            window.keep(Record(EXIT, 0, record(EXIT, exit_body)), 0.0)
        window.keep(Record(SAMPLE, 0, record(SAMPLE, bytes(8))), 10.0)
    pids = {read_mmap2(r.data).pid for _, r in window._state if r.type == MMAP2}  # type: ignore[union-attr]
    assert 100 in pids and len(pids) < 40
    for _ in range(1000):
        window.keep(mapping(100, b"/bin/endless"), 10.0)
    assert window._state_bytes <= 4000


def test_what_is_written_begins_with_all_state_and_ends_with_the_newest(tmp_path: Path) -> None:
    window = PipeWindow(seconds=100)
    window.keep(mapping(1, b"/bin/x"), 0.0)
    for second in range(5):
        window.keep(Record(SAMPLE, 0, record(SAMPLE, bytes([second] * 8))), float(second))
    assert window.write(tmp_path / "perf.data", 3.0, attr()) == 2
    found = PipeReader().feed((tmp_path / "perf.data").read_bytes())
    assert [r.type for r in found] == [MMAP2, SAMPLE, SAMPLE]
    assert found[-1].data[8:] == bytes([4] * 8)
    assert [path.name for path in tmp_path.iterdir()] == ["perf.data"]


def test_objects_of_compiled_code_are_copied_beside_and_never_stale(tmp_path: Path) -> None:
    """A number that an earlier save used may stand for other functions by now."""
    for content in (b"first", b"second"):
        object_file = os.memfd_create("object")
        os.write(object_file, content)
        window = PipeWindow()
        window.keep(mapping(7, f"{JIT_OBJECT_DIRECTORY}{object_file}".encode()), 0.0)
        window.write(tmp_path / "perf.data", 0.0, attr())
        os.close(object_file)
        (found,) = PipeReader().feed((tmp_path / "perf.data").read_bytes())
        mapped = read_mmap2(found.data)
        assert mapped is not None and (mapped.pid, mapped.address) == (7, 0x1000)
        assert attr().time_of(found) == 5
        copy = Path(os.fsdecode(mapped.filename))
        assert copy.parent == tmp_path / "perf.data.jit" and copy.read_bytes() == content


def test_perf_tells_its_version() -> None:
    def feature(number: int, payload: bytes) -> bytes:
        body = struct.pack("=Q", number) + payload
        return struct.pack("=IHH", 80, 0, 8 + len(body)) + body

    text = struct.pack("=I", 16) + b"6.1.187\0".ljust(16, b"\0")
    assert read_perf_version(feature(5, text)) == "6.1.187"
    assert read_perf_version(feature(3, text)) == ""
    assert read_perf_version(feature(5, b"\1")) == ""
