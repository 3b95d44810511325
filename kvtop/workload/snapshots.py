"""Snapshot files: written aside, synced, renamed, the directory synced; one newest is kept.

A file is a header {magic, version, meta length, crc of the meta}, the meta as JSON, the data,
and a CRC-32 of the data.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kvtop.workload.raft.types import Configuration, SnapshotMeta
from kvtop.workload.wal import REPLACE_NODE, sync_directory

_HEADER = struct.Struct("<8sIII")
_MAGIC = b"KVTOPSNP"
_VERSION = 1
_CRC = struct.Struct("<I")
_BUFFER = 1 << 20
_SYNC_EVERY = 8 << 20
"""Bytes between two fdatasyncs while writing: one large flush would stall the log's."""


class DamagedSnapshot(Exception):
    """The newest snapshot cannot be read; the text says which and what to do."""


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """A durable snapshot: its data is ``size`` bytes from ``offset`` on."""

    path: Path
    meta: SnapshotMeta
    offset: int
    size: int

    def read(self, offset: int, size: int) -> bytes:
        """Part of the data; OSError if the file is gone."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            return os.pread(descriptor, min(size, self.size - offset), self.offset + offset)
        finally:
            os.close(descriptor)


def save_snapshot(directory: Path, meta: SnapshotMeta, pieces: Iterable[bytes]) -> SnapshotFile:
    """Write a snapshot; when this returns, it is durable. Raises OSError."""
    text = json.dumps(
        {
            "index": meta.index,
            "term": meta.term,
            "voters": sorted(meta.config.voters),
            "learners": sorted(meta.config.learners),
        }
    ).encode()
    path = directory / f"{meta.index:016x}-{meta.term:016x}.snapshot"
    temporary = path.with_suffix(".tmp")
    head = _HEADER.pack(_MAGIC, _VERSION, len(text), zlib.crc32(text)) + text
    size = crc = unsynced = 0
    try:
        with temporary.open("wb", buffering=0) as file:
            buffer = bytearray(head)
            for piece in pieces:
                crc = zlib.crc32(piece, crc)
                size += len(piece)
                buffer += piece
                if len(buffer) >= _BUFFER:
                    _write_all(file.fileno(), buffer)
                    unsynced += len(buffer)
                    buffer = bytearray()
                    if unsynced >= _SYNC_EVERY:
                        os.fdatasync(file.fileno())
                        unsynced = 0
            buffer += _CRC.pack(crc)
            _write_all(file.fileno(), buffer)
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    temporary.rename(path)
    sync_directory(directory)
    return SnapshotFile(path, meta, len(head), size)


def newest_snapshot(directory: Path) -> SnapshotFile | None:
    """The newest snapshot, its checksums verified; half-written ones are removed.

    Raises DamagedSnapshot: older ones do not help, because the log behind them is gone.
    """
    for leftover in directory.glob("*.tmp"):
        leftover.unlink(missing_ok=True)
    paths = sorted(directory.glob("*.snapshot"))
    return _open(paths[-1]) if paths else None


def remove_older(directory: Path, kept: SnapshotFile) -> None:
    """Remove all snapshots but one."""
    for path in directory.glob("*.snapshot"):
        if path != kept.path:
            path.unlink()


def _open(path: Path) -> SnapshotFile:
    with path.open("rb") as file:
        try:
            magic, version, length, meta_crc = _HEADER.unpack(file.read(_HEADER.size))
            text = file.read(length)
            if magic != _MAGIC or version != _VERSION or zlib.crc32(text) != meta_crc:
                raise ValueError("has no valid header")
            fields = json.loads(text)
            offset = _HEADER.size + length
            size = path.stat().st_size - offset - _CRC.size
            if size < 0 or _crc_of(file.fileno(), offset, size) != _CRC.unpack(
                os.pread(file.fileno(), _CRC.size, offset + size)
            ):
                raise ValueError("does not match its checksum")
        except (ValueError, struct.error) as error:
            raise DamagedSnapshot(f"{path}: the snapshot {error}. {REPLACE_NODE}") from None
    config = Configuration(frozenset(fields["voters"]), frozenset(fields["learners"]))
    return SnapshotFile(path, SnapshotMeta(fields["index"], fields["term"], config), offset, size)


def _crc_of(descriptor: int, offset: int, size: int) -> tuple[int]:
    crc = 0
    end = offset + size
    while offset < end:
        piece = os.pread(descriptor, min(_BUFFER, end - offset), offset)
        if not piece:
            break
        crc = zlib.crc32(piece, crc)
        offset += len(piece)
    return (crc,)


def _write_all(descriptor: int, data: bytearray) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
