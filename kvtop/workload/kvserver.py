"""One replica: drives the Raft core, its disk, its peers and its state machine from the loop.

Everything that arrives in one turn of the loop shares one Ready: one AppendEntries per peer, one
group for the disk. A leader's entries leave before its own fdatasync; answers of a follower wait
for its own (``Ready.messages_after_sync``).
"""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from kvtop.workload.disk import Disk, Outcomes
from kvtop.workload.entries import EntryCodec
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
from kvtop.workload.persister import Persister, SnapshotSaved
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

MAX_PENDING = 50_000
"""Writes, and reads, that may wait; more are refused as OVERLOADED."""


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
        self.requests = 0
        self.machine = StateMachine()
        self.persister = Persister(options.directory, options.segment_size)
        self._loop = asyncio.get_running_loop()
        self._codec = EntryCodec()
        self.messages = MessageCodec(options.cluster, self._codec)
        self.peers = Peers(options.id, options.peers, options.cluster, self.messages)
        self.writes = PendingWrites()
        self.reads = PendingReads()
        self._proposals: list[tuple[bytes, Command, Respond]] = []
        self._drain_scheduled = False
        self._ticking: asyncio.TimerHandle | None = None
        self._next_tick = 0.0
        self.raft = self._recover()
        outcomes = Outcomes(self._durable, self._send_all, self._snapshot_saved, self._fail)
        self.disk = Disk(self.persister, self._codec, outcomes)
        self._soft_state = SoftState(Role.FOLLOWER, None, self.raft.term)

    def start(self) -> None:
        """Connect to the peers and let time pass."""
        self.disk.start()
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
        self.disk.stop()
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
        if self.disk.saving_snapshot or self.failure or applied <= known:
            return
        meta = self.raft.snapshot_meta(applied)
        self.disk.save_snapshot(meta, self.machine.snapshot_pieces())

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
            self.disk.store(ready)
        elif ready.messages_after_sync:
            self.disk.send_after(ready.messages_after_sync)
        if ready.committed:
            self._apply_committed(ready.committed)
        for state in ready.reads:
            self.reads.confirm(state)
        self.reads.serve(self.raft.applied_index)
        if ready.soft_state is not None:
            self._role_changed(ready.soft_state)

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
        written = self.disk.bytes_since_snapshot
        if snapshot is not None and written < snapshot.size:
            # A snapshot never costs more than the log that led to it.
            return False
        behind = self.raft.applied_index - (snapshot.meta.index if snapshot else 0)
        return behind >= self.options.snapshot_entries or written >= self.options.snapshot_bytes

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

    def _durable(self, number: int) -> None:
        self.raft.persisted(number)
        self._schedule_drain()

    def _snapshot_saved(self, report: SnapshotSaved) -> None:
        self.raft.compact(report.file.meta, report.file.size)

    def _fail(self, text: str) -> None:
        """Stop serving for good: what is on disk is no longer known."""
        if not self.failure:
            self._stop_serving(text)

    def _stop_serving(self, text: str) -> None:
        self.failure = self.failure or text
        self.serving = False
        self.disk.give_up()
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
        # Millions of small objects may come, none of them garbage: looking through them again
        # and again would take a third of the time.
        collects = gc.isenabled()
        gc.disable()
        try:
            recovered = self.persister.recover()
            self.recovered = recovered
            snapshot = recovered.snapshot
            if snapshot is not None:
                self.machine = StateMachine.from_snapshot(snapshot.read(0, snapshot.size))
        finally:
            if collects:
                gc.enable()
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


_OK = Result(status=OK).SerializeToString()
