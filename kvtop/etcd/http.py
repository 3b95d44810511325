"""A kept-open HTTP/1.1 connection for one request at a time (RFC 9112); no TLS, no redirects.

As much of HTTP as etcd's gateway needs. A stress client has one such connection to itself.
"""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass

MAX_BODY = 32 << 20
_MAX_HEAD = 1 << 16
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,12})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n", re.IGNORECASE)
_CLOSING = re.compile(rb"\r\nconnection:[ \t]*close[ \t]*\r\n", re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")


class HttpError(Exception):
    """No answer, or one that is no HTTP; the text says why."""


class NoAnswer(HttpError):
    """Nobody listens there, or whoever does says nothing."""


@dataclass(frozen=True, slots=True)
class Response:
    """Status code and whole body."""

    status: int
    body: bytes


class HttpConnection:
    """Connects at the first request, and again after a failure or where the server closed."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    async def get(self, path: str, patience: float) -> Response:
        """GET; HttpError within ``patience`` seconds."""
        return await self._request(f"GET {path}", b"", patience)

    async def post(self, path: str, body: bytes, patience: float) -> Response:
        """POST of JSON; HttpError within ``patience`` seconds."""
        return await self._request(f"POST {path}", body, patience)

    def close(self) -> None:
        """Give up the connection and any answer under way."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _request(self, line: str, body: bytes, patience: float) -> Response:
        head = f"{line} HTTP/1.1\r\nHost: {self}\r\nContent-Length: {len(body)}\r\n\r\n"
        whole = False
        try:
            async with asyncio.timeout(patience):
                # A server may close an idle connection at any time: that is no failure.
                for fresh in (False, True):
                    reader, writer, reused = await self._connect()
                    try:
                        writer.write(head.encode() + body)
                        first = await reader.readuntil(b"\r\n\r\n")
                        break
                    except (ConnectionError, asyncio.IncompleteReadError) as error:
                        partial = getattr(error, "partial", b"")
                        self.close()
                        if fresh or not reused or partial:
                            raise
                response = await _read(first, reader)
            whole = _CLOSING.search(first) is None
            return response
        except TimeoutError:
            raise NoAnswer(f"no answer from {self} within {patience:g} s") from None
        except asyncio.IncompleteReadError:
            raise HttpError(f"{self} closed the connection") from None
        except (OSError, ValueError, asyncio.LimitOverrunError) as error:
            raise HttpError(f"{self}: {error or type(error).__name__}") from None
        finally:
            if not whole:
                self.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bool]:
        if self._streams is not None:
            return *self._streams, True
        try:
            self._streams = await asyncio.open_connection(self.host, self.port, limit=_MAX_HEAD)
        except OSError as error:
            # asyncio's own text has the addresses once more, each with its error.
            code = error.errno or 0  # negative: of getaddrinfo(3), with its own texts
            reason = os.strerror(code) if code > 0 else error.strerror or str(error)
            if "Connect call failed" in reason:
                reason = "Connection refused"
            raise NoAnswer(f"{self}: {reason}") from None
        return *self._streams, False


async def _read(head: bytes, reader: asyncio.StreamReader) -> Response:
    """The response that begins with ``head``; ValueError for what is no HTTP."""
    status = _STATUS.match(head)
    if status is None:
        raise ValueError("the answer is no HTTP/1")
    code = int(status[1])
    length = _LENGTH.search(head)
    if length is not None:
        size = int(length[1])
        if size > MAX_BODY:
            raise ValueError("the answer is too long")
        return Response(code, await reader.readexactly(size))
    if _CHUNKED.search(head):
        return Response(code, await _read_chunks(reader))
    if code in (204, 304):
        return Response(code, b"")
    raise ValueError("the answer does not tell its length")


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    """A body in chunks (RFC 9112, section 7.1)."""
    body = bytearray()
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";", 1)[0], 16)
        if not 0 <= size <= MAX_BODY - len(body):
            raise ValueError("the answer is too long")
        if size == 0:
            while await reader.readuntil(b"\r\n") != b"\r\n":
                pass  # trailer fields
            return bytes(body)
        body += await reader.readexactly(size)
        if await reader.readexactly(2) != b"\r\n":
            raise ValueError("a chunk of the answer is too long")
