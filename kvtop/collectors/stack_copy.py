"""The copy of the user stack in a SAMPLE record, cut to what is a stack and was used."""

from __future__ import annotations

import platform
import struct
from bisect import bisect_right
from collections.abc import Sequence

from kvtop.collectors.perf_pipe import DATA_SRC, REGS_USER, STACK_USER, EventAttr

_HEAD = struct.Struct("=IHH")
_U64 = struct.Struct("=Q")
_KNOWN = STACK_USER | DATA_SRC | 1 << 16
_ABIS = (1, 2)
_POINTER = {"x86_64": 7, "aarch64": 31}.get(platform.machine())
"""The bit of the stack pointer in a mask of registers (asm/perf_regs.h)."""


def trim_stack(data: bytes, attr: EventAttr, code: Sequence[int] = ()) -> bytes:
    """A SAMPLE record without the unused room behind its copy of the user stack.

    The kernel writes ``{u64 size, char data[size], u64 used}`` with the size that was asked for,
    of which typically half is used; the record may as well say that it has room for ``used``.

    ``code`` has the addresses, in order, at which the process's run-time compiled functions begin.
    The copy ends before them: the kernel copies on behind the end of a thread's stack, and perf
    script would look for the functions' unwind tables in that copy, where there are none, instead
    of in the objects that have them.
    """
    tail = 8 if attr.sample_type & DATA_SRC else 0
    used_at = len(data) - tail - 8
    if not attr.stack_size or attr.sample_type & ~_KNOWN >= STACK_USER or used_at < 24:
        return data
    (used,) = _U64.unpack_from(data, used_at)
    begin = _begin(data, used_at, attr.stack_size, used)
    if not begin:
        return data
    if code:
        used = min(used, _room_below(data, begin, attr, code))
    room = (used + 7) & ~7
    kind, misc, _ = _HEAD.unpack_from(data)
    length = begin + room + 8 + tail
    return b"".join(
        (
            _HEAD.pack(kind, misc, length),
            data[8 : begin - 8],
            _U64.pack(room),
            data[begin : begin + room],
            _U64.pack(used),
            data[used_at + 8 :],
        )
    )


def _begin(data: bytes, used_at: int, full: int, used: int) -> int:
    """Where the copy begins, with all its room or trimmed; 0 where there is none."""
    if used <= full:
        for size in (full, (used + 7) & ~7):
            begin = used_at - size
            if begin >= 16 and _U64.unpack_from(data, begin - 8)[0] == size:
                return begin
    return 0


def _room_below(data: bytes, begin: int, attr: EventAttr, code: Sequence[int]) -> int:
    """Bytes from the stack pointer to the next function above it."""
    regs = begin - 8 - 8 * attr.user_regs.bit_count()
    without = attr.stack_size
    if _POINTER is None or not attr.sample_type & REGS_USER or regs < 16:
        return without
    if not attr.user_regs >> _POINTER & 1 or _U64.unpack_from(data, regs - 8)[0] not in _ABIS:
        return without
    at = regs + 8 * (attr.user_regs & (1 << _POINTER) - 1).bit_count()
    (pointer,) = _U64.unpack_from(data, at)
    above = bisect_right(code, pointer)
    return without if above == len(code) else code[above] - pointer
