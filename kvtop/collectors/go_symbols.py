"""Names of Go functions in binaries that were stripped of their symbols.

The runtime needs the table that goes from code to names for its own tracebacks, so no tool
removes it: section ``.gopclntab``. Its four layouts are those of Go's ``debug/gosym`` and
``runtime/symtab.go``, told apart by the first four bytes: Go 1.2, 1.16, 1.18 and 1.20.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from kvtop.collectors.elf_file import ElfError, ElfFile, text_at

_SECTIONS = ".gopclntab", ".data.rel.ro.gopclntab"
_GO_1_2, _GO_1_16, _GO_1_18, _GO_1_20 = 0xFFFFFFFB, 0xFFFFFFFA, 0xFFFFFFF0, 0xFFFFFFF1
_HEAD_SIZE = 8 + 8 * 8
_PAIR_64 = struct.Struct("<QQ")
_PAIR_32 = struct.Struct("<II")
_NAME = struct.Struct("<i")
_MOST_FUNCTIONS = 10_000_000


@dataclass(frozen=True, slots=True)
class GoTable:
    """The function table of one file: ``pairs`` of (address, place of the function's record).

    ``data`` is the section, and what ends in ``_at`` an offset in it.
    """

    data: bytes
    functions: int
    base: int
    """What addresses are relative to; 0 where the table holds whole ones."""
    pair: struct.Struct
    pairs_at: int
    records_at: int
    """What the places of records count from."""
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
        if not 0 <= name_at <= len(self.data) - _NAME.size:
            return None
        return text_at(self.data, self.names_at + _NAME.unpack_from(self.data, name_at)[0]) or None

    def _pair(self, index: int) -> tuple[int, int]:
        start, place = self.pair.unpack_from(self.data, self.pairs_at + index * self.pair.size)
        return start, place

    def _start(self, index: int) -> int:
        # Behind the last pair stands one more address: the end of the code.
        return self._pair(index)[0]


def go_table(elf: ElfFile) -> GoTable | None:
    """The function table of a Go binary; None for any other file."""
    section = elf.section(*_SECTIONS)
    if section is None or section.size < _HEAD_SIZE:
        return None
    try:
        data = elf.read(section)
        magic, pad, _, pointer = struct.unpack_from("<IHBB", data)
        words = struct.unpack_from("<8Q", data, 8)
        if pad or pointer != 8:
            return None
        functions = words[0]
        if magic == _GO_1_2:
            table = GoTable(data, functions, 0, _PAIR_64, 16, 0, 0)
        elif magic == _GO_1_16:
            table = GoTable(data, functions, 0, _PAIR_64, words[6], words[6], words[2])
        elif magic in (_GO_1_18, _GO_1_20):
            # In a position-independent file the loader fills it in.
            base = words[2] or elf.relocated(section.address + 8 + 2 * 8)
            if base is None:
                return None
            table = GoTable(data, functions, base, _PAIR_32, words[7], words[7], words[3])
        else:
            return None
    except ElfError:
        return None
    end = table.pairs_at + functions * table.pair.size + table.pair.size
    return table if 0 < functions <= _MOST_FUNCTIONS and end <= len(data) else None
