"""An ordered map from bytes to bytes: a probabilistic skip list beside a dict index.

The dict holds the values, so reading or overwriting a known key is one dict access; the skip
list holds the keys alone and is touched when a key appears, disappears or a range is scanned.
(W. Pugh, "Skip Lists: A Probabilistic Alternative to Balanced Trees", 1990.)
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from random import Random

_MAX_LEVEL = 16
"""Enough for 4**16 keys at p = 1/4."""
_PIECE = 3 * 256
_LENGTHS = struct.Struct("<II")


class DumpCorrupted(ValueError):
    """The bytes given to ``load`` are not a whole dump."""


class _Node:
    __slots__ = ("forward", "key")

    def __init__(self, key: bytes, level: int) -> None:
        self.key = key
        self.forward: list[_Node | None] = [None] * level


class SkipList:
    """Sorted map. Point access O(1); insertion, deletion, start of a scan O(log n) expected."""

    __slots__ = ("_head", "_index", "_level", "_random")

    def __init__(self, seed: int = 0) -> None:
        """``seed`` fixes the node heights, and so the shape, for a given order of insertions."""
        self._head = _Node(b"", _MAX_LEVEL)
        self._index: dict[bytes, bytes] = {}
        self._level = 1
        self._random = Random(seed).getrandbits

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, key: bytes) -> bool:
        return key in self._index

    def __iter__(self) -> Iterator[bytes]:
        """Keys in ascending order."""
        node = self._head.forward[0]
        while node is not None:
            yield node.key
            node = node.forward[0]

    def get(self, key: bytes) -> bytes | None:
        """The value of ``key``, or None."""
        return self._index.get(key)

    def set(self, key: bytes, value: bytes) -> bool:
        """Insert or overwrite; True if the key is new."""
        index = self._index
        if key in index:
            index[key] = value
            return False
        index[key] = value
        self._insert(key)
        return True

    def delete(self, key: bytes) -> bool:
        """Remove a key; False if it was not there."""
        if self._index.pop(key, None) is None:
            return False
        node = self._head
        for level in range(self._level - 1, -1, -1):
            following = node.forward[level]
            while following is not None and following.key < key:
                node = following
                following = node.forward[level]
            if following is not None and following.key == key:
                node.forward[level] = following.forward[level]
        while self._level > 1 and self._head.forward[self._level - 1] is None:
            self._level -= 1
        return True

    def scan(self, start: bytes = b"", end: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Pairs with ``start`` <= key < ``end`` (None: to the last key), in ascending order."""
        node = self._head
        for level in range(self._level - 1, -1, -1):
            following = node.forward[level]
            while following is not None and following.key < start:
                node = following
                following = node.forward[level]
        found = node.forward[0]
        index = self._index
        while found is not None and (end is None or found.key < end):
            yield found.key, index[found.key]
            found = found.forward[0]

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All pairs in ascending order of keys."""
        return self.scan()

    def copy_items(self) -> dict[bytes, bytes]:
        """A frozen view of the pairs, unordered; one C-speed dict copy (for snapshots)."""
        return self._index.copy()

    def dump(self) -> bytes:
        """Every pair, as ``load`` reads it."""
        return b"".join(dump_chunks(self._index))

    @classmethod
    def load(cls, data: bytes | memoryview, seed: int = 0) -> SkipList:
        """The inverse of ``dump``; DumpCorrupted if the bytes are not whole."""
        return cls.from_items(parse_dump(data), seed)

    @classmethod
    def from_items(cls, pairs: Iterable[tuple[bytes, bytes]], seed: int = 0) -> SkipList:
        """Build from pairs in any order, in O(n log n) for the sort and O(n) for the links."""
        result = cls(seed)
        result._index.update(pairs)
        tails = [result._head] * _MAX_LEVEL
        for key in sorted(result._index):
            height = result._random_level()
            node = _Node(key, height)
            for level in range(height):
                tails[level].forward[level] = node
                tails[level] = node
            result._level = max(result._level, height)
        return result

    def _insert(self, key: bytes) -> None:
        height = self._random_level()
        self._level = max(self._level, height)
        new = _Node(key, height)
        node = self._head
        for level in range(self._level - 1, -1, -1):
            following = node.forward[level]
            while following is not None and following.key < key:
                node = following
                following = node.forward[level]
            if level < height:
                new.forward[level] = following
                node.forward[level] = new

    def _random_level(self) -> int:
        # One draw of 32 bits; each pair of zero bits (p = 1/4) is one level more.
        bits = self._random(32) | 1 << (2 * _MAX_LEVEL - 2)
        return ((bits & -bits).bit_length() + 1) // 2


def dump_chunks(pairs: Mapping[bytes, bytes]) -> Iterator[bytes]:
    """The bytes of a dump, some hundred pairs a piece: key length, value length, key, value."""
    pack = _LENGTHS.pack
    piece: list[bytes] = []
    for key, value in pairs.items():
        piece += (pack(len(key), len(value)), key, value)
        if len(piece) >= _PIECE:
            yield b"".join(piece)
            piece.clear()
    yield b"".join(piece)


def parse_dump(data: bytes | memoryview) -> Iterator[tuple[bytes, bytes]]:
    """The pairs of a dump; DumpCorrupted if it ends in the middle of one."""
    view = memoryview(data)
    position, end = 0, len(view)
    while position < end:
        if position + _LENGTHS.size > end:
            raise DumpCorrupted(f"dump ends inside the lengths at byte {position}")
        key_size, value_size = _LENGTHS.unpack_from(view, position)
        position += _LENGTHS.size
        if position + key_size + value_size > end:
            raise DumpCorrupted(f"dump ends inside the pair at byte {position}")
        middle = position + key_size
        yield bytes(view[position:middle]), bytes(view[middle : middle + value_size])
        position = middle + value_size
