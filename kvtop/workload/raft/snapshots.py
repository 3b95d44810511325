"""A snapshot on its way in: chunks in order, repeats and gaps ignored."""

from __future__ import annotations

from kvtop.workload.raft.types import InstallSnapshot, SnapshotMeta


class Assembly:
    """Chunks of one snapshot from the leader of one term (another's bytes may differ)."""

    __slots__ = ("_data", "meta", "term", "total")

    def __init__(self, chunk: InstallSnapshot) -> None:
        self.term = chunk.term
        self.meta: SnapshotMeta = chunk.meta
        self.total = chunk.total
        self._data = bytearray()

    def fits(self, chunk: InstallSnapshot) -> bool:
        """Whether the chunk belongs to this snapshot."""
        return (self.term, self.meta, self.total) == (chunk.term, chunk.meta, chunk.total)

    def add(self, chunk: InstallSnapshot) -> None:
        """Take the chunk in if it is the next one."""
        if chunk.offset == len(self._data):
            self._data += chunk.data

    @property
    def offset(self) -> int:
        """Bytes held: where the next chunk must start."""
        return len(self._data)

    @property
    def is_complete(self) -> bool:
        """Whether all bytes are there."""
        return len(self._data) >= self.total

    def data(self) -> bytes:
        """The whole snapshot."""
        return bytes(self._data)
