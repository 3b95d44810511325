"""One simulated process: a Raft core, a machine and a disk, driven as the real node does it."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from kvtop.workload.raft.core import Config, Raft
from kvtop.workload.raft.types import (
    Entry,
    Message,
    NotLeader,
    ReadState,
    Ready,
    Role,
    Snapshot,
    SnapshotMeta,
)
from tests.sim.disk import Disk
from tests.sim.machine import Machine, Result
from tests.sim.parameters import TICK

if TYPE_CHECKING:
    from tests.sim.cluster import Cluster

Reply = Callable[[bool, Result], None]
"""(whether it was done for sure, its result). Not done for sure means it may happen yet."""


class Node:
    """A process that can crash, come back with what its disk kept, and be paused."""

    def __init__(self, cluster: Cluster, id: int, meta: SnapshotMeta) -> None:
        self.cluster = cluster
        self.id = id
        self.disk = Disk(meta)
        self.disk_delay = cluster.parameters.disk
        self.tick_interval = TICK
        self.incarnation = 0
        self.up = False
        self._rng = random.Random(f"node {id} of {cluster.seed}")
        self._backlog: list[Callable[[], None]] | None = None
        self.start()

    @property
    def is_paused(self) -> bool:
        """Whether the process is stopped; what comes meanwhile waits."""
        return self._backlog is not None

    def start(self) -> None:
        """Start from what the disk holds."""
        parameters = self.cluster.parameters
        self.incarnation += 1
        self.up = True
        disk = self.disk
        self.raft: Raft = self.cluster.raft_class(
            Config(
                self.id,
                parameters.election_ticks,
                parameters.heartbeat_ticks,
                parameters.pre_vote,
                parameters.check_quorum,
                max_message_entries=parameters.max_message_entries,
                max_message_bytes=parameters.max_message_bytes,
                max_inflight_messages=parameters.max_inflight_messages,
                snapshot_chunk_bytes=parameters.snapshot_chunk_bytes,
                keep_entries=parameters.keep_entries,
            ),
            random.Random(self._rng.random()),
            disk.hard_state,
            disk.snapshot.meta,
            disk.entries,
            len(disk.snapshot.data),
            self._read_snapshot,
        )
        self.machine = Machine()
        self.machine.load(disk.snapshot.data)
        self._syncing = False
        self._saving = False
        self._to_apply: deque[Entry | Snapshot] = deque()
        self._writes: dict[int, tuple[int, Reply]] = {}
        self._reads: dict[int, tuple[str, Reply]] = {}
        self._confirmed: list[ReadState] = []
        self._next_context = 0
        self._later(self._rng.randrange(TICK), self._tick)

    def crash(self, surviving: int) -> None:
        """Lose everything but what is durable and the ``surviving`` oldest queued writes."""
        self.up = False
        self._backlog = None
        self.incarnation += 1
        self.disk.crash(surviving)

    def pause(self) -> None:
        """Stop as SIGSTOP does."""
        self._backlog = []

    def resume(self) -> None:
        """Go on, and find all that came meanwhile."""
        backlog, self._backlog = self._backlog or [], None
        for action in backlog:
            if self._backlog is None:
                action()

    def deliver(self, message: Message) -> None:
        """A message arrives."""
        self._do(lambda: self.raft.step(message))

    def call(self, action: Callable[[Raft], object]) -> None:
        """Let an outsider (a test, the nemesis) use the core, then do what follows from it."""
        self._do(lambda: action(self.raft))

    def write(self, data: bytes, reply: Reply) -> None:
        """A client's write."""

        def propose() -> None:
            try:
                index = self.raft.propose(data)
            except NotLeader:
                reply(False, None)
                return
            self._writes[index] = (self.raft.term, reply)

        self._do(propose)

    def read(self, key: str, reply: Reply) -> None:
        """A client's linearizable read."""

        def ask() -> None:
            self._next_context += 1
            try:
                self.raft.read_index(self._next_context)
            except NotLeader:
                reply(False, None)
                return
            self._reads[self._next_context] = (key, reply)

        self._do(ask)

    # --- the loop of a real node ---------------------------------------------------------------

    def _do(self, action: Callable[[], object]) -> None:
        if not self.up:
            return
        if self._backlog is not None:
            incarnation = self.incarnation

            def act() -> None:
                if incarnation == self.incarnation:
                    self._do(action)

            self._backlog.append(act)
            return
        action()
        self._drain()
        self.cluster.check(self)

    def _later(self, delay: int, action: Callable[[], None]) -> None:
        """Do ``action`` in this incarnation after a delay."""
        incarnation = self.incarnation

        def act() -> None:
            if incarnation == self.incarnation:
                self._do(action)

        self.cluster.after(delay, act)

    def _tick(self) -> None:
        self.raft.tick()
        self._later(self.tick_interval, self._tick)

    def _drain(self) -> None:
        while (ready := self.raft.ready()) is not None:
            self._handle(ready)

    def _handle(self, ready: Ready) -> None:
        if ready.soft_state is not None:
            self._fail_requests()
        self.cluster.send(ready.messages)
        if ready.must_sync or ready.messages_after_sync:
            self.disk.write(ready)
            self._synchronise()
        if ready.snapshot is not None:
            self._to_apply.append(ready.snapshot)
        self._to_apply += ready.committed
        self._confirmed += ready.reads
        if self._to_apply or self._confirmed:
            delay = self.cluster.parameters.apply_delay
            if delay:
                self._later(self._rng.randrange(delay), self._apply)
            else:
                self._apply()

    def _synchronise(self) -> None:
        if not self._syncing and self.disk.queue:
            self._syncing = True
            count = len(self.disk.queue)
            writes = any(ready.must_sync for ready in self.disk.queue)
            delay = self._rng.randint(*self.disk_delay) if writes else 0
            self._later(delay, lambda: self._synchronised(count))

    def _synchronised(self, count: int) -> None:
        self._syncing = False
        for ready in self.disk.synchronise(count):
            self.raft.persisted(ready.number)
            self.cluster.send(ready.messages_after_sync)
        self._synchronise()

    def _apply(self) -> None:
        while self._to_apply:
            item = self._to_apply.popleft()
            if isinstance(item, Snapshot):
                self.machine.load(item.data)
                self.cluster.restored(self)
            else:
                result = self.machine.apply(item)
                self.cluster.applied(self, item)
                term, reply = self._writes.pop(item.index, (0, None))
                if reply is not None:
                    reply(term == item.term, result)
        self.raft.applied(self.machine.applied)
        self._serve_reads()
        self._maybe_save_snapshot()

    def _serve_reads(self) -> None:
        waiting = []
        for read in self._confirmed:
            if read.context not in self._reads:
                continue
            if read.index <= self.machine.applied:
                key, reply = self._reads.pop(read.context)
                reply(True, self.machine.values.get(key))
            else:
                waiting.append(read)
        self._confirmed = waiting

    def _fail_requests(self) -> None:
        """The core forgets what it was asked in another role or term."""
        requests = [reply for _, reply in (*self._writes.values(), *self._reads.values())]
        self._writes, self._reads = {}, {}
        for reply in requests:
            reply(False, None)

    def _maybe_save_snapshot(self) -> None:
        applied = self.machine.applied
        every = self.cluster.parameters.snapshot_every
        if self._saving or applied - self.disk.snapshot.meta.index < every:
            return
        self._saving = True
        snapshot = Snapshot(self.raft.snapshot_meta(applied), self.machine.dump())

        def save() -> None:
            self._saving = False
            self.disk.save_snapshot(snapshot)
            self.raft.compact(snapshot.meta, len(snapshot.data))

        self._later(self._rng.randint(*self.disk_delay) * 3, save)

    def _read_snapshot(self, meta: SnapshotMeta, offset: int, size: int) -> bytes | None:
        snapshot = self.disk.snapshot
        return snapshot.data[offset : offset + size] if snapshot.meta == meta else None

    @property
    def is_leader(self) -> bool:
        """Whether it is up and thinks that it leads."""
        return self.up and self.raft.role is Role.LEADER
