"""A TCP relay on loopback that can hold back what passes through it: a partition for one link.

Bytes that came before the cut may still arrive after it heals, as they do in a real network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from kvtop.workload.peers import Address


class LinkProxy:
    """Relays connections to ``target`` in both directions until ``cut``."""

    def __init__(self, target: Address) -> None:
        self._target = target
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> Address:
        """Where it listens, once started."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()
        return Address(host, port)

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    def cut(self) -> None:
        """Hold everything back."""
        self._open.clear()

    def heal(self) -> None:
        """Let everything pass."""
        self._open.set()

    async def stop(self) -> None:
        """Drop all connections."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._open.wait()
            far_reader, far_writer = await asyncio.open_connection(
                self._target.host, self._target.port
            )
        except OSError:
            writer.transport.abort()
            return
        finally:
            self._tasks.discard(task)
        self._tasks.add(task)
        try:
            await _first_to_end(self._relay(reader, far_writer), self._relay(far_reader, writer))
        finally:
            self._tasks.discard(task)
            writer.transport.abort()
            far_writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass  # either side has gone: the other is dropped too


async def _first_to_end(*coroutines: Coroutine[Any, Any, None]) -> None:
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
