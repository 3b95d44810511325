"""The replicated log in memory: which part is stored, committed, handed out to be applied.

``snapshot_index`` <= ``released`` <= ``committed`` <= ``last_index``. Entries up to
``snapshot_index`` are gone. ``persisted`` may lag behind ``committed``: a quorum of others can
commit what this node's disk has not finished.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import attrgetter

from kvtop.workload.raft.types import Entry, SnapshotMeta

_TERM = attrgetter("term")


class LogCorrupted(Exception):
    """The log was about to lose a committed entry; the node must stop."""


def entries_after(meta: SnapshotMeta, entries: Sequence[Entry]) -> Sequence[Entry]:
    """Of the stored ``entries``, those that continue the snapshot.

    A node can store a snapshot of entries that its log on disk lacks, or has in an older, never
    committed version: then nothing that follows them there belongs to this log.
    ValueError if entries between the snapshot and the first stored one are missing.
    """
    if not entries or entries[0].index == meta.index + 1:
        return entries
    if entries[0].index > meta.index:
        raise ValueError(f"log starts at {entries[0].index}, snapshot ends at {meta.index}")
    at_meta = meta.index - entries[0].index
    if at_meta >= len(entries) or entries[at_meta].term != meta.term:
        return ()
    return entries[at_meta + 1 :]


class RaftLog:
    """Entries after ``snapshot_index``; every index is a log index, not a list position."""

    __slots__ = (
        "_entries",
        "_pending_truncation",
        "_unstable",
        "committed",
        "persisted",
        "released",
        "snapshot_index",
        "snapshot_term",
    )

    def __init__(self, index: int, term: int, entries: Sequence[Entry]) -> None:
        """``entries`` follow the snapshot at (``index``, ``term``) without a gap (ValueError)."""
        for expected, entry in enumerate(entries, index + 1):
            if entry.index != expected:
                raise ValueError(f"log has entry {entry.index} where {expected} belongs")
        self.snapshot_index = index
        self.snapshot_term = term
        self._entries = list(entries)
        self.committed = index
        self.released = index
        self.persisted = self.last_index
        self._unstable = self.last_index + 1
        self._pending_truncation: int | None = None

    @property
    def last_index(self) -> int:
        """Index of the newest entry, or of the snapshot."""
        return self.snapshot_index + len(self._entries)

    @property
    def last_term(self) -> int:
        """Term of the newest entry, or of the snapshot."""
        return self._entries[-1].term if self._entries else self.snapshot_term

    def term_at(self, index: int) -> int | None:
        """Term of the entry at ``index``; None if it is compacted away or not there yet."""
        position = index - self.snapshot_index - 1
        if position == -1:
            return self.snapshot_term
        if 0 <= position < len(self._entries):
            return self._entries[position].term
        return None

    def entries_between(self, first: int, last: int) -> Sequence[Entry]:
        """Entries ``first``..``last``, both included; both must be in the log."""
        base = self.snapshot_index + 1
        return self._entries[first - base : last - base + 1]

    def batch(self, first: int, max_entries: int, max_bytes: int) -> tuple[tuple[Entry, ...], int]:
        """Entries from ``first`` within both limits (always at least one), and their bytes."""
        position = first - self.snapshot_index - 1
        chosen = self._entries[position : position + max_entries]
        size = 0
        for count, entry in enumerate(chosen):
            size += len(entry.data)
            if size > max_bytes and count:
                return tuple(chosen[:count]), size - len(entry.data)
        return tuple(chosen), size

    def is_up_to_date(self, last_index: int, last_term: int) -> bool:
        """Whether a log that ends so is at least as up to date as this one (section 5.4.1)."""
        return (last_term, last_index) >= (self.last_term, self.last_index)

    def append(self, entries: Sequence[Entry]) -> None:
        """Add entries right after the last one."""
        self._entries.extend(entries)

    def truncate_from(self, index: int) -> None:
        """Drop ``index`` and all after it; LogCorrupted if one of them is committed."""
        if index <= self.committed:
            raise LogCorrupted(f"entry {index} conflicts, but {self.committed} is committed")
        del self._entries[index - self.snapshot_index - 1 :]
        if index < self._unstable:
            self._unstable = index
            earlier = self._pending_truncation
            self._pending_truncation = index if earlier is None else min(earlier, index)
        self.persisted = min(self.persisted, index - 1)

    def first_conflict(self, entries: Sequence[Entry]) -> int:
        """Position in ``entries`` of the first that this log lacks or holds with another term."""
        known = self.last_index
        for position, entry in enumerate(entries):
            if entry.index > known or self.term_at(entry.index) != entry.term:
                return position
        return len(entries)

    def first_index_of_term(self, term: int) -> int:
        """First index whose term is >= ``term`` (terms never fall along a log)."""
        return self.snapshot_index + 1 + bisect_left(self._entries, term, key=_TERM)

    def last_index_of_term(self, term: int) -> int:
        """Last index whose term is <= ``term``, or the snapshot's index."""
        return self.snapshot_index + bisect_right(self._entries, term, key=_TERM)

    def commit_to(self, index: int) -> bool:
        """Raise the commit index, never past the last entry; True if it moved."""
        index = min(index, self.last_index)
        if index <= self.committed:
            return False
        self.committed = index
        return True

    def take_unstable(self) -> tuple[int | None, tuple[Entry, ...]]:
        """What is still to be stored: where to cut first (or None), and the new entries."""
        cut, self._pending_truncation = self._pending_truncation, None
        if self._unstable > self.last_index:
            return cut, ()
        entries = tuple(self._entries[self._unstable - self.snapshot_index - 1 :])
        self._unstable = self.last_index + 1
        return cut, entries

    def take_committed(self, limit: int) -> tuple[Entry, ...]:
        """The next at most ``limit`` committed entries that were not handed out yet."""
        if self.released >= self.committed:
            return ()
        last = min(self.committed, self.released + limit)
        entries = tuple(self.entries_between(self.released + 1, last))
        self.released = last
        return entries

    def compact(self, index: int) -> None:
        """Forget entries up to ``index``, which must be stored and handed out (ValueError)."""
        if index > min(self.persisted, self.released):
            raise ValueError(f"cannot compact to {index}: not stored and released up to there")
        if index <= self.snapshot_index:
            return
        term = self.term_at(index)
        assert term is not None
        del self._entries[: index - self.snapshot_index]
        self.snapshot_index = index
        self.snapshot_term = term

    def restore(self, meta: SnapshotMeta) -> None:
        """Replace everything by a snapshot that reaches past the commit index."""
        self.persisted = min(self.persisted, self.committed)
        self._entries.clear()
        self.snapshot_index = meta.index
        self.snapshot_term = meta.term
        self.committed = meta.index
        self.released = meta.index
        self._unstable = meta.index + 1
        self._pending_truncation = None
