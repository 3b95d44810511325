"""One replica: drives the Raft core, its disk, its peers and its state machine from the loop.

Everything that arrives in one turn of the loop shares one Ready: one AppendEntries per peer, one
group for the disk. A leader's entries leave before its own fdatasync; answers of a follower wait
for its own (``Ready.messages_after_sync``).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from kvtop.workload.entries import EntryCodec
from kvtop.workload.histogram import Histogram
from kvtop.workload.identity import Identity, remember
from kvtop.workload.peers import Address, Peers
from kvtop.workload.pending import (
    PendingRead,
    PendingReads,
    PendingWrite,
    PendingWrites,
    Read,
    Respond,
    not_leader,
)
from kvtop.workload.persister import (
    DiskFailed,
    Durable,
    LogWrite,
    Persister,
    Report,
    SnapshotSaved,
    log_failed,
)
from kvtop.workload.raft.core import Config, Raft, bootstrap
from kvtop.workload.raft.types import (
    ConfigChange,
    Entry,
    EntryKind,
    Message,
    NotLeader,
    Ready,
    Role,
    SnapshotMeta,
    SoftState,
)
from kvtop.workload.raft_messages import MessageCodec
from kvtop.workload.rpc.kv_pb2 import OK, OVERLOADED, UNAVAILABLE, Command, Result
from kvtop.workload.statemachine import StateMachine
from kvtop.workload.wal import SEGMENT_SIZE
from kvtop.workload.wal_records import entries_record, hard_state_record, truncate_record

MAX_PENDING = 50_000
"""Writes, and reads, that may wait; more are refused as OVERLOADED."""
SMALL_WRITE = 4
"""Entries up to which the loop itself writes and syncs: a change of threads would cost more."""
QUICK_SYNC = 0.01
"""Seconds; after a slower sync the loop leaves the disk to the thread for a while."""
SLOW_DISK_PAUSE = 1.0
"""Seconds of that while."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a replica needs to know. ``peers`` is the address book, itself included."""

    id: int
    peers: dict[int, Address]
    voters: tuple[int, ...]
    """Of a new cluster; empty for a node that joins one."""
    directory: Path
    cluster: int = 0
    tick: float = 0.01
    """Seconds."""
    election_ticks: int = 25
    heartbeat_ticks: int = 4
    snapshot_entries: int = 100_000
    """Entries between two snapshots."""
    segment_size: int = SEGMENT_SIZE
    """Bytes of a file of the log."""
    snapshot_bytes: int = 64 << 20
    """Log bytes between two snapshots."""


