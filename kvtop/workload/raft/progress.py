"""What a leader knows of one peer, and how much it may still send to it.

PROBE: one message at a time until the logs are known to match. REPLICATE: entries are sent ahead
of the answers, within the limits. SNAPSHOT: the peer needs entries that are compacted away.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from kvtop.workload.raft.types import SnapshotMeta


class ProgressState(Enum):
    """How a leader sends to a peer."""

    PROBE = "probe"
    REPLICATE = "replicate"
    SNAPSHOT = "snapshot"


@dataclass(slots=True)
class Transfer:
    """A snapshot on its way: the chunk at ``offset`` is out, no other."""

    meta: SnapshotMeta
    total: int
    offset: int = 0


class Progress:
    """One peer. ``match`` is what it stored for sure, ``next`` the first index to send."""

    __slots__ = (
        "_inflight",
        "_stall_mark",
        "active",
        "inflight_bytes",
        "match",
        "next",
        "probe_sent",
        "stalled",
        "state",
        "transfer",
    )

    def __init__(self, next_index: int) -> None:
        self.match = 0
        self.next = next_index
        self.state = ProgressState.PROBE
        self.probe_sent = False
        self.active = False
        self.stalled = False
        self._stall_mark = (-1, -1)
        self.transfer: Transfer | None = None
        self._inflight: deque[tuple[int, int]] = deque()
        self.inflight_bytes = 0

    @property
    def inflight(self) -> int:
        """Messages with entries that the peer has not answered."""
        return len(self._inflight)

    def may_send(self, max_messages: int, max_bytes: int) -> bool:
        """Whether another message with entries fits the limits."""
        if self.state is ProgressState.REPLICATE:
            return len(self._inflight) < max_messages and self.inflight_bytes < max_bytes
        return self.state is ProgressState.PROBE and not self.probe_sent

    def sent(self, last_index: int, size: int) -> None:
        """Entries up to ``last_index`` left, ``size`` bytes of data."""
        if self.state is ProgressState.REPLICATE:
            self.next = last_index + 1
            self._inflight.append((last_index, size))
            self.inflight_bytes += size
        else:
            self.probe_sent = True

    def accepted(self, index: int) -> bool:
        """The peer stored all up to ``index``; True if that is news."""
        while self._inflight and self._inflight[0][0] <= index:
            self.inflight_bytes -= self._inflight.popleft()[1]
        self.next = max(self.next, index + 1)
        if index <= self.match:
            return False
        self.match = index
        self.stalled = False
        return True

    def is_stale_rejection(self, prev_index: int) -> bool:
        """Whether a rejection of ``prev_index`` answers a message that no longer matters."""
        if prev_index <= self.match or self.state is ProgressState.SNAPSHOT:
            return True
        return self.state is ProgressState.PROBE and prev_index != self.next - 1

    def to_probe(self, next_index: int) -> None:
        """Find the match again, from ``next_index`` down (never below what is known)."""
        self._reset(ProgressState.PROBE)
        self.next = max(next_index, self.match + 1)

    def to_replicate(self) -> None:
        """The logs match up to ``match``: send ahead."""
        self._reset(ProgressState.REPLICATE)
        self.next = self.match + 1

    def to_snapshot(self, transfer: Transfer) -> None:
        """Send a snapshot from its first byte."""
        self._reset(ProgressState.SNAPSHOT)
        self.transfer = transfer

    def mark_interval(self) -> None:
        """Called once per heartbeat interval: stalled if unanswered and nothing moved in it."""
        mark = (self.match, self.transfer.offset if self.transfer is not None else -1)
        self.stalled = mark == self._stall_mark
        self._stall_mark = mark

    def _reset(self, state: ProgressState) -> None:
        self.state = state
        self.probe_sent = False
        self.transfer = None
        self._inflight.clear()
        self.inflight_bytes = 0
