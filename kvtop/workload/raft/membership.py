"""Configurations: their bytes in CONFIG entries, single-step changes, and the history in the log.

A configuration counts from the moment it is in the log, committed or not (dissertation, 4.1), so
truncating the log can take one back.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from kvtop.workload.raft.types import (
    ChangeKind,
    ChangeRefused,
    ConfigChange,
    Configuration,
    Entry,
    EntryKind,
)

_COUNTS = struct.Struct("<HH")


def encode_configuration(config: Configuration) -> bytes:
    """Counts of voters and learners, then their ids, as little-endian integers."""
    ids = [*sorted(config.voters), *sorted(config.learners)]
    counts = _COUNTS.pack(len(config.voters), len(config.learners))
    return counts + struct.pack(f"<{len(ids)}I", *ids)


def decode_configuration(data: bytes) -> Configuration:
    """The inverse of ``encode_configuration``; ValueError if the bytes are not one."""
    try:
        voters, learners = _COUNTS.unpack_from(data)
        ids = struct.unpack(f"<{voters + learners}I", data[_COUNTS.size :])
    except struct.error as error:
        raise ValueError(f"not a configuration: {error}") from None
    return Configuration(frozenset(ids[:voters]), frozenset(ids[voters:]))


def changed(config: Configuration, change: ConfigChange) -> Configuration:
    """``config`` with one member changed; ChangeRefused if it changes nothing or empties it."""
    node = frozenset((change.node,))
    voters, learners = config.voters - node, config.learners - node
    if change.kind is ChangeKind.ADD_VOTER:
        voters |= node
    elif change.kind is ChangeKind.ADD_LEARNER:
        learners |= node
    if not voters:
        raise ChangeRefused("the last voter cannot be removed")
    result = Configuration(voters, learners)
    if result == config:
        raise ChangeRefused("the configuration already is so")
    return result


class ConfigHistory:
    """The configurations at and after the start of the log, by index."""

    __slots__ = ("_history",)

    def __init__(self, index: int, config: Configuration, entries: Iterable[Entry]) -> None:
        self._history = [(index, config)]
        self.extend(entries)

    @property
    def current(self) -> Configuration:
        """The newest configuration in the log."""
        return self._history[-1][1]

    @property
    def current_index(self) -> int:
        """The index of the newest configuration."""
        return self._history[-1][0]

    def at(self, index: int) -> Configuration:
        """The configuration as of ``index``."""
        for start, config in reversed(self._history):
            if start <= index:
                return config
        raise ValueError(f"the configuration at {index} is compacted away")

    def extend(self, entries: Iterable[Entry]) -> bool:
        """Take in appended entries; True if one was a configuration."""
        before = len(self._history)
        self._history += [
            (entry.index, decode_configuration(entry.data))
            for entry in entries
            if entry.kind is EntryKind.CONFIG
        ]
        return len(self._history) > before

    def truncate_from(self, index: int) -> bool:
        """Take back configurations from ``index`` on; True if there was one."""
        before = len(self._history)
        while self._history[-1][0] >= index and len(self._history) > 1:
            self._history.pop()
        return len(self._history) < before

    def compact(self, index: int) -> None:
        """Forget configurations that were replaced at or before ``index``."""
        while len(self._history) > 1 and self._history[1][0] <= index:
            self._history.pop(0)
