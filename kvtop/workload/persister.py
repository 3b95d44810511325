"""One node's durable state: recovery at the start, then a thread that writes and syncs.

The loop hands over what each Ready stores; the thread joins all that waits into one write and
one fdatasync (group commit) and reports back. After the first I/O error nothing is written any
more: after a failed fdatasync the kernel no longer says what is on disk.
"""

from __future__ import annotations

import errno
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from kvtop.workload import wal
from kvtop.workload.raft.types import Configuration, Entry, HardState, Snapshot, SnapshotMeta
from kvtop.workload.snapshots import (
    SnapshotFile,
    newest_snapshot,
    remove_older,
    save_snapshot,
)
from kvtop.workload.wal_records import Replay, hard_state_record, restart_record


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was durable when the node started. ``torn_bytes`` of a last batch were cut off."""

    hard_state: HardState
    snapshot: SnapshotFile | None
    entries: list[Entry]
    torn_bytes: int
    seconds: float
    wal_bytes: int


@dataclass(frozen=True, slots=True)
class Durable:
    """All writes up to ``number`` are durable: ``seconds`` of fdatasync, ``size`` bytes."""

    number: int
    seconds: float
    size: int
    writes: int


@dataclass(frozen=True, slots=True)
class SnapshotSaved:
    """A snapshot of this node's own state machine is durable."""

    file: SnapshotFile


@dataclass(frozen=True, slots=True)
class DiskFailed:
    """Nothing is durable from here on; ``text`` is a sentence."""

    text: str


Report = Durable | SnapshotSaved | DiskFailed


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class LogWrite(NamedTuple):
    """What Ready ``number`` stores: first a received ``snapshot``, then ``records``.

    ``last_index`` is the highest index in the records.
    """

    number: int
    records: bytes
    last_index: int
    hard_state: HardState | None = None
    snapshot: Snapshot | None = None


def log_failed(error: OSError) -> str:
    """Why a node stops serving, in a sentence."""
    remedy = "Make space, then start" if error.errno in _FULL else "Look after the disk, then start"
    return f"writing the log failed: {error}. {remedy} this node again."


class _Stopped(Exception):
    """The node stops: nobody waits for the snapshot that is being written."""


