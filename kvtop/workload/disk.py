"""The disk as the loop sees it: writes on their way, what may leave only after them, sync times.

A small write on an idle disk is written and synced in the loop itself, any other one by the
persister's thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kvtop.workload.entries import EntryCodec
from kvtop.workload.histogram import RecentTimes
from kvtop.workload.persister import (
    DiskFailed,
    Durable,
    LogWrite,
    Persister,
    Report,
    SnapshotSaved,
    log_failed,
)
from kvtop.workload.raft.types import Message, Ready, SnapshotMeta
from kvtop.workload.wal_records import entries_record, hard_state_record, truncate_record

SMALL_WRITE = 4
"""Entries up to which the loop itself writes and syncs: a change of threads would cost more."""
QUICK_SYNC = 0.01
"""Seconds; after a slower sync the loop leaves the disk to the thread for a while."""
SLOW_DISK_PAUSE = 1.0
"""Seconds of that while."""

Messages = tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Where the disk reports, in the loop."""

    durable: Callable[[int], None]
    """All Readies up to this number."""
    send: Callable[[Messages], None]
    """Messages that were held back until then."""
    snapshot_saved: Callable[[SnapshotSaved], None]
    failed: Callable[[str], None]
    """A sentence; nothing is durable from here on."""


class Disk:
    """All methods are called in the loop's thread."""

    def __init__(self, persister: Persister, codec: EntryCodec, outcomes: Outcomes) -> None:
        """The persister has recovered."""
        self.times = RecentTimes()
        """Of fdatasync."""
        self.syncs = 0
        self.bytes_written = 0
        self.bytes_since_snapshot = 0
        self.saving_snapshot = False
        self._persister = persister
        self._codec = codec
        self._outcomes = outcomes
        self._loop = asyncio.get_running_loop()
        self._unsynced: deque[tuple[int, Messages]] = deque()
        self._held: LogWrite | None = None
        """A small write that the loop does itself in its next turn."""
        self._quick_from = 0.0
        self._given_up = False

    def start(self) -> None:
        """From now on writes are taken."""
        self._persister.start(self._report_from_thread)

    def give_up(self) -> None:
        """Report nothing any more: the node serves no longer."""
        self._given_up = True

    def stop(self) -> None:
        """Finish the writes handed over."""
        self._give_held_to_thread()
        self._persister.stop()

    def store(self, ready: Ready) -> None:
        """Make durable what the Ready says; its messages of after the sync leave then."""
        records = []
        last = 0
        if ready.hard_state is not None:
            records.append(hard_state_record(ready.hard_state))
        if ready.truncate_from is not None:
            records.append(truncate_record(ready.truncate_from))
        if ready.entries:
            first, last = ready.entries[0].index, ready.entries[-1].index
            packed = self._codec.pack(ready.entries)
            records.append(entries_record(first, len(ready.entries), packed))
        self._give_held_to_thread()
        write = LogWrite(ready.number, b"".join(records), last, ready.hard_state, ready.snapshot)
        small = len(ready.entries) <= SMALL_WRITE and ready.snapshot is None
        idle = not self._unsynced and self._loop.time() >= self._quick_from
        self._unsynced.append((ready.number, ready.messages_after_sync))
        if small and idle:
            # In the next turn: by then this one's messages are on their way.
            self._held = write
            self._loop.call_soon(self._write_held)
        else:
            self._persister.write(write)

    def send_after(self, messages: Messages) -> None:
        """Send when all that was stored so far is durable: now, if nothing is on its way."""
        if self._unsynced:
            self._unsynced.append((self._unsynced[-1][0], messages))
        else:
            self._outcomes.send(messages)

    def save_snapshot(self, meta: SnapshotMeta, pieces: Iterable[bytes]) -> None:
        """Begin to save a snapshot aside."""
        self.saving_snapshot = True
        self.bytes_since_snapshot = 0
        self._persister.save_snapshot(meta, pieces)

    def _give_held_to_thread(self) -> None:
        if self._held is not None:
            self._persister.write(self._held)
            self._held = None

    def _write_held(self) -> None:
        """Write and sync in the loop, unless the write went to the thread meanwhile."""
        write, self._held = self._held, None
        if write is None or self._given_up:
            return
        try:
            durable = self._persister.write_now(write)
        except OSError as error:
            self._outcomes.failed(log_failed(error))
            return
        if durable is None:
            self._persister.write(write)
            return
        if durable.seconds > QUICK_SYNC:
            self._quick_from = self._loop.time() + SLOW_DISK_PAUSE
        self._synced(durable)

    def _report_from_thread(self, report: Report) -> None:
        try:
            self._loop.call_soon_threadsafe(self._reported, report)
        except RuntimeError:
            pass  # the loop has ended; nobody waits for this any more

    def _reported(self, report: Report) -> None:
        if isinstance(report, Durable):
            self._synced(report)
        elif isinstance(report, SnapshotSaved):
            self.saving_snapshot = False
            self._outcomes.snapshot_saved(report)
        elif isinstance(report, DiskFailed):
            self._outcomes.failed(report.text)

    def _synced(self, report: Durable) -> None:
        self.times.add(report.seconds)
        self.syncs += 1
        self.bytes_written += report.size
        self.bytes_since_snapshot += report.size
        if self._given_up:
            return
        self._outcomes.durable(report.number)
        while self._unsynced and self._unsynced[0][0] <= report.number:
            self._outcomes.send(self._unsynced.popleft()[1])
