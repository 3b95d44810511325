"""The frame: u32 length, u64 request id, payload (big-endian; length counts id and payload).

``FrameConnection`` is the asyncio protocol both sides share. Frames sent in one turn of the loop
leave in one write, which is most of what makes many small calls cheap.
"""

from __future__ import annotations

import asyncio
import struct
from typing import cast

MAX_FRAME = 16 << 20
"""Bytes of the largest frame, id included; a larger one closes the connection."""

_HEADER = struct.Struct(">IQ")
_ID_SIZE = 8
_LENGTH_SIZE = 4


class FrameError(ValueError):
    """The peer sent what is no frame, or a frame over the cap."""


def pack_frame(request_id: int, payload: bytes) -> bytes:
    """One frame as it goes over the wire."""
    return _HEADER.pack(_ID_SIZE + len(payload), request_id) + payload


class FrameReader:
    """Cuts a stream of bytes into frames, whatever the pieces it arrives in."""

    __slots__ = ("_cap", "_missing", "_pieces")

    def __init__(self, cap: int = MAX_FRAME) -> None:
        self._cap = cap
        self._pieces: list[bytes] = []
        self._missing = 0

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """(request id, payload) of every frame that is whole now; FrameError ends the stream."""
        if self._pieces:
            # Joining only once a frame is whole keeps a large frame linear in its size.
            self._pieces.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return []
            data = b"".join(self._pieces)
            self._pieces.clear()
        frames = []
        position, end = 0, len(data)
        self._missing = _HEADER.size
        while end - position >= _HEADER.size:
            length, request_id = _HEADER.unpack_from(data, position)
            if not _ID_SIZE <= length <= self._cap:
                raise FrameError(f"frame of {length} bytes; from {_ID_SIZE} to {self._cap} allowed")
            following = position + _LENGTH_SIZE + length
            if following > end:
                self._missing = _LENGTH_SIZE + length
                break
            frames.append((request_id, data[position + _HEADER.size : following]))
            position = following
        if position < end:
            self._pieces.append(data[position:])
            self._missing -= end - position
        return frames


class FrameConnection(asyncio.Protocol):
    """One TCP connection that carries frames both ways; subclasses say what a frame means."""

    def __init__(self, cap: int = MAX_FRAME) -> None:
        self._reader = FrameReader(cap)
        self._loop = asyncio.get_running_loop()
        self._outgoing: list[bytes] = []
        self.transport: asyncio.Transport | None = None
        self.error: Exception | None = None
        """Why this side closed the connection, if it did."""

    def frame_received(self, request_id: int, payload: bytes) -> None:
        """A whole frame arrived. Raising ValueError closes this connection alone."""
        raise NotImplementedError

    def send_frame(self, request_id: int, payload: bytes) -> None:
        """Queue a frame; it leaves at the end of this turn of the loop. Dropped once closed."""
        if self.transport is None:
            return
        if not self._outgoing:
            self._loop.call_soon(self._flush_frames)
        self._outgoing.append(_HEADER.pack(_ID_SIZE + len(payload), request_id))
        self._outgoing.append(payload)

    @property
    def unsent(self) -> int:
        """Bytes that the operating system has not taken yet."""
        return 0 if self.transport is None else self.transport.get_write_buffer_size()

    def close(self) -> None:
        """Close after what is queued has left."""
        if self.transport is not None:
            self._flush_frames()
            self.transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection is up."""
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone."""
        self.transport = None
        self._outgoing.clear()

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes arrived."""
        try:
            for request_id, payload in self._reader.feed(data):
                self.frame_received(request_id, payload)
        except ValueError as error:
            self.error = error
            self.abort()

    def _flush_frames(self) -> None:
        if self.transport is not None and self._outgoing:
            self.transport.write(b"".join(self._outgoing))
        self._outgoing.clear()