class KvServer:
    """One replica. All methods are called in its loop's thread."""

    def __init__(self, options: Options, on_change: Callable[[], None]) -> None:
        """``on_change`` is called after role, term, leader, readiness or failure changed.

        Raises DamagedLog, DamagedSnapshot, OSError, ValueError.
        """
        first = Identity(options.id, options.cluster, options.voters)
        known = remember(options.directory, first)
        options = replace(options, cluster=known.cluster, voters=known.voters)
        self.options = options
        self.on_change = on_change
        self.failure = ""
        self.serving = False
        """Whether this node leads and has committed an entry of its term."""
        self.elections = 0
        self.leader_changes = 0
        self.sync_times = _RecentTimes()
        self.syncs = 0
        self.wal_bytes = 0
        self.requests = 0
        self.snapshot_running = False
        self.machine = StateMachine()
        self.persister = Persister(options.directory, options.segment_size)
        self._loop = asyncio.get_running_loop()
        self._codec = EntryCodec()
        self.messages = MessageCodec(options.cluster, self._codec)
        self.peers = Peers(options.id, options.peers, options.cluster, self.messages)
        self.writes = PendingWrites()
        self.reads = PendingReads()
        self._proposals: list[tuple[bytes, Command, Respond]] = []
        self._unsynced: deque[tuple[int, tuple[Message, ...]]] = deque()
        self._drain_scheduled = False
        self._held: LogWrite | None = None
        """A small write that the loop does itself in its next turn."""
        self._disk_quick_from = 0.0
        self._ticking: asyncio.TimerHandle | None = None
        self._next_tick = 0.0
        self.raft = self._recover()
        self._bytes_since_snapshot = 0
        self._soft_state = SoftState(Role.FOLLOWER, None, self.raft.term)

    def start(self) -> None:
        """Connect to the peers and let time pass."""
        self.persister.start(self._report_from_thread)
        self.peers.start()
        self._next_tick = self._loop.time()
        if self.raft.term == 0:
            # Nobody leads a cluster that never ran: half a timeout is wait enough.
            for _ in range(self.options.election_ticks // 2):
                self.raft.tick()
        self._tick()

    async def stop(self) -> None:
        """Answer what waits, finish the disk's work, close."""
        if self._ticking is not None:
            self._ticking.cancel()
        self.on_change = lambda: None
        self._stop_serving("the node is stopping")
        self._give_held_to_thread()
        self.persister.stop()
        await self.peers.close()

    # --- requests ------------------------------------------------------------------------------

    def write(self, data: bytes, command: Command, respond: Respond) -> None:
        """Replicate a command (and its bytes); answer with its result once it is applied."""
        self.requests += 1
        if self._refuse(len(self.writes) + len(self._proposals), respond):
            return
        self._proposals.append((data, command, respond))
        self._schedule_drain()

    def read(self, read: Read, respond: Respond) -> None:
        """Answer with ``read()`` once it is certain to see every acknowledged write."""
        self.requests += 1
        if self._refuse(self.reads.count, respond):
            return
        if self.raft.role is not Role.LEADER:
            respond(not_leader(self.raft.leader))
            return
        self.reads.gather(PendingRead(read, respond))
        self._schedule_drain()

    def change_membership(self, change: ConfigChange, respond: Respond) -> None:
        """Change one member; answered when committed. Raises NotLeader, ChangeRefused."""
        index = self.raft.propose_config(change)
        self.writes.add(index, PendingWrite(self.raft.term, None, respond))
        self._schedule_drain()

    def transfer_leadership(self, to: int) -> None:
        """Begin to hand over. Raises NotLeader, ChangeRefused."""
        self.raft.transfer_leadership(to)
        self._schedule_drain()

    def step(self, message: Message) -> None:
        """A message of another node."""
        if not self.failure:
            self.raft.step(message)
            self._schedule_drain()

    def take_snapshot(self) -> None:
        """Save the state machine aside, unless that goes on already or nothing is new."""
        known = self.persister.snapshot.meta.index if self.persister.snapshot else 0
        applied = self.raft.applied_index
        if self.snapshot_running or self.failure or applied <= known:
            return
        self.snapshot_running = True
        self._bytes_since_snapshot = 0
        meta = self.raft.snapshot_meta(applied)
        self.persister.save_snapshot(meta, self.machine.snapshot_pieces())

    def _refuse(self, waiting: int, respond: Respond) -> bool:
        if self.failure:
            respond(Result(status=UNAVAILABLE, message=self.failure).SerializeToString())
        elif waiting >= MAX_PENDING:
            respond(Result(status=OVERLOADED).SerializeToString())
        else:
            return False
        return True

    # --- time ----------------------------------------------------------------------------------

    def _tick(self) -> None:
        if self.failure:
            return
        now = self._loop.time()
        # Time during which this process did not run is dropped: what piled up in its sockets
        # must be heard before a timeout is believed.
        self._next_tick = max(self._next_tick + self.options.tick, now + self.options.tick / 2)
        self._ticking = self._loop.call_at(self._next_tick, self._tick)
        self.raft.tick()
        self._schedule_drain()

    # --- the work of a Ready -------------------------------------------------------------------

    def _schedule_drain(self) -> None:
        if not self._drain_scheduled:
            self._drain_scheduled = True
            self._loop.call_soon(self._drain_ready)

    def _drain_ready(self) -> None:
        self._drain_scheduled = False
        if self.failure:
            return
        try:
            self._propose_gathered()
            self._start_read_round()
            while (ready := self.raft.ready()) is not None:
                self._handle_ready(ready)
        except Exception as error:
            self._fail(f"internal error: {type(error).__name__}: {error}")
            raise

    def _propose_gathered(self) -> None:
        """Append what this turn of the loop brought in one go."""
        if not self._proposals:
            return
        proposals, self._proposals = self._proposals, []
        raft = self.raft
        try:
            first = raft.propose([data for data, _, _ in proposals])
        except NotLeader as error:
            answer = not_leader(error.leader)
            for _, _, respond in proposals:
                respond(answer)
            return
        add, term = self.writes.add, raft.term
        for index, (_, command, respond) in enumerate(proposals, first):
            add(index, PendingWrite(term, command, respond))

    def _start_read_round(self) -> None:
        context = self.reads.next_round()
        if context is None:
            return
        try:
            self.raft.read_index(context)
        except NotLeader as error:
            self.reads.fail_unconfirmed(not_leader(error.leader))

    def _handle_ready(self, ready: Ready) -> None:
        self._send_all(ready.messages)
        if ready.snapshot is not None:
            self.machine = StateMachine.from_snapshot(ready.snapshot.data)
            self.raft.applied(ready.snapshot.meta.index)
        if ready.must_sync:
            self._store(ready)
        elif ready.messages_after_sync:
            if self._unsynced:
                self._unsynced.append((self._unsynced[-1][0], ready.messages_after_sync))
            else:
                self._send_all(ready.messages_after_sync)
        if ready.committed:
            self._apply_committed(ready.committed)
        for state in ready.reads:
            self.reads.confirm(state)
        self.reads.serve(self.raft.applied_index)
        if ready.soft_state is not None:
            self._role_changed(ready.soft_state)

    def _store(self, ready: Ready) -> None:
        """Hand to the disk what the Ready makes durable."""
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
        idle = not self._unsynced and self._loop.time() >= self._disk_quick_from
        self._unsynced.append((ready.number, ready.messages_after_sync))
        if small and idle:
            # In the next turn: by then this one's messages are on their way.
            self._held = write
            self._loop.call_soon(self._write_held)
        else:
            self.persister.write(write)

    def _give_held_to_thread(self) -> None:
        if self._held is not None:
            self.persister.write(self._held)
            self._held = None

    def _write_held(self) -> None:
        """Write and sync in the loop, unless the write went to the thread meanwhile."""
        write, self._held = self._held, None
        if write is None or self.failure:
            return
        try:
            durable = self.persister.write_now(write)
        except OSError as error:
            self._fail(log_failed(error))
            return
        if durable is None:
            self.persister.write(write)
            return
        if durable.seconds > QUICK_SYNC:
            self._disk_quick_from = self._loop.time() + SLOW_DISK_PAUSE
        self._synced(durable)

    def _apply_committed(self, entries: tuple[Entry, ...]) -> None:
        machine = self.machine
        take = self.writes.take
        for index, term, kind, data in entries:
            ours = take(index, term)
            if kind is EntryKind.NORMAL:
                if ours is None or ours.command is None:
                    machine.apply_data(data)
                else:
                    ours.respond(machine.apply_command(ours.command))
            else:
                if ours is not None:
                    ours.respond(_OK)
                if term == self.raft.term and self.raft.role is Role.LEADER:
                    self._now_serving()
        self.raft.applied(entries[-1].index)
        if self._is_snapshot_due():
            self.take_snapshot()

    def _is_snapshot_due(self) -> bool:
        snapshot = self.persister.snapshot
        if snapshot is not None and self._bytes_since_snapshot < snapshot.size:
            # A snapshot never costs more than the log that led to it.
            return False
        behind = self.raft.applied_index - (snapshot.meta.index if snapshot else 0)
        return (
            behind >= self.options.snapshot_entries
            or self._bytes_since_snapshot >= self.options.snapshot_bytes
        )

    def _send_all(self, messages: tuple[Message, ...]) -> None:
        for message in messages:
            if not self.peers.send(message):
                self.raft.report_unreachable(message.receiver)

    def _role_changed(self, state: SoftState) -> None:
        before, self._soft_state = self._soft_state, state
        leading = state.role is Role.LEADER
        self.writes.fail_other_terms(state.term if leading else None, "the leader changed")
        if not leading:
            self.serving = False
            self.reads.fail_unconfirmed(not_leader(state.leader))
        if state.role is Role.CANDIDATE and before.role is not Role.CANDIDATE:
            self.elections += 1
        if state.leader is not None and state.leader != before.leader:
            self.leader_changes += 1
        self.on_change()

    def _now_serving(self) -> None:
        if not self.serving:
            self.serving = True
            self.on_change()

    # --- the disk ------------------------------------------------------------------------------

    def _report_from_thread(self, report: Report) -> None:
        try:
            self._loop.call_soon_threadsafe(self._disk_reported, report)
        except RuntimeError:
            pass  # the loop has ended; nobody waits for this any more

    def _disk_reported(self, report: Report) -> None:
        if isinstance(report, Durable):
            self._synced(report)
        elif isinstance(report, SnapshotSaved):
            self.snapshot_running = False
            self.raft.compact(report.file.meta, report.file.size)
        elif isinstance(report, DiskFailed):
            self._fail(report.text)

    def _synced(self, report: Durable) -> None:
        self.sync_times.add(report.seconds)
        self.syncs += 1
        self.wal_bytes += report.size
        self._bytes_since_snapshot += report.size
        if self.failure:
            return
        self.raft.persisted(report.number)
        while self._unsynced and self._unsynced[0][0] <= report.number:
            self._send_all(self._unsynced.popleft()[1])
        self._schedule_drain()

    def _fail(self, text: str) -> None:
        """Stop serving for good: what is on disk is no longer known."""
        if not self.failure:
            self._stop_serving(text)

    def _stop_serving(self, text: str) -> None:
        self.failure = self.failure or text
        self.serving = False
        unavailable = Result(status=UNAVAILABLE, message=text).SerializeToString()
        for _, _, respond in self._proposals:
            respond(unavailable)
        self._proposals.clear()
        self.writes.fail_other_terms(None, text)
        self.reads.fail_unconfirmed(unavailable)
        self.on_change()

    # --- recovery ------------------------------------------------------------------------------

    def _recover(self) -> Raft:
        options = self.options
        recovered = self.persister.recover()
        self.recovered = recovered
        snapshot = recovered.snapshot
        if snapshot is not None:
            self.machine = StateMachine.from_snapshot(snapshot.read(0, snapshot.size))
        return Raft(
            Config(
                options.id,
                election_ticks=options.election_ticks,
                heartbeat_ticks=options.heartbeat_ticks,
                keep_entries=min(10_000, options.snapshot_entries),
            ),
            random.Random(),
            recovered.hard_state,
            snapshot.meta if snapshot is not None else bootstrap(options.voters),
            recovered.entries,
            snapshot.size if snapshot is not None else 0,
            self._read_snapshot,
        )

    def _read_snapshot(self, meta: SnapshotMeta, offset: int, size: int) -> bytes | None:
        file = self.persister.snapshot
        if file is None or file.meta != meta:
            return None
        try:
            return file.read(offset, size)
        except OSError:
            return None


class _RecentTimes:
    """Durations of the last 5 to 10 seconds, in two histograms that take turns."""

    def __init__(self, span: float = 5.0) -> None:
        self._span = span
        self._current = Histogram()
        self._previous = Histogram()
        self._since = time.monotonic()

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self._turn()
        self._current.add(seconds)

    def merged(self) -> Histogram:
        """Both histograms in one."""
        self._turn()
        result = Histogram()
        result.merge(self._previous)
        result.merge(self._current)
        return result

    def _turn(self) -> None:
        now = time.monotonic()
        if now - self._since >= self._span:
            stale = now - self._since >= 2 * self._span
            self._previous = Histogram() if stale else self._current
            self._current = Histogram()
            self._since = now


_OK = Result(status=OK).SerializeToString()
