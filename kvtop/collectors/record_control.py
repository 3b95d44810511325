"""Switching a ``perf record`` on and off while it runs, so that it never records too much.

It begins with a short stretch; then it records all the time where there are few events, and the
part of each second that brings about as many as are wanted where there are many.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable

CONTROL_OPTIONS = ("--control", "fd:0,0", "-D", "-1")
"""For perf record: commands and answers go over its standard input, and it begins switched off."""
SHORTEST = 0.1
"""Seconds of a stretch of recording, where nothing else was asked for."""
_CYCLE = 1.0
_LOOK_EVERY = 0.2
_ANSWERS_WITHIN = 5.0
_TOO_MANY = 1.5


class RecordControl:
    """The other end of perf record's standard input.

    ``seen`` counts the events that came so far, of which ``wanted`` a second are enough. ``on`` and
    ``off`` are the commands that begin and end a stretch; ``begin`` are those before the first.
    ``stopped`` is told the time, ns, of each moment at which a stretch was over.
    """

    def __init__(
        self,
        seen: Callable[[], int],
        wanted: float,
        *,
        shortest: float = SHORTEST,
        begin: tuple[str, ...] = (),
        on: tuple[str, ...] = ("enable",),
        off: tuple[str, ...] = ("disable",),
        stopped: Callable[[int], None] | None = None,
    ) -> None:
        self.recorded = 0.0
        """Seconds that were recorded so far."""
        self._seen = seen
        self._wanted = wanted
        self._shortest = shortest
        self._begin, self._on, self._off = begin, on, off
        self._stopped = stopped
        self._mine, self._perfs = socket.socketpair()
        self._mine.setblocking(False)

    @property
    def fd(self) -> int:
        """What perf record gets as standard input."""
        return self._perfs.fileno()

    def close(self) -> None:
        """Give the descriptors back; safe to call twice."""
        self._mine.close()
        self._perfs.close()

    async def run(self) -> None:
        """Switch on and off until cancelled; OSError, TimeoutError where perf obeys no more."""
        await self._order(*self._begin)
        stretch = self._shortest
        while True:
            stretch = await self._record(stretch)

    async def _record(self, stretch: float) -> float:
        """One stretch, and the pause after it; the length of the next one."""
        await self._order(*self._on)
        began = last = time.monotonic()
        before = self._seen()
        while (left := began + stretch - last) > 0:
            await asyncio.sleep(min(_LOOK_EVERY, stretch / 4, left))
            # perf record passes on what it has: it would wait until its buffer is half full.
            await self._order("ping")
            now = time.monotonic()
            self.recorded += now - last
            last = now
            if stretch >= _CYCLE and now - began >= _CYCLE:
                if self._seen() - before > _TOO_MANY * self._wanted * (now - began):
                    break
                began, before = now, self._seen()
        await self._order(*self._off)
        now = time.monotonic()
        self.recorded += now - last
        if self._stopped is not None:
            self._stopped(time.monotonic_ns())
        await asyncio.sleep(max(_CYCLE - stretch, _LOOK_EVERY))
        await self._order("ping")
        rate = (self._seen() - before) / (now - began)
        share = self._wanted / rate if rate > self._wanted else 1.0
        return max(self._shortest, share * _CYCLE)

    async def _order(self, *commands: str) -> None:
        """Give perf record commands, waiting each time until it was obeyed."""
        loop = asyncio.get_running_loop()
        for command in commands:
            async with asyncio.timeout(_ANSWERS_WITHIN):
                await loop.sock_sendall(self._mine, f"{command}\n".encode())
                if not await loop.sock_recv(self._mine, 4096):
                    raise ConnectionResetError("perf has closed its control socket")
