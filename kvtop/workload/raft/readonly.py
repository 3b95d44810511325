"""Reads without log entries: ReadIndex (dissertation, 6.4), many reads per round of heartbeats.

One round is out at a time; reads that come meanwhile wait for the next. A round that lost its
answers is repeated with the leader's ordinary heartbeats, which carry its number.
"""

from __future__ import annotations

from collections.abc import Collection

from kvtop.workload.raft.quorum import has_quorum
from kvtop.workload.raft.types import ReadState


class ReadRounds:
    """Reads of one leadership; a new leadership starts with a new one."""

    __slots__ = ("_acks", "_asked", "_index", "_waiting", "round")

    def __init__(self) -> None:
        self._waiting: list[int] = []
        self._asked: list[int] = []
        self._acks: set[int] = set()
        self._index = 0
        self.round = 0

    @property
    def wants_round(self) -> bool:
        """Whether reads wait and no round is out."""
        return bool(self._waiting) and not self._asked

    @property
    def pending(self) -> int:
        """Reads that are not confirmed."""
        return len(self._waiting) + len(self._asked)

    def add(self, context: int) -> None:
        """A read for the next round."""
        self._waiting.append(context)

    def start(self, commit: int, leader: int) -> None:
        """All waiting reads go into a new round, at this commit index."""
        self._asked, self._waiting = self._waiting, []
        self._index = commit
        self.round += 1
        self._acks = {leader}

    def acknowledge(self, node: int, context: int) -> None:
        """``node`` answered a heartbeat of round ``context``."""
        if self._asked and context == self.round:
            self._acks.add(node)

    def take_confirmed(self, voters: Collection[int]) -> list[ReadState]:
        """The reads of the round, if a quorum of ``voters`` answered it."""
        if not self._asked or not has_quorum(voters, self._acks):
            return []
        confirmed = [ReadState(context, self._index) for context in self._asked]
        self._asked = []
        return confirmed
