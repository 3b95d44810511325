"""Clients of a torture run: they read, write, append, delete and compare-and-set, and remember
when each call began and ended, which is the history that the checker judges."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import Counter

from kvtop.workload.clerk import Clerk, ClerkError, Cluster
from kvtop.workload.linearizability import Operation, OpKind
from kvtop.workload.peers import Address

_KEYS_AT_ONCE = 5
_SPAN = 2.0
"""Seconds after which the clients go on to new keys: short histories are quick to check."""
_WEIGHTS = {
    OpKind.GET: 40,
    OpKind.PUT: 20,
    OpKind.APPEND: 20,
    OpKind.CAS: 15,
    OpKind.DELETE: 5,
}


class TortureClient:
    """One client with connections of its own."""

    def __init__(
        self, number: int, addresses: dict[int, Address], history: list[Operation], seed: int
    ) -> None:
        self._number = number
        self._cluster = Cluster(addresses)
        self._clerk = Clerk(self._cluster, deadline=3.0)
        self._history = history
        self._chance = random.Random(seed)
        self._written = 0
        self._seen: dict[str, str | None] = {}
        self.errors: Counter[str] = Counter()

    async def run(self, began: float) -> None:
        """Operate until cancelled."""
        kinds, weights = list(_WEIGHTS), list(_WEIGHTS.values())
        while True:
            epoch = int((time.monotonic() - began) / _SPAN)
            key = f"{epoch}-{self._chance.randrange(_KEYS_AT_ONCE)}"
            await self._operate(key, self._chance.choices(kinds, weights)[0])
            await asyncio.sleep(self._chance.uniform(0.0, 0.01))

    async def read_all(self, keys: list[str]) -> None:
        """Read every key once."""
        for key in keys:
            await self._operate(key, OpKind.GET)

    async def close(self) -> None:
        """Drop the connections."""
        await self._cluster.close()

    async def _operate(self, key: str, kind: OpKind) -> None:
        self._written += 1
        value = "" if kind in (OpKind.GET, OpKind.DELETE) else f"<{self._number}.{self._written}>"
        expected = self._seen.get(key) if kind is OpKind.CAS else None
        called = time.monotonic()
        result: str | bool | None = None
        returned = math.inf
        try:
            result = await self._call(key, kind, value, expected)
            returned = time.monotonic()
        except ClerkError as error:
            self.errors[type(error).__name__] += 1
        except asyncio.CancelledError:
            self._remember(key, kind, called, math.inf, value, expected, None)
            raise
        self._remember(key, kind, called, returned, value, expected, result)

    async def _call(
        self, key: str, kind: OpKind, value: str, expected: str | None
    ) -> str | bool | None:
        clerk, name, data = self._clerk, key.encode(), value.encode()
        if kind is OpKind.GET:
            found = await clerk.get(name)
            self._seen[key] = None if found is None else found.decode()
            return self._seen[key]
        if kind is OpKind.PUT:
            await clerk.put(name, data)
        elif kind is OpKind.APPEND:
            await clerk.append(name, data)
        elif kind is OpKind.DELETE:
            await clerk.delete(name)
        else:
            wanted = None if expected is None else expected.encode()
            swapped, present = await clerk.compare_and_set(name, wanted, data)
            self._seen[key] = None if present is None else present.decode()
            return swapped
        return None

    def _remember(
        self,
        key: str,
        kind: OpKind,
        called: float,
        returned: float,
        value: str,
        expected: str | None,
        result: str | bool | None,
    ) -> None:
        if kind is OpKind.GET and math.isinf(returned):
            return  # a read without an answer says nothing
        self._history.append(
            Operation(self._number, key, kind, called, returned, value, expected, result)
        )
