"""What the batches of the write-ahead log say, and the Raft state that they add up to.

A payload is a run of records {u8 kind, u32 length, data}: a hard state, entries, a truncation,
or a restart of the log behind a snapshot that another node sent.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from kvtop.workload.entries import unpack_entries
from kvtop.workload.raft.types import Entry, HardState
from kvtop.workload.wal import REPLACE_NODE, DamagedLog

_RECORD = struct.Struct("<BI")
_HARD_STATE = struct.Struct("<Qq")
_ENTRIES = struct.Struct("<QI")
_INDEX = struct.Struct("<Q")

_HARD_STATE_KIND, _ENTRIES_KIND, _TRUNCATE_KIND, _RESTART_KIND = 1, 2, 3, 4


def hard_state_record(state: HardState) -> bytes:
    """Term and vote."""
    vote = -1 if state.vote is None else state.vote
    return _RECORD.pack(_HARD_STATE_KIND, _HARD_STATE.size) + _HARD_STATE.pack(state.term, vote)


def entries_record(first: int, count: int, packed: bytes) -> bytes:
    """``count`` packed entries from index ``first`` on."""
    size = _ENTRIES.size + len(packed)
    return b"".join((_RECORD.pack(_ENTRIES_KIND, size), _ENTRIES.pack(first, count), packed))


def truncate_record(first: int) -> bytes:
    """Entries from ``first`` on are void."""
    return _RECORD.pack(_TRUNCATE_KIND, _INDEX.size) + _INDEX.pack(first)


def restart_record(index: int) -> bytes:
    """All entries are void; the log goes on behind the snapshot at ``index``."""
    return _RECORD.pack(_RESTART_KIND, _INDEX.size) + _INDEX.pack(index)


class Replay:
    """Raft state after the records so far. ``last_index`` is None while there is no entry."""

    def __init__(self) -> None:
        self.hard_state = HardState()
        self.entries: list[Entry] = []
        self.restarted_at: int | None = None
        """Index of the snapshot that the log last restarted behind."""

    @property
    def last_index(self) -> int | None:
        """Index of the last entry, or of the snapshot that the log restarted behind."""
        return self.entries[-1].index if self.entries else self.restarted_at

    def apply(self, payload: bytes) -> int:
        """Take in one batch; the highest index it writes (0: none). Raises DamagedLog."""
        highest = 0
        try:
            for kind, data in _records(payload):
                highest = max(highest, self._apply_record(kind, data))
        except (struct.error, ValueError) as error:
            raise DamagedLog(f"a batch of the log has a valid checksum but is {error}") from None
        return highest

    def ends_at(self, index: int, term: int) -> bool:
        """Whether the next entry behind (``index``, ``term``) continues this log."""
        if self.entries:
            return self.entries[-1][:2] == (index, term)
        return (self.restarted_at or 0) == index

    def entries_behind(self, index: int, term: int) -> list[Entry]:
        """Entries that follow a snapshot at (``index``, ``term``). Raises DamagedLog for a gap.

        None follow if the log says otherwise of that index: the snapshot came from a leader, and
        replaces the log.
        """
        if not self.entries:
            return []
        first = self.entries[0].index
        if first > index + 1:
            raise DamagedLog(
                f"entries {index + 1} to {first - 1} are missing between the snapshot and the "
                f"log. {REPLACE_NODE}"
            )
        position = index - first
        if position >= len(self.entries):
            return []
        if position >= 0 and self.entries[position].term != term:
            return []
        return self.entries[position + 1 :]

    def _apply_record(self, kind: int, data: bytes) -> int:
        if kind == _HARD_STATE_KIND:
            term, vote = _HARD_STATE.unpack(data)
            self.hard_state = HardState(term, None if vote == -1 else vote)
        elif kind == _ENTRIES_KIND:
            first, count = _ENTRIES.unpack_from(data)
            entries = unpack_entries(first, count, data[_ENTRIES.size :])
            self._append(first, entries)
            return int(first + count - 1)
        elif kind == _TRUNCATE_KIND:
            self._truncate(_INDEX.unpack(data)[0])
        elif kind == _RESTART_KIND:
            self.entries.clear()
            self.restarted_at = _INDEX.unpack(data)[0]
        else:
            raise ValueError(f"of unknown kind {kind}")
        return 0

    def _append(self, first: int, entries: tuple[Entry, ...]) -> None:
        last = self.last_index
        if last is not None and first > last + 1:
            raise ValueError(f"without entries {last + 1} to {first - 1}")
        self._truncate(first)
        self.entries.extend(entries)

    def _truncate(self, first: int) -> None:
        if self.entries and first <= self.entries[-1].index:
            del self.entries[max(0, first - self.entries[0].index) :]


def _records(payload: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(payload):
        kind, length = _RECORD.unpack_from(payload, position)
        position += _RECORD.size
        if position + length > len(payload):
            raise ValueError("too short")
        yield kind, payload[position : position + length]
        position += length
