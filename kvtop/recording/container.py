"""The container: gzip members (RFC 1952) one after the other, which hold lines of text.

A member ends after some seconds with the checksum of what it held; meanwhile it is flushed, so
that all that was written can be read, wherever the file ends.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

LEVEL = 6
MEMBER_BYTES = 1 << 20
"""Length of its text at which a member ends; a reader takes no more than `MEMBER_LIMIT`."""
MEMBER_LIMIT = 64 << 20
_GZIP = 16 + zlib.MAX_WBITS
_CHUNK = 1 << 16


class Packer:
    """Text to compressed bytes. It does no I/O."""

    def __init__(self) -> None:
        self._member: zlib._Compress | None = None
        self._held = 0

    def pack(self, lines: bytes, end: bool = False) -> bytes:
        """What is to be written next, with which all of ``lines`` can be read back.

        ``end`` ends the member in any case.
        """
        if self._member is None:
            if not lines:
                return b""
            self._member = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
            self._held = 0
        data = self._member.compress(lines)
        self._held += len(lines)
        if end or self._held >= MEMBER_BYTES:
            data += self._member.flush(zlib.Z_FINISH)
            self._member = None
        else:
            data += self._member.flush(zlib.Z_SYNC_FLUSH)
        return data


class Unpacker:
    """The lines of a file of members. ``cut`` tells afterwards why it ended early, if it did."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.cut = ""

    def lines(self) -> Iterator[bytes]:
        """Every whole line; a member that is damaged ends it."""
        rest = b""
        for text in self._members():
            whole, end, tail = (rest + text).rpartition(b"\n")
            rest = tail
            if end:
                yield from whole.split(b"\n")
        if rest and not self.cut:
            self.cut = "it ends in the middle of a line"

    def _members(self) -> Iterator[bytes]:
        data = self._file.read(_CHUNK)
        while data:
            member = zlib.decompressobj(_GZIP)
            parts: list[bytes] = []
            held = 0
            try:
                while data and not member.eof:
                    parts.append(member.decompress(data, MEMBER_LIMIT + 1 - held))
                    held += len(parts[-1])
                    if held > MEMBER_LIMIT:
                        raise zlib.error("too large")
                    data = member.unconsumed_tail or self._file.read(_CHUNK)
            except zlib.error:
                self.cut = "it is damaged"
                return
            if not member.eof:
                # Nothing vouches for this text, but all lines that were flushed are in it.
                self.cut = "it ends in the middle"
            else:
                data = member.unused_data + data
            yield b"".join(parts)
