"""State that all roles share, the outbox, and the changes of role."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from kvtop.workload.raft.config import Config
from kvtop.workload.raft.durability import PendingWrites
from kvtop.workload.raft.log import RaftLog, entries_after
from kvtop.workload.raft.membership import ConfigHistory
from kvtop.workload.raft.progress import Progress
from kvtop.workload.raft.readonly import ReadRounds
from kvtop.workload.raft.snapshots import Assembly
from kvtop.workload.raft.types import (
    Configuration,
    Entry,
    EntryKind,
    HardState,
    Message,
    PreVote,
    Role,
    Snapshot,
    SnapshotMeta,
)

SnapshotReader = Callable[[SnapshotMeta, int, int], bytes | None]
"""(snapshot, offset, size) -> that part of its bytes, or None if the snapshot is gone."""


def bootstrap(voters: Sequence[int], learners: Sequence[int] = ()) -> SnapshotMeta:
    """The empty log of a new cluster. A node that joins one starts from ``bootstrap(())``."""
    return SnapshotMeta(0, 0, Configuration(frozenset(voters), frozenset(learners)))


class RaftBase:
    """What the rules of elections, followers and leaders work on."""

    def __init__(
        self,
        config: Config,
        rng: random.Random,
        hard_state: HardState,
        snapshot: SnapshotMeta,
        entries: Sequence[Entry],
        snapshot_size: int,
        read_snapshot: SnapshotReader | None,
    ) -> None:
        self.config = config
        self.id = config.id
        self.term = hard_state.term
        self.vote = hard_state.vote
        self.role = Role.FOLLOWER
        self.leader: int | None = None
        entries = entries_after(snapshot, entries)
        self.log = RaftLog(snapshot.index, snapshot.term, entries)
        self.applied_index = snapshot.index
        self._rng = rng
        self._configs = ConfigHistory(snapshot.index, snapshot.config, entries)
        self._writes = PendingWrites(hard_state)
        # The newest durable snapshot that can be sent to a peer, and its size.
        self._snapshot = snapshot
        self._snapshot_size = snapshot_size
        self._read_snapshot = read_snapshot
        # A snapshot that just arrived, for the next Ready; one that is still arriving.
        self._received: Snapshot | None = None
        self._assembly: Assembly | None = None
        self._now: list[Message] = []
        self._after_sync: list[Message] = []
        self._votes: dict[int, bool] = {}
        self._election_elapsed = 0
        self._election_timeout = 0
        # Leader only.
        self.peers: dict[int, Progress] = {}
        self._reads = ReadRounds()
        self._heartbeat_elapsed = 0
        self._transferee: int | None = None
        self._transfer_elapsed = 0
        self._reset_election_timer()

    @property
    def configuration(self) -> Configuration:
        """The newest configuration in the log, committed or not."""
        return self._configs.current

    @property
    def hard_state(self) -> HardState:
        """Term and vote now; they may not be durable yet."""
        return HardState(self.term, self.vote)

    def _send(self, message: Message, after_sync: bool = False) -> None:
        """Queue a message. None may speak of a term or a vote that a crash could take back."""
        if after_sync or not (self._is_hard_state_durable() or isinstance(message, PreVote)):
            self._after_sync.append(message)
        else:
            self._now.append(message)

    def _is_hard_state_durable(self) -> bool:
        durable = self._writes.hard_state
        return durable.term == self.term and durable.vote == self.vote

    def _reset_election_timer(self) -> None:
        ticks = self.config.election_ticks
        self._election_elapsed = 0
        self._election_timeout = self._rng.randrange(ticks, 2 * ticks)

    def _become_follower(self, term: int, leader: int | None) -> None:
        """Follow ``leader`` (None: not known yet) in ``term``, which never falls."""
        if term > self.term:
            self.term = term
            self.vote = None
        self._leave_role(Role.FOLLOWER, leader)

    def _leave_role(self, role: Role, leader: int | None) -> None:
        self.role = role
        self.leader = leader
        self._votes = {}
        self.peers = {}
        self._reads = ReadRounds()
        self._transferee = None
        self._reset_election_timer()

    def _become_leader(self) -> None:
        """Lead this term: Figure 2 "upon election", with a no-op that can be committed."""
        self._leave_role(Role.LEADER, self.id)
        self._heartbeat_elapsed = 0
        self._update_peers(self._append(EntryKind.NOOP, (b"",)))

    def _update_peers(self, next_index: int) -> None:
        """Make ``peers`` follow the configuration; new ones are probed from ``next_index`` down."""
        others = self.configuration.members - {self.id}
        for node in [node for node in self.peers if node not in others]:
            del self.peers[node]
        for node in sorted(others - self.peers.keys()):
            self.peers[node] = Progress(next_index)

    def _append(self, kind: EntryKind, batch: Sequence[bytes]) -> int:
        """Append to the leader's own log; the index of the first new entry."""
        first = self.log.last_index + 1
        term = self.term
        self.log.append([Entry(index, term, kind, data) for index, data in enumerate(batch, first)])
        return first

    def _truncate_from(self, index: int) -> None:
        self.log.truncate_from(index)
        self._writes.truncate_from(index)
        self._configs.truncate_from(index)
