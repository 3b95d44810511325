"""Waiting for pipes on the event loop without a wake-up per write."""

from __future__ import annotations

import asyncio
import fcntl
import os
from contextlib import suppress

PIPE_SIZE = 1 << 20
"""Room for 64 DWARF samples; what an ordinary user may ask for (pipe(7), pipe-max-size)."""


def big_pipe() -> tuple[int, int]:
    """Both ends, close-on-exec, as large as one may have."""
    reader, writer = os.pipe()
    with suppress(OSError):
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
    return reader, writer


async def readable(fd: int, within: float | None = None) -> bool:
    """Wait until ``fd`` can be read (or has ended); False if ``within`` seconds passed."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(fd, _done, ready)
    try:
        async with asyncio.timeout(within):
            await ready
        return True
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(fd)


async def write_all(fd: int, data: bytes) -> None:
    """Write all of ``data`` to a non-blocking ``fd``; BrokenPipeError when nobody reads it."""
    loop = asyncio.get_running_loop()
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            ready: asyncio.Future[None] = loop.create_future()
            loop.add_writer(fd, _done, ready)
            try:
                await ready
            finally:
                loop.remove_writer(fd)


async def read_to_end(fd: int, limit: int = 1 << 22) -> bytes:
    """Everything up to the end of ``fd``, at most about ``limit`` bytes."""
    parts: list[bytes] = []
    size = 0
    while size < limit:
        await readable(fd)
        part = os.read(fd, PIPE_SIZE)
        if not part:
            break
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
