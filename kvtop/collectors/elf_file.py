"""The few facts of an ELF file that symbol lookup needs: segments, named sections, relocations.

Layout: elf(5), 64-bit and little-endian only, which every machine is that perf unwinds on here.
Parts are read when they are wanted. The file is not mapped: one that shrinks would end kvtop.
"""

from __future__ import annotations

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
_LARGEST_SECTION = 1 << 28


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
    """An open ELF file; `close` it. Reading gives nothing behind its end."""

    def __init__(self, path: Path) -> None:
        """OSError where it cannot be read, ElfError where it is no such file."""
        # Whoever runs the target may have put a pipe in the file's place: never wait for it.
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(self._fd).st_mode):
                raise ElfError("no regular file")
            self._read_headers()
        except (struct.error, ElfError) as error:
            self.close()
            raise ElfError(str(error)) from None
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """What was read of the headers stays; call it once."""
        os.close(self._fd)

    def read(self, section: Section) -> bytes:
        """A section's content; ElfError where it is not wholly there or larger than any is."""
        if section.type == _NOBITS or section.size > _LARGEST_SECTION:
            raise ElfError("no such content")
        data = self._at(section.offset, section.size)
        if len(data) < section.size:
            raise ElfError("cut off")
        return data

    def _at(self, offset: int, size: int) -> bytes:
        try:
            return os.pread(self._fd, size, offset)
        except OverflowError:
            return b""

    def _read_headers(self) -> None:
        head = self._at(0, _HEADER.size)
        if head[:6] != _ELF64_LITTLE:
            raise ElfError("not a 64-bit little-endian ELF file")
        fields = _HEADER.unpack(head)
        segments_at, sections_at = fields[5:7]
        segments, _, sections, names_index = fields[10:14]
        if max(segments, sections) > _MOST_HEADERS:
            raise ElfError("too many headers")
        table = self._at(segments_at, segments * _SEGMENT.size)
        self._code: list[tuple[int, int, int]] = [
            (offset, address, size)
            for kind, flags, offset, address, _, size, *_ in _SEGMENT.iter_unpack(table)
            if kind == _LOAD and flags & _EXECUTE
        ]
        headers = [*_SECTION.iter_unpack(self._at(sections_at, sections * _SECTION.size))]
        names = b""
        if names_index < len(headers):
            names = self._at(headers[names_index][4], min(headers[names_index][5], 1 << 16))
        self.sections = [Section(text_at(names, h[0]), h[1], h[3], h[4], h[5]) for h in headers]

    def section(self, *names: str) -> Section | None:
        """The first section with one of these names."""
        return next((section for section in self.sections if section.name in names), None)

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
            if section.type == _RELA_TYPE:
                data = self.read(section)
                whole = data[: len(data) - len(data) % _RELA.size]
                for where, _, addend in _RELA.iter_unpack(whole):
                    if where == address:
                        return int(addend)
        return None


def text_at(data: bytes, at: int, longest: int = 1000) -> str:
    """The NUL-terminated text at an offset; empty outside of ``data``."""
    if not 0 <= at < len(data):
        return ""
    end = data.find(b"\0", at, at + longest)
    return data[at : end if end >= 0 else at + longest].decode(errors="replace")
