"""The ELF object that tells perf one compiled function's name and how to unwind through it.

The layout is that of ``perf inject --jit`` (tools/perf/util/genelf.c), without debug information:
code, ``.eh_frame`` and ``.eh_frame_hdr`` stand in the file as they would in memory.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

from kvtop.collectors.jitdump import Unwinding

TEXT_OFFSET = 0x80
_NAMES = b"\0.text\0.eh_frame\0.eh_frame_hdr\0.symtab\0.strtab\0.shstrtab\0"
_LONGEST_NAME = 4000
# A line break in a name would end perf script's line in the middle.
_PRINTABLE = bytes(c if c >= 0x20 and c != 0x7F else ord("?") for c in range(256))
_PROGBITS, _SYMTAB, _STRTAB = 1, 2, 3
_ALLOC, _ALLOC_EXEC = 2, 6


def _own_machine() -> int:
    with Path("/proc/self/exe").open("rb") as file:
        return int.from_bytes(file.read(20)[18:20], sys.byteorder)


_MACHINE = _own_machine()
"""The ELF machine number; CPython leaves it out of its dumps."""


def _align8(size: int) -> int:
    return (size + 7) & ~7


def mapped_length(code: bytes, unwinding: Unwinding | None) -> int:
    """Bytes that the mapping must cover so that the unwinder finds its tables."""
    if unwinding is None:
        return len(code)
    return _align8(len(code)) + max(unwinding.mapped_size, len(unwinding.data))


def jit_elf(name: bytes, code: bytes, unwinding: Unwinding | None) -> bytes:
    """A shared object with one function called ``name`` at ``TEXT_OFFSET``."""
    name = name[:_LONGEST_NAME].translate(_PRINTABLE)
    image = bytearray(TEXT_OFFSET) + code
    sections = [_section(b".text", _PROGBITS, _ALLOC_EXEC, TEXT_OFFSET, len(code), align=16)]
    if unwinding is not None:
        image += bytes(_align8(len(image)) - len(image))
        start = len(image)
        frame_size = len(unwinding.data) - unwinding.header_size
        image += unwinding.data
        sections += [
            _section(b".eh_frame", _PROGBITS, _ALLOC, start, frame_size, align=8),
            _section(
                b".eh_frame_hdr", _PROGBITS, _ALLOC, start + frame_size, unwinding.header_size, 4
            ),
        ]
    image += bytes(_align8(len(image)) - len(image))
    symbols = bytes(24) + struct.pack("=IBBHQQ", 1, 2, 0, 1, TEXT_OFFSET, len(code))
    strings = b"\0" + name + b"\0"
    at = len(image)
    sections += [
        _section(b".symtab", _SYMTAB, 0, at, 48, 8, link=len(sections) + 2, info=2, entry=24),
        _section(b".strtab", _STRTAB, 0, at + 48, len(strings)),
        _section(b".shstrtab", _STRTAB, 0, at + 48 + len(strings), len(_NAMES)),
    ]
    image += symbols + strings + _NAMES
    image += bytes(_align8(len(image)) - len(image))
    table = len(image)
    count = len(sections) + 1
    image += bytes(64) + b"".join(sections)
    image[:64] = struct.pack(
        "=16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01",
        *(3, _MACHINE, 1, TEXT_OFFSET, 64, table, 0, 64, 56, 1, 64, count, count - 1),
    )
    size = len(code)
    image[64:120] = struct.pack(
        "=IIQQQQQQ", 1, 5, TEXT_OFFSET, TEXT_OFFSET, TEXT_OFFSET, size, size, 8
    )
    return bytes(image)


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
