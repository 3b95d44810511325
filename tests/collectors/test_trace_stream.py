"""The binary stream of tracepoints: order, gaps, hostile bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors.perf_pipe import (
    HEADER_ATTR,
    LOST,
    PIPE_HEADER,
    SAMPLE,
    PipeFormatError,
)
from kvtop.collectors.trace_stream import GAP, TraceOptions, TraceReader

SECOND = 1_000_000_000
FIELDS = 1 << 16 | 1 | 2 | 4 | 1 << 7 | 1 << 8 | 1 << 10
"""IDENTIFIER, IP, TID, TIME, CPU, PERIOD, RAW, as perf record asks for."""


def attr(fields: int = FIELDS) -> bytes:
    body = struct.pack("=IIQQQQQ", 2, 128, 443, 1, fields, 0, 1 << 18).ljust(128, b"\0")
    return struct.pack("=IHH", HEADER_ATTR, 0, 8 + len(body)) + body


def sample(time_ns: int, tid: int, kind: int = 443, size: int = 32) -> bytes:
    raw = struct.pack("=H", kind).ljust(size, b"\0")
    body = struct.pack("=QQIIQQQI", 1, 0, tid, tid, time_ns, 0, 1, size) + raw
    return struct.pack("=IHH", SAMPLE, 0, 8 + len(body)) + body


def lost(count: int, time_ns: int) -> bytes:
    body = struct.pack("=QQ", 1, count) + struct.pack("=IIQQQ", 0, 0, time_ns, 0, 1)
    return struct.pack("=IHH", LOST, 0, 8 + len(body)) + body


def test_events_come_in_order_of_time_once_they_are_old_enough() -> None:
    reader = TraceReader()
    data = PIPE_HEADER + attr() + sample(3 * SECOND, 3) + sample(SECOND, 1) + sample(2 * SECOND, 2)
    found = reader.feed(data, 3 * SECOND)
    assert [event.tid for event in found] == [1, 2]
    assert [event.tid for event in reader.feed(b"", 4 * SECOND)] == [3]
    assert reader.seen == 3 and found[0].type == 443


def test_what_was_lost_is_counted_and_leaves_a_gap() -> None:
    reader = TraceReader()
    data = PIPE_HEADER + attr() + sample(SECOND, 1) + lost(9, 2 * SECOND) + sample(3 * SECOND, 3)
    found = reader.feed(data, 0) + reader.before(9 * SECOND)
    assert reader.lost == 9
    assert [event.type for event in found] == [443, GAP, 443]


def test_samples_with_other_fields_are_refused() -> None:
    with pytest.raises(PipeFormatError):
        TraceReader().feed(PIPE_HEADER + attr(FIELDS | 1 << 5), 0)


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_events_or_no_stream(data: bytes, begun: bool) -> None:
    reader = TraceReader()
    try:
        reader.feed(PIPE_HEADER + attr() if begun else PIPE_HEADER, 0)
        reader.feed(data, 0)
    except PipeFormatError:
        return
    assert all(event.type >= GAP for event in reader.before(1 << 63))


def test_filters_follow_their_events() -> None:
    options = TraceOptions(("a:b", "c:d"), filters={"c:d": "pid == 7"})
    args = options.command()
    assert args[args.index("c:d") + 1 : args.index("c:d") + 3] == ["--filter", "pid == 7"]
    assert "-a" in args and args[args.index("a:b") + 1] == "-e"
