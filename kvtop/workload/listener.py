"""A TCP port and what is connected to it: what the servers of a node have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class Closable(Protocol):
    """A connection, or its transport."""

    def close(self) -> None:
        """Close it."""


class Listener:
    """Listens on one port; its connections enter themselves in ``connections`` and leave it."""

    def __init__(self, accept: Callable[[], asyncio.Protocol]) -> None:
        """``accept`` makes the protocol of a new connection."""
        self.connections: set[Closable] = set()
        self._accept = accept
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The TCP port, once started."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self, host: str, port: int) -> None:
        """Listen; OSError if the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, host, port, backlog=1024)

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.close()
