"""The write-ahead log on disk: zero-filled segments, a checksum per batch, recovery.

A batch is what one fdatasync makes durable; the next one is written only after it. So a crash
can tear the last batch alone: recovery cuts it. A bad batch with good ones behind it is damage,
and recovery refuses it. (A last batch that was durable and rotted later looks torn; a checksum
cannot tell the two apart.) What a segment holds is the business of ``wal_records``.

A segment is a header {magic, version, sequence, salt, crc}, then batches at multiples of 8 bytes:
{magic, payload length, batch number, crc}, payload. The salt is random and part of every
checksum, so bytes that a client chose cannot pass for a batch.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SEGMENT_SIZE = 16 << 20
REPLACE_NODE = (
    "Remove this node from the cluster (kvtop kv member remove), then let it join again with an "
    "empty data directory (kvtop server --join): a voter that forgot its vote could vote twice."
)
"""What to do with a node whose data cannot be trusted."""
_HEADER = struct.Struct("<8sIQQI")
FIRST_BATCH = 64
"""Where the first batch of a segment begins."""
_MAGIC = b"KVTOPWAL"
_VERSION = 1
_BATCH = struct.Struct("<IIQI")
_BATCH_SIZE = 24
_BATCH_MAGIC = 0x4C41574B
_ALIGNMENT = 8
_ZEROS = bytes(1 << 20)


class DamagedLog(Exception):
    """The log cannot be trusted; the text says where and what to do."""


@dataclass(slots=True)
class Segment:
    """A segment on disk; ``last_index`` is the highest log index in it (0: none)."""

    path: Path
    sequence: int
    salt: int
    size: int
    last_index: int = 0


@dataclass(slots=True)
class Batch:
    """One recovered batch and the segment it came from."""

    segment: Segment
    number: int
    payload: bytes


@dataclass(slots=True)
class Scan:
    """What is on disk: ``batches`` is to be read once, then the rest is known."""

    segments: list[Segment] = field(default_factory=list)
    end: int = FIRST_BATCH
    """Where the next batch goes in the last segment."""
    number: int = 0
    """Number of the last whole batch."""
    torn_bytes: int = 0
    """Bytes of a torn last batch that were cut off."""


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _salted_crc(salt: int, length: int, number: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(struct.pack("<QIQ", salt, length, number)))


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def batch_size(payload_size: int) -> int:
    """Bytes that a batch takes in its segment."""
    return _padded(_BATCH_SIZE + payload_size)


def encode_batch(salt: int, number: int, payload: bytes) -> bytes:
    """A batch as it lies on disk."""
    crc = _salted_crc(salt, len(payload), number, payload)
    head = _BATCH.pack(_BATCH_MAGIC, len(payload), number, crc)
    padding = batch_size(len(payload)) - _BATCH_SIZE - len(payload)
    return head.ljust(_BATCH_SIZE, b"\0") + payload + bytes(padding)


def fill_with_zeros(path: Path, size: int) -> None:
    """Allocate a file for real: overwriting it later changes no metadata. OSError if full."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        left = size
        while left:
            left -= os.write(descriptor, memoryview(_ZEROS)[: min(left, len(_ZEROS))])
        os.fdatasync(descriptor)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(descriptor)


def create_segment(directory: Path, sequence: int, spare: Path | None, size: int) -> Segment:
    """A new segment under its final name, durable; ``spare`` is a zero-filled file to use."""
    temporary = spare if spare is not None else directory / "new.tmp"
    if spare is None:
        fill_with_zeros(temporary, size)
    salt = int.from_bytes(os.urandom(8), "little")
    fields = _HEADER.pack(_MAGIC, _VERSION, sequence, salt, 0)
    header = _HEADER.pack(_MAGIC, _VERSION, sequence, salt, zlib.crc32(fields))
    descriptor = os.open(temporary, os.O_WRONLY)
    try:
        os.pwrite(descriptor, header, 0)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    path = directory / f"{sequence:016d}.wal"
    temporary.rename(path)
    sync_directory(directory)
    return Segment(path, sequence, salt, size)


def read_batches(directory: Path, scan: Scan) -> Iterator[Batch]:
    """Every whole batch in order, then ``scan`` is filled. Raises DamagedLog."""
    paths = sorted(directory.glob("*.wal"))
    for path in paths:
        data = path.read_bytes()
        segment = _read_header(path, data)
        if scan.segments and segment.sequence != scan.segments[-1].sequence + 1:
            raise DamagedLog(_refusal(path, f"follows {scan.segments[-1].path.name}"))
        scan.segments.append(segment)
        position = FIRST_BATCH
        while (batch := _batch_at(data, position, segment)) is not None:
            if scan.number and batch.number != scan.number + 1:
                text = f"has batch {batch.number} after {scan.number}"
                raise DamagedLog(_refusal(path, text))
            yield batch
            scan.number = batch.number
            position += batch_size(len(batch.payload))
        scan.end = position
        if data.count(0, position) == len(data) - position:
            continue
        # A later segment is begun only when all of this one is durable.
        if path != paths[-1] or _has_batch_behind(data, position, segment):
            raise DamagedLog(_refusal(path, f"has a bad batch at byte {position}"))
        scan.torn_bytes = len(data[position:].rstrip(b"\0"))
        _cut(segment, position, scan.torn_bytes)


def _refusal(path: Path, what: str) -> str:
    return (
        f"{path} {what}, and the log goes on behind it: it is damaged in its middle. "
        + REPLACE_NODE
    )


def _read_header(path: Path, data: bytes) -> Segment:
    if len(data) >= FIRST_BATCH:
        magic, version, sequence, salt, crc = _HEADER.unpack_from(data)
        fields = _HEADER.pack(magic, version, sequence, salt, 0)
        if magic == _MAGIC and version == _VERSION and crc == zlib.crc32(fields):
            return Segment(path, sequence, salt, len(data))
    raise DamagedLog(f"{path} has no valid header. {REPLACE_NODE}")


def _batch_at(data: bytes, position: int, segment: Segment) -> Batch | None:
    if position + _BATCH_SIZE > len(data):
        return None
    magic, length, number, crc = _BATCH.unpack_from(data, position)
    start = position + _BATCH_SIZE
    if magic != _BATCH_MAGIC or start + length > len(data):
        return None
    payload = data[start : start + length]
    if crc != _salted_crc(segment.salt, length, number, payload):
        return None
    return Batch(segment, number, payload)


def _has_batch_behind(data: bytes, position: int, segment: Segment) -> bool:
    magic = _BATCH_MAGIC.to_bytes(4, "little")
    found = data.find(magic, position + 1)
    while found != -1:
        if found % _ALIGNMENT == 0 and _batch_at(data, found, segment) is not None:
            return True
        found = data.find(magic, found + 1)
    return False


def _cut(segment: Segment, position: int, size: int) -> None:
    # Zeroed, not just skipped: what is left of it must not look like damage at the next start.
    descriptor = os.open(segment.path, os.O_WRONLY)
    try:
        while size > 0:
            written = os.pwrite(descriptor, memoryview(_ZEROS)[: min(size, len(_ZEROS))], position)
            position += written
            size -= written
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
