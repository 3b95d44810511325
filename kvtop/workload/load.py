"""Concurrent clients that read and write, and what they count. No output and no process here."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from kvtop.workload.clerk import ClerkError
from kvtop.workload.histogram import Histogram
from kvtop.workload.key_choice import key_chooser

_DIFFERENT_VALUES = 64
_AFTER_ERROR = 0.05
"""Seconds: a cluster that refuses everything is not helped by a busy loop."""


@dataclass(frozen=True, slots=True)
class Mix:
    """What the clients do. ``rate`` is operations a second of all of them; 0 is flat out."""

    clients: int
    reads: int
    writes: int
    value_size: int
    keys: int
    rate: float = 0.0
    operations: int | None = None
    """Of each client; None: until cancelled."""
    zipf: bool = False
    """Whether some keys are asked for much more often than others."""


class Counts:
    """Operations of one interval; latencies of the acknowledged ones."""

    __slots__ = ("errors", "latency", "reads", "writes")

    def __init__(self) -> None:
        self.reads = 0
        self.writes = 0
        self.errors = 0
        self.latency = Histogram()

    @property
    def operations(self) -> int:
        """Acknowledged operations."""
        return self.reads + self.writes


class Client(Protocol):
    """One client of a store, with one operation under way. Its operations raise ClerkError."""

    async def get(self, key: bytes) -> Any:
        """Read a key."""

    async def put(self, key: bytes, value: bytes) -> Any:
        """Write a key."""


class Load:
    """Runs the clients of a mix until cancelled. ``counts`` is taken and replaced by the owner.

    Flat out, a latency counts from the moment the operation began. With a rate it counts from the
    moment it was due, so that a stalled cluster is not flattered by operations that never began.
    """

    def __init__(
        self, mix: Mix, connect: Callable[[int], Client], on_error: Callable[[ClerkError], None]
    ) -> None:
        """``connect`` makes the client with this number, in the loop that runs it."""
        self.mix = mix
        self.counts = Counts()
        self._connect = connect
        self._on_error = on_error
        self._values = [os.urandom(mix.value_size) for _ in range(_DIFFERENT_VALUES)]

    def take_counts(self) -> Counts:
        """The counts since the last call."""
        counts, self.counts = self.counts, Counts()
        return counts

    async def run(self) -> None:
        """Run all clients until they have done their operations."""
        async with asyncio.TaskGroup() as group:
            for number in range(self.mix.clients):
                group.create_task(self._run_client(number))

    async def _run_client(self, number: int) -> None:
        client = self._connect(number)
        # Not the loop's time: uvloop's stands still for a millisecond.
        mix, now = self.mix, time.monotonic
        choose = random.Random().random  # randrange costs five times as much
        values = self._values
        read_share = mix.reads / (mix.reads + mix.writes)
        next_key = key_chooser(mix.keys, mix.zipf)
        gap = mix.clients / mix.rate if mix.rate else 0.0
        due = now() + gap * number / mix.clients
        left = mix.operations
        while left is None or left > 0:
            if left is not None:
                left -= 1
            if gap:
                due += gap
                if due > now():
                    await asyncio.sleep(due - now())
            began = due if gap else now()
            reading = choose() < read_share
            key = next_key()
            try:
                if reading:
                    await client.get(key)
                else:
                    await client.put(key, values[int(choose() * _DIFFERENT_VALUES)])
            except ClerkError as error:
                self.counts.errors += 1
                self._on_error(error)
                await asyncio.sleep(_AFTER_ERROR)
                continue
            counts = self.counts
            counts.latency.add(now() - began)
            if reading:
                counts.reads += 1
            else:
                counts.writes += 1
