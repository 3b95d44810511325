"""One Raft node without sockets, files, clocks or seeds of its own.

The caller feeds ``tick``, ``step``, ``propose`` and ``read_index``, then drains ``ready`` and does
what each ``Ready`` says. Calls are cheap: entries proposed and messages received between two
calls of ``ready`` share one AppendEntries per peer, one write and one round of heartbeats.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from kvtop.workload.raft.base import SnapshotReader, bootstrap
from kvtop.workload.raft.config import Config
from kvtop.workload.raft.election import ElectionRules
from kvtop.workload.raft.follower import FollowerRules
from kvtop.workload.raft.leader import LeaderRules
from kvtop.workload.raft.membership import changed, encode_configuration
from kvtop.workload.raft.progress import ProgressState
from kvtop.workload.raft.types import (
    AppendEntries,
    AppendEntriesReply,
    ChangeRefused,
    ConfigChange,
    Entry,
    EntryKind,
    HardState,
    Heartbeat,
    HeartbeatReply,
    InstallSnapshot,
    InstallSnapshotReply,
    Message,
    NotLeader,
    PreVote,
    PreVoteReply,
    ReadState,
    Ready,
    Role,
    SnapshotMeta,
    SoftState,
    TimeoutNow,
    Vote,
    VoteReply,
)

__all__ = ["Config", "Raft", "SnapshotReader", "bootstrap"]

_FROM_LEADER = (AppendEntries, Heartbeat, InstallSnapshot)
_TO_LEADER = (AppendEntriesReply, HeartbeatReply, InstallSnapshotReply)


class Raft(ElectionRules, FollowerRules, LeaderRules):
    """One node of a cluster. Not thread-safe: one thread makes all calls."""

    def __init__(
        self,
        config: Config,
        rng: random.Random,
        hard_state: HardState,
        snapshot: SnapshotMeta,
        entries: Sequence[Entry] = (),
        snapshot_size: int = 0,
        read_snapshot: SnapshotReader | None = None,
    ) -> None:
        """Start from what is durable: the newest ``snapshot`` and the stored ``entries``.

        A node that never ran takes ``HardState()`` and ``bootstrap(voters)``. ``read_snapshot``
        and ``snapshot_size`` serve peers that lag behind the log. Entries that the snapshot
        replaces are dropped (``log.entries_after``): the caller's log must drop the same.
        """
        super().__init__(config, rng, hard_state, snapshot, entries, snapshot_size, read_snapshot)
        self._number = 0
        self._given_hard_state = hard_state
        self._given_soft_state: SoftState | None = None
        self._handlers: dict[type[Message], Callable[[Any], None]] = {
            PreVote: self._on_pre_vote,
            PreVoteReply: self._on_pre_vote_reply,
            Vote: self._on_vote,
            VoteReply: self._on_vote_reply,
            AppendEntries: self._on_append,
            AppendEntriesReply: self._on_append_reply,
            Heartbeat: self._on_heartbeat,
            HeartbeatReply: self._on_heartbeat_reply,
            InstallSnapshot: self._on_install_snapshot,
            InstallSnapshotReply: self._on_install_snapshot_reply,
            TimeoutNow: self._on_timeout_now,
        }

    # --- what the caller asks ------------------------------------------------------------------

    @property
    def commit_index(self) -> int:
        """The highest index known to be committed."""
        return self.log.committed

    @property
    def last_index(self) -> int:
        """Index of the newest entry in the log."""
        return self.log.last_index

    @property
    def persisted_index(self) -> int:
        """Entries up to here are durable on this node."""
        return self.log.persisted

    @property
    def pending_reads(self) -> int:
        """Reads that wait for their round of heartbeats."""
        return self._reads.pending

    # --- what the caller feeds -----------------------------------------------------------------

    def tick(self) -> None:
        """One unit of time has passed."""
        if self.role is Role.LEADER:
            self._tick_leader()
        else:
            self._tick_election()

    def step(self, message: Message) -> None:
        """A message arrived; any may come late, twice, or never."""
        if message.term != self.term and not self._enter_term_of(message):
            return
        if isinstance(message, _TO_LEADER) and self.role is not Role.LEADER:
            return
        self._handlers[type(message)](message)

    def propose(self, data: bytes | Sequence[bytes]) -> int:
        """Append one entry, or several in order; the index of the first.

        The caller keeps ``term`` with the index: the entry is done when an entry of that term
        comes back in ``Ready.committed`` at that index. Raises NotLeader.
        """
        self._check_leading()
        return self._append(EntryKind.NORMAL, (data,) if isinstance(data, bytes) else data)

    def read_index(self, context: int) -> None:
        """Ask for a linearizable read; ``Ready.reads`` answers with ``context``. NotLeader."""
        if self.role is not Role.LEADER:
            raise NotLeader(self.leader)
        self._reads.add(context)

    def propose_config(self, change: ConfigChange) -> int:
        """Append a membership change; its index. Raises NotLeader and ChangeRefused."""
        self._check_leading()
        if self._configs.current_index > self.log.committed:
            raise ChangeRefused("another change is not committed yet")
        if not self._is_committed_in_term():
            # Without this two leaders' changes could have disjoint majorities (Ongaro, 2015).
            raise ChangeRefused("this leader has not committed an entry of its term yet")
        config = changed(self.configuration, change)
        index = self._append(EntryKind.CONFIG, (encode_configuration(config),))
        self._configs.extend(self.log.entries_between(index, index))
        self._update_peers(index)
        return index

    def transfer_leadership(self, to: int) -> None:
        """Hand over to voter ``to`` once it has the whole log; given up after T ticks.

        Until then proposals are refused with ``to`` as the hint. NotLeader, ChangeRefused.
        """
        self._check_leading()
        if to == self.id or to not in self.configuration.voters:
            raise ChangeRefused(f"node {to} is not another voter")
        self._transferee = to
        self._transfer_elapsed = 0
        if self.peers[to].match == self.log.last_index:
            self._send(TimeoutNow(self.id, to, self.term))

    def report_unreachable(self, node: int) -> None:
        """What was sent to ``node`` is probably lost (its connection broke)."""
        progress = self.peers.get(node)
        if progress is not None and progress.state is ProgressState.REPLICATE:
            progress.to_probe(progress.match + 1)

    def persisted(self, number: int) -> None:
        """All Readys up to ``number`` are durable (there may be newer ones under way)."""
        index = self._writes.done(number)
        if index is not None and index > self.log.persisted:
            self.log.persisted = index
            if self.role is Role.LEADER:
                self._maybe_commit()
        self._count_own_vote()

    def applied(self, index: int) -> None:
        """The state machine has applied all entries up to ``index``."""
        self.applied_index = index

    def snapshot_meta(self, index: int) -> SnapshotMeta:
        """What a snapshot at applied ``index`` must record; ValueError if it is compacted away."""
        term = self.log.term_at(index)
        if term is None or index > self.applied_index:
            raise ValueError(f"no snapshot can be taken at {index}")
        return SnapshotMeta(index, term, self._configs.at(index))

    def compact(self, meta: SnapshotMeta, size: int) -> int:
        """A snapshot is durable, ``size`` bytes long: forget the entries that it replaces.

        The newest ``keep_entries`` of them stay for peers that are a little late, and so does
        what is not yet durable in the log. Returns the last index that was forgotten.
        """
        if meta.index > self._snapshot.index:
            self._snapshot = meta
            self._snapshot_size = size
            cut = min(meta.index - self.config.keep_entries, self.log.persisted)
            if cut > self.log.snapshot_index:
                self.log.compact(cut)
                self._configs.compact(cut)
        return self.log.snapshot_index

    # --- what the caller gets ------------------------------------------------------------------

    def ready(self) -> Ready | None:
        """The next round of work, or None. Call again until it is None."""
        reads: tuple[ReadState, ...] = ()
        if self.role is Role.LEADER:
            self._broadcast_appends()
            self._start_read_round()
            reads = tuple(self._reads.take_confirmed(self.configuration.voters))
        truncate_from, entries = self.log.take_unstable()
        committed = self.log.take_committed(self.config.max_committed_per_ready)
        hard_state = self._changed_hard_state()
        soft_state = self._changed_soft_state()
        snapshot, self._received = self._received, None
        now, self._now = self._now, []
        after_sync, self._after_sync = self._after_sync, []
        must_sync = bool(entries) or bool(hard_state or snapshot) or truncate_from is not None
        if not (must_sync or now or after_sync or committed or reads or soft_state):
            return None
        self._number += 1
        if must_sync:
            self._writes.add(self._number, self.log.last_index, self._given_hard_state)
        return Ready(
            self._number,
            soft_state,
            hard_state,
            snapshot,
            truncate_from,
            entries,
            tuple(now),
            tuple(after_sync),
            committed,
            reads,
        )

    def _changed_hard_state(self) -> HardState | None:
        given = self._given_hard_state
        if given.term == self.term and given.vote == self.vote:
            return None
        self._given_hard_state = self.hard_state
        return self._given_hard_state

    def _changed_soft_state(self) -> SoftState | None:
        given = self._given_soft_state
        if (
            given is not None
            and given.role is self.role
            and given.leader == self.leader
            and given.term == self.term
        ):
            return None
        self._given_soft_state = SoftState(self.role, self.leader, self.term)
        return self._given_soft_state

    # --- terms ---------------------------------------------------------------------------------

    def _check_leading(self) -> None:
        if self.role is not Role.LEADER:
            raise NotLeader(self.leader)
        if self._transferee is not None:
            raise NotLeader(self._transferee)

    def _enter_term_of(self, message: Message) -> bool:
        """Figure 2, all servers: a higher term makes a follower. False: drop the message."""
        if isinstance(message, PreVote) or (isinstance(message, PreVoteReply) and message.granted):
            return True
        if message.term < self.term:
            self._answer_old_term(message)
            return False
        if isinstance(message, Vote) and not message.transfer and self._hears_leader():
            return False
        leader = message.sender if isinstance(message, _FROM_LEADER) else None
        self._become_follower(message.term, leader)
        return True

    def _answer_old_term(self, message: Message) -> None:
        """Tell the sender of the newer term, so that it steps down or asks anew."""
        if isinstance(message, _FROM_LEADER):
            self._send(AppendEntriesReply(self.id, message.sender, self.term, False, 0))
        elif isinstance(message, Vote):
            self._send(VoteReply(self.id, message.sender, self.term, False))
