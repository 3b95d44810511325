"""A client of etcd over its JSON gateway: one kept-open connection, one request at a time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

from kvtop.etcd import api
from kvtop.etcd.http import HttpConnection
from kvtop.workload.clerk import ATTEMPT, DeadlinePassed, Refused
from kvtop.workload.peers import Address

_BACKOFF = (0.01, 0.3)


class EtcdClient:
    """Stays with one member while that answers: client N begins at member N of the cluster.

    So the members share the clients, and followers pass writes on to the leader. A write that got
    no answer is sent again, which makes no difference to a ``put``.
    """

    def __init__(self, members: Sequence[Address], number: int, deadline: float = 5.0) -> None:
        self._members = members
        self._turn = number % len(members)
        self._deadline = deadline
        self._connection = self._connect()

    async def get(self, key: bytes) -> None:
        """A linearizable read. Raises ClerkError."""
        await self._try(lambda c, patience: api.get(c, key, patience))

    async def put(self, key: bytes, value: bytes) -> None:
        """A write that a majority has on disk when this returns. Raises ClerkError."""
        await self._try(lambda c, patience: api.put(c, key, value, patience))

    def _connect(self) -> HttpConnection:
        member = self._members[self._turn]
        return HttpConnection(member.host, member.port)

    async def _try(self, send: Callable[[HttpConnection, float], Awaitable[None]]) -> None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._deadline
        pause = _BACKOFF[0]
        while True:
            try:
                await send(self._connection, ATTEMPT)
                return
            except api.EtcdRefused as error:
                raise Refused(str(error)) from None
            except api.EtcdError as error:
                self._connection.close()
                self._turn = (self._turn + 1) % len(self._members)
                self._connection = self._connect()
                if loop.time() + pause >= ends:
                    raise DeadlinePassed(
                        f"no result within {self._deadline:g} s: {error}"
                    ) from None
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, _BACKOFF[1])
