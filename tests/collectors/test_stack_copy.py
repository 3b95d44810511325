"""The copy of the user stack in a sample."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors import stack_copy
from kvtop.collectors.perf_pipe import PIPE_HEADER, SAMPLE, EventAttr, PipeReader
from kvtop.collectors.stack_copy import trim_stack

TID, TIME, REGS, STACK, SOURCE = 1 << 1, 1 << 2, 1 << 12, 1 << 13, 1 << 15
POINTER = 0x7000


def record(body: bytes) -> bytes:
    return struct.pack("=IHH", SAMPLE, 0, 8 + len(body)) + body


@given(st.integers(0, 64), st.booleans())
def test_unused_room_behind_the_stack_is_cut_and_nothing_else(used: int, source: bool) -> None:
    layout = EventAttr(1, 0, TID | TIME | STACK | SOURCE * source, True, False, stack_size=64)
    stack = bytes(range(used)) + b"\xff" * (64 - used)
    body = b"regs....regs...." + struct.pack("=Q64sQ", 64, stack, used)
    tail = b"datasrc." if source else b""
    data = trim_stack(record(body + tail), layout)
    (found,) = PipeReader().feed(PIPE_HEADER + data)
    room = (used + 7) // 8 * 8
    assert found.data[8:24] == b"regs....regs...."
    assert struct.unpack_from("=Q", data, 24) == (room,)
    assert data[32 : 32 + used] == bytes(range(used))
    assert data[32 + room :] == struct.pack("=Q", used) + tail
    assert trim_stack(data, layout) == data


@given(st.binary(min_size=0, max_size=200))
def test_a_sample_of_another_shape_stays_as_it_is(body: bytes) -> None:
    layout = EventAttr(1, 0, TID | TIME | STACK, True, False, stack_size=1 << 15)
    data = record(body)
    assert trim_stack(data, layout) == data
    assert trim_stack(data, EventAttr(1, 0, TID | TIME, True, False)) == data


@pytest.mark.parametrize("trimmed", [False, True])
@pytest.mark.parametrize(
    ("code", "left"),
    [
        ((), 56),
        ((POINTER - 8, POINTER + 24, POINTER + 32), 24),
        ((POINTER - 8, POINTER), 56),
        ((POINTER + 4096,), 56),
    ],
)
def test_the_copy_ends_where_compiled_code_begins(
    code: tuple[int, ...], left: int, trimmed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a thread's stack lies right below the code: the rest is a copy of the code."""
    monkeypatch.setattr(stack_copy, "_POINTER", 7)
    layout = EventAttr(1, 0, TID | TIME | REGS | STACK, True, False, 64, user_regs=0b1_1000_0001)
    who = struct.pack("=IIQ", 7, 7, 5)
    regs = struct.pack("=QQQQ", 2, 1, POINTER, 3)
    stack = bytes(range(64))
    data = record(who + regs + struct.pack("=Q64sQ", 64, stack, 56))
    if trimmed:
        data = trim_stack(data, layout)
    data = trim_stack(data, layout, code)
    begin = 8 + len(who) + len(regs) + 8
    assert struct.unpack_from("=Q", data, begin - 8) == (left,)
    assert data[begin:] == stack[:left] + struct.pack("=Q", left)
    assert int.from_bytes(data[6:8], "little") == len(data)
