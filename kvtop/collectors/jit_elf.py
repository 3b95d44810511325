"""ELF objects that tell perf the names of compiled functions and how to unwind through them.

The layout is that of ``perf inject --jit`` (tools/perf/util/genelf.c), without debug information:
code, ``.eh_frame`` and ``.eh_frame_hdr`` stand in the file as they would in memory. But one object
may hold a run of functions: perf walks through all mappings of a process for every frame that it
unwinds, and with one for each of 1,500 Python functions that takes a third of its time.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kvtop.collectors.jitdump import CodeLoad, Unwinding

TEXT_OFFSET = 0x80
_NAMES = b"\0.text\0.eh_frame\0.eh_frame_hdr\0.symtab\0.strtab\0.shstrtab\0"
_LONGEST_NAME = 4000
# A line break in a name would end perf script's line in the middle.
_PRINTABLE = bytes(c if c >= 0x20 and c != 0x7F else ord("?") for c in range(256))
_ENCODINGS = b"\x01\x1b\x03\x3b"
"""Version 1; pointer, count and table as CPython writes them, relative to the header."""
_HEADER = struct.Struct("=4siI")
_ENTRY = struct.Struct("=ii")
_LONGEST_RUN = 64
_PROGBITS, _SYMTAB, _STRTAB = 1, 2, 3
_ALLOC, _ALLOC_EXEC = 2, 6


def _own_machine() -> int:
    with Path("/proc/self/exe").open("rb") as file:
        return int.from_bytes(file.read(20)[18:20], sys.byteorder)


_MACHINE = _own_machine()
"""The ELF machine number; CPython leaves it out of its dumps."""


def _align8(size: int) -> int:
    return (size + 7) & ~7


@dataclass(frozen=True, slots=True)
class CodeRun:
    """Functions of equal code at equal distances; hashable, so that processes can share one."""

    names: tuple[bytes, ...]
    code: bytes
    unwinding: Unwinding | None
    stride: int
    """Bytes from one function to the next; 0 for a single one."""

    @property
    def length(self) -> int:
        """Bytes that the mapping must cover so that the unwinder finds its tables."""
        if self.unwinding is None:
            return len(self.code)
        if len(self.names) > 1:
            return self._header_at + _HEADER.size + _ENTRY.size * len(self.names)
        return _align8(len(self.code)) + max(self.unwinding.mapped_size, len(self.unwinding.data))

    @property
    def _header_at(self) -> int:
        """Where ``.eh_frame_hdr`` begins: in the room behind the last function."""
        last = (len(self.names) - 1) * self.stride
        frame = _frame_size(self.unwinding) if self.unwinding is not None else 0
        return last + _align8(len(self.code)) + frame


def make_runs(loads: Sequence[CodeLoad]) -> list[tuple[CodeLoad, CodeRun]]:
    """Split functions, in the order of their compilation, into runs; each with its first one."""
    runs: list[tuple[CodeLoad, CodeRun]] = []
    at = 0
    while at < len(loads):
        first, end, stride = loads[at], at + 1, 0
        while end < len(loads):
            step = loads[end].address - loads[end - 1].address
            same = (loads[end].code, loads[end].unwinding) == (first.code, first.unwinding)
            if not same or (stride and step != stride) or end - at >= _capacity(first, step):
                break
            stride = step
            end += 1
        names = tuple(load.name for load in loads[at:end])
        runs.append((first, CodeRun(names, first.code, first.unwinding, stride)))
        at = end
    return runs


def jit_elf(run: CodeRun) -> bytes:
    """A shared object with the functions of ``run``, the first one at ``TEXT_OFFSET``."""
    count, code, unwinding = len(run.names), run.code, run.unwinding
    starts = [TEXT_OFFSET + i * run.stride for i in range(count)]
    image = bytearray(starts[-1]) + code
    for start in starts[:-1]:
        image[start : start + len(code)] = code
    text_size = len(image) - TEXT_OFFSET
    sections = [_section(b".text", _PROGBITS, _ALLOC_EXEC, TEXT_OFFSET, text_size, align=16)]
    if unwinding is not None:
        image += bytes(_align8(len(image)) - len(image))
        size = _frame_size(unwinding)
        frames = [start + _align8(len(code)) for start in starts]
        header_at = TEXT_OFFSET + run._header_at
        for frame in frames:
            image[frame : frame + size] = unwinding.data[:size]
        header = unwinding.data[size:]
        if count > 1:
            fde = _fde_offset(unwinding)
            header = _HEADER.pack(_ENCODINGS, frames[0] - (header_at + 4), count) + b"".join(
                _ENTRY.pack(start - header_at, frame + fde - header_at)
                for start, frame in zip(starts, frames, strict=True)
            )
        image += header
        sections += [
            _section(b".eh_frame", _PROGBITS, _ALLOC, frames[0], header_at - frames[0], align=8),
            _section(b".eh_frame_hdr", _PROGBITS, _ALLOC, header_at, len(header), align=4),
        ]
    image += bytes(_align8(len(image)) - len(image))
    symbols, strings = bytearray(24), bytearray(1)
    for name, start in zip(run.names, starts, strict=True):
        symbols += struct.pack("=IBBHQQ", len(strings), 2, 0, 1, start, len(code))
        strings += name[:_LONGEST_NAME].translate(_PRINTABLE) + b"\0"
    at = len(image)
    names_at = at + len(symbols) + len(strings)
    link = len(sections) + 2
    sections += [
        _section(b".symtab", _SYMTAB, 0, at, len(symbols), 8, link=link, info=count + 1, entry=24),
        _section(b".strtab", _STRTAB, 0, at + len(symbols), len(strings)),
        _section(b".shstrtab", _STRTAB, 0, names_at, len(_NAMES)),
    ]
    image += symbols + strings + _NAMES
    image += bytes(_align8(len(image)) - len(image))
    table = len(image)
    number = len(sections) + 1
    image += bytes(64) + b"".join(sections)
    image[:64] = struct.pack(
        "=16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01",
        *(3, _MACHINE, 1, TEXT_OFFSET, 64, table, 0, 64, 56, 1, 64, number, number - 1),
    )
    image[64:120] = struct.pack(
        "=IIQQQQQQ", 1, 5, TEXT_OFFSET, TEXT_OFFSET, TEXT_OFFSET, text_size, text_size, 8
    )
    return bytes(image)


def _frame_size(unwinding: Unwinding) -> int:
    return len(unwinding.data) - unwinding.header_size


def _fde_offset(unwinding: Unwinding) -> int:
    """Where in ``.eh_frame`` the description of the function begins."""
    size = _frame_size(unwinding)
    _, fde = _ENTRY.unpack_from(unwinding.data, size + _HEADER.size)
    return size + int(fde)


def _capacity(load: CodeLoad, stride: int) -> int:
    """How many functions that lie ``stride`` bytes apart a run may have."""
    unwinding = load.unwinding
    if unwinding is None:
        return _LONGEST_RUN if stride >= len(load.code) else 1
    size = _frame_size(unwinding)
    head = unwinding.data[size : size + 4]
    if unwinding.header_size != _HEADER.size + _ENTRY.size or head != _ENCODINGS:
        return 1
    room = stride - _align8(len(load.code)) - size - _HEADER.size
    return max(1, min(room // _ENTRY.size, _LONGEST_RUN))


def _section(
    name: bytes,
    kind: int,
    flags: int,
    offset: int,
    size: int,
    align: int = 1,
    link: int = 0,
    info: int = 0,
    entry: int = 0,
) -> bytes:
    address = offset if flags else 0
    return struct.pack(
        "=IIQQQQIIQQ",
        _NAMES.index(b"\0" + name + b"\0") + 1,
        *(kind, flags, address, offset, size, link, info, align, entry),
    )
