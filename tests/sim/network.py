"""Messages between nodes: delayed, dropped, doubled, reordered, cut off (one way too)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable

from kvtop.workload.raft.types import Message
from tests.sim.parameters import NetworkQuality


class Network:
    """Decides what happens to each message; ``schedule`` (delay, message) delivers it."""

    def __init__(
        self,
        rng: random.Random,
        quality: NetworkQuality,
        schedule: Callable[[int, Message], None],
    ) -> None:
        self.quality = quality
        self.sent: Counter[str] = Counter()
        self._rng = rng
        self._schedule = schedule
        self._blocked: set[tuple[int, int]] = set()

    def send(self, message: Message) -> None:
        """Take a message over from its sender."""
        self.sent[type(message).__name__] += 1
        if (message.sender, message.receiver) in self._blocked:
            return
        quality = self.quality
        random = self._rng.random
        if quality.drop and random() < quality.drop:
            return
        copies = 2 if quality.duplicate and random() < quality.duplicate else 1
        low, high = quality.delay
        for _ in range(copies):
            delay = low + int(random() * (high - low))
            if quality.straggle and random() < quality.straggle:
                delay += int(random() * 20 * high)
            self._schedule(delay, message)

    def block(self, senders: Iterable[int], receivers: Iterable[int]) -> None:
        """Cut one direction."""
        receivers = list(receivers)
        self._blocked |= {(a, b) for a in senders for b in receivers if a != b}

    def partition(self, group: Iterable[int], rest: Iterable[int]) -> None:
        """Cut both directions between two groups."""
        group, rest = list(group), list(rest)
        self.block(group, rest)
        self.block(rest, group)

    def heal(self) -> None:
        """Remove all cuts."""
        self._blocked.clear()
