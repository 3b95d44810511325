"""A node's disk: what is durable, and the writes that a crash may lose, whole or from some point.

One synchronisation is under way at a time and covers all writes queued when it began, as group
commit does. A crash keeps a prefix of the queue: a write torn in its middle is cut by recovery
(its checksum fails), so it counts as lost.
"""

from __future__ import annotations

from collections import deque

from kvtop.workload.raft.log import entries_after
from kvtop.workload.raft.types import Entry, HardState, Ready, Snapshot, SnapshotMeta


class Disk:
    """Durable state, and the queue in front of it."""

    def __init__(self, meta: SnapshotMeta) -> None:
        self.hard_state = HardState()
        self.snapshot = Snapshot(meta, b"")
        self.base = meta.index  # Index before the first entry of ``entries``.
        self.entries: list[Entry] = []
        self.queue: deque[Ready] = deque()

    def write(self, ready: Ready) -> None:
        """Queue what the Ready stores."""
        self.queue.append(ready)

    def synchronise(self, count: int) -> list[Ready]:
        """The oldest ``count`` writes are durable now."""
        finished = [self.queue.popleft() for _ in range(count)]
        for ready in finished:
            self._store(ready)
        return finished

    def crash(self, surviving: int) -> None:
        """Lose the queue but for its ``surviving`` oldest writes."""
        for ready in list(self.queue)[:surviving]:
            self._store(ready)
        self.queue.clear()
        kept = entries_after(self.snapshot.meta, self.entries)
        self.base = self.snapshot.meta.index
        self.entries = list(kept)

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Store a snapshot of the node's own (atomically) and drop the entries it replaces."""
        meta = snapshot.meta
        if meta.index > self.snapshot.meta.index:
            self.snapshot = snapshot
            self.entries = list(entries_after(meta, self.entries))
            self.base = meta.index

    def holds(self, index: int, term: int) -> bool:
        """Whether the entry is durable here, as itself or inside the snapshot."""
        if index <= self.base:
            return True
        position = index - self.base - 1
        return position < len(self.entries) and self.entries[position].term == term

    def _store(self, ready: Ready) -> None:
        if ready.snapshot is not None and ready.snapshot.meta.index > self.snapshot.meta.index:
            self.snapshot = ready.snapshot
            self.base = ready.snapshot.meta.index
            self.entries = []
        if ready.truncate_from is not None:
            del self.entries[max(0, ready.truncate_from - self.base - 1) :]
        self.entries += [entry for entry in ready.entries if entry.index > self.base]
        if ready.hard_state is not None:
            self.hard_state = ready.hard_state
