"""Names for addresses that perf has none for, from what the object itself still tells."""

from __future__ import annotations

import re
from collections import OrderedDict
from contextlib import closing, suppress
from pathlib import Path

from kvtop.collectors.elf_file import ElfError, ElfFile
from kvtop.collectors.go_symbols import GoTable, go_table

_MOST_TABLES = 8
_MOST_KNOWN = 512
_RAW_SINCE = (6, 4)
_RAW_BEFORE = (5, 13)


class ObjectSymbols:
    """Maps (process, object, address) to a function.

    Objects are read through /proc/PID/root, so also in another mount namespace, but kept by
    path: two different files of one path in two namespaces would be taken for the same.
    """

    def __init__(self) -> None:
        self.raw = False
        """Whether perf script prints addresses as in memory instead of offsets in the file."""
        self._tables: OrderedDict[str, tuple[ElfFile, GoTable]] = OrderedDict()
        self._without: set[str] = set()

    def set_perf_version(self, version: str) -> None:
        """perf 5.13 to 6.3 print the offset in the file, older and newer ones the address."""
        numbers = re.match(r"(\d+)\.(\d+)", version)
        if numbers is not None:
            self.raw = not _RAW_BEFORE <= (int(numbers[1]), int(numbers[2])) < _RAW_SINCE

    def name(self, pid: int, path: str, address: int) -> str | None:
        """The function at an address that perf script printed; None where it is unknown."""
        if path in self._without:
            return None
        known = self._tables.get(path) or self._open(pid, path)
        if known is None:
            return None
        elf, table = known
        linked = self._linked(elf, pid, path, address)
        return None if linked is None else table.name(linked)

    def _open(self, pid: int, path: str) -> tuple[ElfFile, GoTable] | None:
        for place in (f"/proc/{pid}/root{path}", path):
            with suppress(OSError, ElfError), closing(ElfFile(Path(place))) as elf:
                table = go_table(elf)
                break
        else:
            table = None
        if table is None:
            if len(self._without) >= _MOST_KNOWN:
                self._without.clear()
            self._without.add(path)
            return None
        if len(self._tables) >= _MOST_TABLES:
            self._tables.popitem(last=False)
        self._tables[path] = elf, table
        return elf, table

    def _linked(self, elf: ElfFile, pid: int, path: str, address: int) -> int | None:
        """The address as it was linked."""
        if not self.raw:
            linked = elf.address(address)
            if linked is not None:
                return linked
        if elf.has_code(address):
            return address
        offset = offset_in_file(pid, path, address)
        return None if offset is None else elf.address(offset)


def offset_in_file(pid: int, path: str, address: int) -> int | None:
    """Which byte of ``path`` a process has mapped to an address; None where it has not."""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text(errors="replace")
    except OSError:
        return None
    for line in maps.splitlines():
        span, _, offset, _, _, *file = line.split(None, 5)
        begin, _, end = span.partition("-")
        if file == [path] and int(begin, 16) <= address < int(end, 16):
            return address - int(begin, 16) + int(offset, 16)
    return None
