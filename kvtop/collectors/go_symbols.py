"""Names of Go functions in binaries that were stripped of their symbols.

The runtime needs the table that goes from code to names for its own tracebacks, so no tool
removes it: section ``.gopclntab``. Its four layouts are those of Go's ``debug/gosym`` and
``runtime/symtab.go``, told apart by the first four bytes: Go 1.2, 1.16, 1.18 and 1.20.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from kvtop.collectors.elf_file import ElfFile

_SECTIONS = ".gopclntab", ".data.rel.ro.gopclntab"
_GO_1_2, _GO_1_16, _GO_1_18, _GO_1_20 = 0xFFFFFFFB, 0xFFFFFFFA, 0xFFFFFFF0, 0xFFFFFFF1
_WORD = struct.Struct("<Q")
_PAIR_64 = struct.Struct("<QQ")
_PAIR_32 = struct.Struct("<II")
_NAME = struct.Struct("<i")
_MOST_FUNCTIONS = 10_000_000


@dataclass(frozen=True, slots=True)
class GoTable:
    """The function table of one file: ``pairs`` of (address, place of the function's record)."""

    elf: ElfFile
    functions: int
    base: int
    """What addresses are relative to; 0 where the table holds whole ones."""
    pair: struct.Struct
    pairs_at: int
    records_at: int
    """File offset that the places of records count from."""
    names_at: int

    def name(self, address: int) -> str | None:
        """The function whose code is at an address, as linked; None where there is none."""
        target = address - self.base
        low, high = 0, self.functions
        if not self._start(low) <= target < self._start(high):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            if self._start(middle) <= target:
                low = middle
            else:
                high = middle
        place = self._pair(low)[1]
        # An address (of the width of the first of a pair) and the place of the name.
        name_at = self.records_at + place + self.pair.size // 2
        if not 0 <= name_at <= len(self.elf.data) - _NAME.size:
            return None
        return self.elf.text_at(self.names_at + _NAME.unpack_from(self.elf.data, name_at)[0])

    def _pair(self, index: int) -> tuple[int, int]:
        start, place = self.pair.unpack_from(self.elf.data, self.pairs_at + index * self.pair.size)
        return start, place

    def _start(self, index: int) -> int:
        # Behind the last pair stands one more address: the end of the code.
        return self._pair(index)[0]


def go_table(elf: ElfFile) -> GoTable | None:
    """The function table of a Go binary; None for any other file."""
    section = elf.section(*_SECTIONS)
    if section is None or section.size < 16:
        return None
    at, data = section.offset, elf.data
    magic, pad, _, pointer = struct.unpack_from("<IHBB", data, at)
    if pad or pointer != _WORD.size:
        return None
    words = [w for (w,) in _WORD.iter_unpack(data[at + 8 : at + 8 + 8 * _WORD.size])]
    functions = words[0] if words else 0
    if magic == _GO_1_2:
        table = GoTable(elf, functions, 0, _PAIR_64, at + 16, at, at)
    elif len(words) < 8:
        return None
    elif magic == _GO_1_16:
        table = GoTable(elf, functions, 0, _PAIR_64, at + words[6], at + words[6], at + words[2])
    elif magic in (_GO_1_18, _GO_1_20):
        # In a position-independent file the loader fills it in.
        base = words[2] or elf.relocated(section.address + 8 + 2 * _WORD.size)
        if base is None:
            return None
        pairs_at = at + words[7]
        table = GoTable(elf, functions, base, _PAIR_32, pairs_at, pairs_at, at + words[3])
    else:
        return None
    end = table.pairs_at + functions * table.pair.size + table.pair.size
    return table if 0 < functions <= _MOST_FUNCTIONS and end <= len(data) else None