class Persister:
    """Owns a directory. ``report`` is called in the writer's thread, or the snapshot's."""

    def __init__(self, directory: Path, segment_size: int = wal.SEGMENT_SIZE) -> None:
        """OSError if the directory cannot be made."""
        self._log_directory = directory / "log"
        self._snapshot_directory = directory / "snapshots"
        for path in (self._log_directory, self._snapshot_directory):
            path.mkdir(parents=True, exist_ok=True)
        wal.sync_directory(directory)
        self._segment_size = segment_size
        self._segments: list[wal.Segment] = []
        self._descriptor = -1
        self._position = 0
        self._number = 0
        self._hard_state = HardState()
        self._last_index = 0
        self._queue: queue.SimpleQueue[LogWrite | int | None] = queue.SimpleQueue()
        self._report: Callable[[Report], None] = lambda report: None
        self._thread: threading.Thread | None = None
        self._spare_thread: threading.Thread | None = None
        self._snapshot_threads: list[threading.Thread] = []
        self._stopping = False
        self._snapshot_lock = threading.Lock()
        self._failed = False
        """A write was begun and not finished."""
        self._log_lock = threading.Lock()
        """Held while the log is written to or segments are removed."""
        self.snapshot: SnapshotFile | None = None
        self.segment_count = 0

    def recover(self) -> Recovered:
        """Read what is durable. Raises DamagedLog, DamagedSnapshot, OSError."""
        started = time.monotonic()
        for leftover in self._log_directory.glob("*.tmp"):
            leftover.unlink(missing_ok=True)
        self.snapshot = newest_snapshot(self._snapshot_directory)
        meta = self.snapshot.meta if self.snapshot else _EMPTY
        scan, replay, size = wal.Scan(), Replay(), 0
        for batch in wal.read_batches(self._log_directory, scan):
            highest = replay.apply(batch.payload)
            batch.segment.last_index = max(batch.segment.last_index, highest)
            size += len(batch.payload)
        if replay.restarted_at is not None and replay.restarted_at > meta.index:
            raise wal.DamagedLog(
                f"{self._snapshot_directory} lacks the snapshot at {replay.restarted_at} that "
                f"the log goes on from. {wal.REPLACE_NODE}"
            )
        entries = replay.entries_behind(meta.index, meta.term)
        self._segments = scan.segments
        self._number = scan.number
        self._hard_state = replay.hard_state
        self._last_index = entries[-1].index if entries else meta.index
        if self._segments:
            self._descriptor = os.open(self._segments[-1].path, os.O_WRONLY)
            self._position = scan.end
        else:
            self._begin_segment(0)
        if not entries and not replay.ends_at(meta.index, meta.term):
            # The log ends elsewhere than the snapshot: new entries must not look like a gap.
            self._write_batch(restart_record(meta.index))
        self.segment_count = len(self._segments)
        elapsed = time.monotonic() - started
        return Recovered(replay.hard_state, self.snapshot, entries, scan.torn_bytes, elapsed, size)

    def start(self, report: Callable[[Report], None]) -> None:
        """Start the writer's thread."""
        self._report = report
        self._thread = threading.Thread(target=self._write_log, name="wal", daemon=True)
        self._thread.start()

    def write(self, write: LogWrite) -> None:
        """Store it in the writer's thread; ``Durable`` reports back."""
        self._queue.put(write)

    def write_now(self, write: LogWrite) -> Durable | None:
        """Store a write without a snapshot in the caller's thread: no change of threads.

        None, and nothing done, where that would wait for more than one sync: use ``write``.
        Raises OSError; then nothing may be written any more.
        """
        if not self._log_lock.acquire(blocking=False):
            return None
        try:
            if not self._queue.empty() or not self._fits(len(write.records)):
                return None
            return self._commit([write])
        finally:
            self._log_lock.release()

    def save_snapshot(self, meta: SnapshotMeta, pieces: Iterable[bytes]) -> None:
        """Save a snapshot in a thread of its own; then the log before it is removed."""
        thread = threading.Thread(
            target=self._save_snapshot, args=(meta, pieces), name="snapshot", daemon=True
        )
        self._snapshot_threads = [t for t in self._snapshot_threads if t.is_alive()] + [thread]
        thread.start()

    def stop(self) -> None:
        """Finish the writes handed over, give up an unfinished snapshot, end all threads."""
        self._stopping = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
        for thread in self._snapshot_threads:
            thread.join()
        if self._spare_thread is not None:
            self._spare_thread.join()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def waiting(self) -> int:
        """Writes handed over and not begun."""
        return self._queue.qsize()

    # --- the writer's thread -------------------------------------------------------------------

    def _write_log(self) -> None:
        try:
            while True:
                batch, last = self._take_waiting()
                if batch:
                    with self._log_lock:
                        durable = self._commit_group(batch)
                    self._report(durable)
                if last:
                    return
        except OSError as error:
            self._report(DiskFailed(log_failed(error)))

    def _take_waiting(self) -> tuple[list[LogWrite], bool]:
        writes: list[LogWrite] = []
        item = self._queue.get()
        while True:
            if item is None:
                return writes, True
            if isinstance(item, int):
                with self._log_lock:
                    self._remove_segments(item)
            else:
                writes.append(item)
                if item.snapshot is not None:
                    return writes, False
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return writes, False

    def _commit_group(self, writes: list[LogWrite]) -> Durable:
        snapshot = writes[-1].snapshot
        if snapshot is not None:
            if len(writes) > 1:
                self._report(self._commit(writes[:-1]))
            self._install(snapshot)
            writes = writes[-1:]
        return self._commit(writes)

    def _commit(self, writes: list[LogWrite]) -> Durable:
        for write in writes:
            self._last_index = max(self._last_index, write.last_index)
            if write.hard_state is not None:
                self._hard_state = write.hard_state
        records = b"".join([write.records for write in writes])
        seconds = self._write_batch(records) if records else 0.0
        return Durable(writes[-1].number, seconds, len(records), len(writes))

    def _install(self, snapshot: Snapshot) -> None:
        with self._snapshot_lock:
            file = save_snapshot(self._snapshot_directory, snapshot.meta, [snapshot.data])
            self.snapshot = file
        self._write_batch(restart_record(snapshot.meta.index))
        remove_older(self._snapshot_directory, file)
        self._remove_segments(snapshot.meta.index)

    def _write_batch(self, payload: bytes) -> float:
        """Write and sync one batch; the seconds that fdatasync took. Raises OSError."""
        if self._failed:
            raise OSError(errno.EIO, "an earlier write to the log failed")
        self._failed = True
        seconds = self._write_and_sync(payload)
        self._failed = False
        return seconds

    def _write_and_sync(self, payload: bytes) -> float:
        if not self._fits(len(payload)):
            self._begin_segment(wal.batch_size(len(payload)))
        segment = self._segments[-1]
        self._number += 1
        batch = memoryview(wal.encode_batch(segment.salt, self._number, payload))
        position = self._position
        while batch:
            written = os.pwrite(self._descriptor, batch, position)
            batch = batch[written:]
            position += written
        started = time.monotonic()
        os.fdatasync(self._descriptor)
        seconds = time.monotonic() - started
        self._position = position
        segment.last_index = max(segment.last_index, self._last_index)
        if position > segment.size // 2 and self._spare_thread is None:
            self._spare_thread = threading.Thread(
                target=self._prepare_spare, name="wal-spare", daemon=True
            )
            self._spare_thread.start()
        return seconds

    def _fits(self, size: int) -> bool:
        return self._position + wal.batch_size(size) <= self._segments[-1].size

    def _begin_segment(self, needed: int) -> None:
        """Go on in a new segment, which starts with the hard state so that it stands alone."""
        if self._spare_thread is not None:
            self._spare_thread.join()
            self._spare_thread = None
        first = hard_state_record(self._hard_state)
        needed += wal.batch_size(len(first)) + 4096
        spare = self._log_directory / "spare.tmp"
        usable = needed <= self._segment_size and spare.exists()
        size = max(self._segment_size, needed)
        sequence = self._segments[-1].sequence + 1 if self._segments else 1
        segment = wal.create_segment(self._log_directory, sequence, spare if usable else None, size)
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = os.open(segment.path, os.O_WRONLY)
        self._segments.append(segment)
        self._position = wal.FIRST_BATCH
        self.segment_count = len(self._segments)
        self._write_and_sync(first)

    def _prepare_spare(self) -> None:
        path = self._log_directory / "preparing.tmp"
        try:
            wal.fill_with_zeros(path, self._segment_size)
            path.rename(self._log_directory / "spare.tmp")
        except OSError:
            # The disk may be full: the writer will find out, and say so, if it needs the space.
            pass

    def _remove_segments(self, index: int) -> None:
        """Remove leading segments that hold nothing behind ``index``."""
        while len(self._segments) > 1 and self._segments[0].last_index <= index:
            self._segments.pop(0).path.unlink()
        self.segment_count = len(self._segments)

    # --- the snapshot's thread -----------------------------------------------------------------

    def _save_snapshot(self, meta: SnapshotMeta, pieces: Iterable[bytes]) -> None:
        try:
            with self._snapshot_lock:
                if self.snapshot is not None and self.snapshot.meta.index >= meta.index:
                    return
                file = save_snapshot(self._snapshot_directory, meta, self._until_stopped(pieces))
                self.snapshot = file
                remove_older(self._snapshot_directory, file)
        except _Stopped:
            return
        except OSError as error:
            self._report(DiskFailed(f"writing a snapshot failed: {error}"))
            return
        self._queue.put(meta.index)
        self._report(SnapshotSaved(file))

    def _until_stopped(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            if self._stopping:
                raise _Stopped
            yield piece


_EMPTY = SnapshotMeta(0, 0, Configuration(frozenset()))
