"""The few facts of an ELF file that symbol lookup needs: segments, named sections, relocations.

Layout: elf(5), 64-bit and little-endian only, which every machine is that perf unwinds on here.
The file is mapped, not read: of a binary of 20 MB a few pages are touched.
"""

from __future__ import annotations

import mmap
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_RELA = struct.Struct("<QQq")
_ELF64_LITTLE = b"\x7fELF\x02\x01"
_LOAD, _EXECUTE = 1, 1
_NOBITS, _RELA_TYPE = 8, 4
_MOST_HEADERS = 4096


class ElfError(Exception):
    """Not an ELF file of the kind that is read here."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section's place in the file and in memory, bytes."""

    name: str
    type: int
    address: int
    offset: int
    size: int


class ElfFile:
    """A mapped ELF file; ``close`` it, or use it in a ``with``."""

    def __init__(self, path: Path) -> None:
        """OSError where it cannot be read, ElfError where it is no such file."""
        # Whoever runs the target may have put a pipe in the file's place: never wait for it.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise ElfError("no regular file")
            self.data = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise ElfError("empty") from None
        finally:
            os.close(fd)
        try:
            self._read_headers()
        except (struct.error, ElfError) as error:
            self.close()
            raise ElfError(str(error)) from None

    def close(self) -> None:
        """Unmap it; safe to call twice."""
        self.data.close()

    def _read_headers(self) -> None:
        if self.data[:6] != _ELF64_LITTLE:
            raise ElfError("not a 64-bit little-endian ELF file")
        fields = _HEADER.unpack_from(self.data)
        segments_at, sections_at = fields[5:7]
        segments, _, sections, names_index = fields[10:14]
        if max(segments, sections) > _MOST_HEADERS:
            raise ElfError("too many headers")
        self._code: list[tuple[int, int, int]] = [
            (offset, address, size)
            for kind, flags, offset, address, _, size, *_ in (
                _SEGMENT.unpack_from(self.data, segments_at + n * _SEGMENT.size)
                for n in range(segments)
            )
            if kind == _LOAD and flags & _EXECUTE
        ]
        headers = [
            _SECTION.unpack_from(self.data, sections_at + n * _SECTION.size)
            for n in range(sections)
        ]
        names_at = headers[names_index][4] if names_index < sections else 0
        self.sections = [
            Section(self.text_at(names_at + h[0]), h[1], h[3], h[4], h[5]) for h in headers
        ]

    def text_at(self, at: int, longest: int = 1000) -> str:
        """The NUL-terminated text at an offset; empty outside the file."""
        if not 0 <= at < len(self.data):
            return ""
        end = self.data.find(b"\0", at, at + longest)
        return self.data[at : end if end >= 0 else at + longest].decode(errors="replace")

    def section(self, *names: str) -> Section | None:
        """The first section with one of these names whose content is in the file."""
        for section in self.sections:
            inside = section.offset + section.size <= len(self.data)
            if section.name in names and section.type != _NOBITS and inside:
                return section
        return None

    def address(self, offset: int) -> int | None:
        """Address of the code at a file offset, as linked; None where there is no code."""
        for begin, address, size in self._code:
            if begin <= offset < begin + size:
                return offset - begin + address
        return None

    def has_code(self, address: int) -> bool:
        """Whether code is linked to this address."""
        return any(begin <= address < begin + size for _, begin, size in self._code)

    def relocated(self, address: int) -> int | None:
        """What the loader writes to an address of a position-independent file, less its base."""
        for section in self.sections:
            if section.type != _RELA_TYPE:
                continue
            end = min(section.offset + section.size, len(self.data))
            end -= (end - section.offset) % _RELA.size
            for where, _, addend in _RELA.iter_unpack(self.data[section.offset : end]):
                if where == address:
                    return int(addend)
        return None
