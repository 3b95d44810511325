"""Known Raft mistakes, one class each: the correct core with one rule broken.

The simulator has to find every one of them; test_planted_bugs.py holds it to that.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from kvtop.workload.raft.core import Raft
from kvtop.workload.raft.quorum import quorum_index
from kvtop.workload.raft.types import (
    AppendEntries,
    AppendEntriesReply,
    ConfigChange,
    EntryKind,
    HardState,
    InstallSnapshot,
    Message,
    PreVote,
    Ready,
    Role,
    Vote,
    VoteReply,
)
from tests.sim.parameters import NetworkQuality, Parameters


class VoteNotPersisted(Raft):
    """The term is stored, the vote is not: after a crash the node votes again."""

    def ready(self) -> Ready | None:
        ready = super().ready()
        if ready is None or ready.hard_state is None:
            return ready
        return replace(ready, hard_state=HardState(ready.hard_state.term, None))


class TermNotPersisted(Raft):
    """Neither term nor vote are stored (the original project's node forgets both)."""

    def ready(self) -> Ready | None:
        ready = super().ready()
        return None if ready is None else replace(ready, hard_state=None)


class DoubleVote(Raft):
    """Any candidate with a good log gets a vote, also the second one of a term."""

    def _on_vote(self, message: Vote) -> None:
        self.vote = None
        super()._on_vote(message)


class VoteForStaleLog(Raft):
    """The election restriction of section 5.4.1 is missing."""

    def step(self, message: Message) -> None:
        if isinstance(message, (Vote, PreVote)):
            last_index, last_term = self.log.last_index, self.log.last_term
            message = replace(message, last_index=last_index, last_term=last_term)
        super().step(message)


class LongerLogWins(Raft):
    """Logs are compared by length alone, not by the last term first."""

    def step(self, message: Message) -> None:
        if isinstance(message, (Vote, PreVote)) and message.last_index >= self.log.last_index:
            message = replace(message, last_term=max(message.last_term, self.log.last_term))
        super().step(message)


class CommitOfOldTerm(Raft):
    """Figure 8: entries of earlier terms are committed by counting."""

    def _maybe_commit(self) -> None:
        self.log.commit_to(quorum_index(self.configuration.voters, self._match_of))


class StaleTailKept(Raft):
    """A conflict replaces single entries and keeps what follows (the original project)."""

    def _truncate_from(self, index: int) -> None:
        self._kept_tail = list(self.log.entries_between(index, self.log.last_index))
        super()._truncate_from(index)

    def _take_entries(self, message: AppendEntries) -> None:
        self._kept_tail = []
        super()._take_entries(message)
        last = self.log.last_index
        self.log.append([entry for entry in self._kept_tail if entry.index > last])


class CommitBeyondMatched(Raft):
    """Followers commit min(leaderCommit, own last index), also what was never compared."""

    def _broadcast_heartbeat(self) -> None:
        matches = {node: progress.match for node, progress in self.peers.items()}
        for progress in self.peers.values():
            progress.match = self.log.committed
        super()._broadcast_heartbeat()
        for node, progress in self.peers.items():
            progress.match = matches[node]


class AnswerBeforeSync(Raft):
    """A follower acknowledges entries that its disk does not have yet."""

    def _send(self, message: Message, after_sync: bool = False) -> None:
        super()._send(message, after_sync and not isinstance(message, AppendEntriesReply))


class VoteBeforeSync(Raft):
    """Votes, and requests for them, leave before the disk has them."""

    def _is_hard_state_durable(self) -> bool:
        return True


class LeaderCountsUnsynced(Raft):
    """A leader counts itself for entries that its own disk does not have yet."""

    def _match_of(self, node: int) -> int:
        return self.log.last_index if node == self.id else super()._match_of(node)


class ReadWithoutQuorum(Raft):
    """A leader answers reads at once, though another may have been elected meanwhile."""

    def _start_read_round(self) -> None:
        super()._start_read_round()
        for node in self.configuration.voters:
            self._reads.acknowledge(node, self._reads.round)


class ReadBeforeOwnCommit(Raft):
    """A new leader serves reads at a commit index from before its election."""

    def _is_committed_in_term(self) -> bool:
        return True


class TruncateOnStaleAppend(Raft):
    """A late AppendEntries shortens a log that holds more than it, all of it in agreement."""

    def _take_entries(self, message: AppendEntries) -> None:
        super()._take_entries(message)
        end = message.prev_index + len(message.entries)
        if max(end, self.log.committed) < self.log.last_index:
            self._truncate_from(max(end, self.log.committed) + 1)


class NoConsistencyCheck(Raft):
    """AppendEntries is accepted without looking at the entry before (Figure 2, rule 2)."""

    def _on_append(self, message: AppendEntries) -> None:
        if message.prev_index <= self.log.last_index:
            term = self.log.term_at(message.prev_index)
            message = replace(message, prev_term=0 if term is None else term)
        super()._on_append(message)


class OldTermAccepted(Raft):
    """AppendEntries of a deposed leader is taken (Figure 2, rule 1)."""

    def step(self, message: Message) -> None:
        if isinstance(message, AppendEntries) and message.term < self.term:
            message = replace(message, term=self.term)
        super().step(message)


class VotesOfOldTermCount(Raft):
    """A candidate counts answers to its earlier candidacies."""

    def step(self, message: Message) -> None:
        if isinstance(message, VoteReply) and message.term < self.term:
            message = replace(message, term=self.term)
        super().step(message)


class HalfIsEnough(Raft):
    """Half of the voters count as a majority."""

    def _maybe_commit(self) -> None:
        voters = self.configuration.voters
        matches = sorted((self._match_of(node) for node in voters), reverse=True)
        index = matches[max(0, len(voters) // 2 - 1)]
        if self.log.term_at(index) == self.term:
            self.log.commit_to(index)


class MembersChangeTogether(Raft):
    """A membership change may begin before the one before it is committed."""

    def propose_config(self, change: ConfigChange) -> int:
        committed, self.log.committed = self.log.committed, self.log.last_index
        try:
            return super().propose_config(change)
        finally:
            self.log.committed = committed


class SnapshotKeepsLog(Raft):
    """InstallSnapshot leaves a conflicting log behind the snapshot in place."""

    def _on_install_snapshot(self, message: InstallSnapshot) -> None:
        log = self.log
        tail = [
            entry
            for entry in log.entries_between(log.snapshot_index + 1, log.last_index)
            if entry.index > message.meta.index
        ]
        super()._on_install_snapshot(message)
        if tail and log.last_index == message.meta.index == log.snapshot_index:
            log.append(tail)


class NoOpMissing(Raft):
    """A new leader writes no entry, so what its predecessors left may never be committed."""

    def _become_leader(self) -> None:
        super()._become_leader()
        if self.log.last_index > 1:
            last = self.log.last_index
            noop = self.log.entries_between(last, last)[0]
            if noop.kind is EntryKind.NOOP and self.role is Role.LEADER:
                self.log.truncate_from(last)


@dataclass(frozen=True, slots=True)
class Planted:
    """A mistake, the rules whose violation shows it, and the weather in which it shows soon."""

    bug: type[Raft]
    shows: frozenset[str]
    weather: dict[str, object] = field(default_factory=dict)

    def parameters(self, seed: int) -> Parameters:
        """What the seed decides, but for the weather."""
        return replace(Parameters.from_seed(seed), **self.weather)  # type: ignore[arg-type]


def _planted(bug: type[Raft], shows: str, **weather: object) -> Planted:
    return Planted(bug, frozenset(shows.split()), weather)


_DUELS = {"pre_vote": False, "election_ticks": 4, "heartbeat_ticks": 1}

BUGS: tuple[Planted, ...] = (
    _planted(
        VoteNotPersisted,
        "OneVote ElectionSafety",
        **_DUELS,
        voters=3,
        disk=(100, 500),
        network=NetworkQuality(0.1, 0.05, (1_000, 20_000), 0.1),
        faults=("crash", "crash_all", "crash_leader"),
        fault_gap=(5_000, 60_000),
    ),
    _planted(TermNotPersisted, "Monotonic"),
    _planted(DoubleVote, "OneVote ElectionSafety"),
    _planted(VoteForStaleLog, "LeaderCompleteness"),
    _planted(LongerLogWins, "LeaderCompleteness", faults=("crash_in_burst", "isolate_in_burst")),
    _planted(
        CommitOfOldTerm,
        "LeaderCompleteness",
        **_DUELS,
        voters=5,
        spares=0,
        max_message_entries=1,
        max_inflight_messages=1,
        network=NetworkQuality(0.0, 0.0, (1_000, 10_000), 0.1),
        faults=("crash_leader", "crash_in_burst", "isolate_in_burst"),
        fault_gap=(20_000, 120_000),
    ),
    _planted(StaleTailKept, "LogMatching"),
    _planted(CommitBeyondMatched, "StateMachineSafety CommittedImmutable"),
    _planted(AnswerBeforeSync, "CommittedOnQuorum"),
    _planted(VoteBeforeSync, "Monotonic"),
    _planted(LeaderCountsUnsynced, "CommittedOnQuorum"),
    _planted(
        ReadWithoutQuorum,
        "Linearizability",
        clients=6,
        keys=1,
        think=5_000,
        patience=20_000,
        check_quorum=False,
        faults=("pause_leader", "isolate_leader", "skew_clock"),
    ),
    _planted(ReadBeforeOwnCommit, "Linearizability"),
    _planted(TruncateOnStaleAppend, "CommittedOnQuorum Liveness"),
    _planted(NoConsistencyCheck, "LogMatching"),
    _planted(OldTermAccepted, "LogCorrupted LogMatching CommittedImmutable"),
    _planted(
        VotesOfOldTermCount,
        "ElectionSafety",
        **_DUELS,
        voters=5,
        network=NetworkQuality(0.1, 0.2, (1_000, 30_000), 0.15),
    ),
    _planted(HalfIsEnough, "CommittedOnQuorum"),
    _planted(
        MembersChangeTogether,
        "LeaderCompleteness ElectionSafety",
        voters=3,
        spares=0,
        check_quorum=False,
        faults=("change_members", "isolate_leader"),
        fault_gap=(5_000, 80_000),
    ),
    _planted(SnapshotKeepsLog, "LogMatching"),
    _planted(NoOpMissing, "Liveness"),
)
