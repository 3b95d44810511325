"""Rules of followers: take entries, commits and snapshots from the leader."""

from __future__ import annotations

from kvtop.workload.raft.base import RaftBase
from kvtop.workload.raft.membership import ConfigHistory
from kvtop.workload.raft.snapshots import Assembly
from kvtop.workload.raft.types import (
    AppendEntries,
    AppendEntriesReply,
    Heartbeat,
    HeartbeatReply,
    InstallSnapshot,
    InstallSnapshotReply,
    Message,
    Role,
    Snapshot,
    SnapshotMeta,
)


class FollowerRules(RaftBase):
    """AppendEntries and InstallSnapshot receivers of Figures 2 and 13."""

    def _follow(self, message: Message) -> bool:
        """Accept the sender as leader of this term; False if this node leads it."""
        if self.role is Role.LEADER:
            return False
        if self.role is not Role.FOLLOWER or self.leader != message.sender:
            self._become_follower(message.term, message.sender)
        self._election_elapsed = 0
        return True

    def _on_append(self, message: AppendEntries) -> None:
        if not self._follow(message):
            return
        prev = message.prev_index
        # What is compacted away is committed, hence equal to the leader's.
        if prev >= self.log.snapshot_index and self.log.term_at(prev) != message.prev_term:
            self._refuse(message)
            return
        self._take_entries(message)
        matched = prev + len(message.entries)
        self.log.commit_to(min(message.commit, matched))
        reply = AppendEntriesReply(self.id, message.sender, self.term, True, matched)
        self._send(reply, after_sync=True)

    def _take_entries(self, message: AppendEntries) -> None:
        """Append what is new; cut only where an entry really differs (rules 3 and 4)."""
        skip = max(0, self.log.snapshot_index - message.prev_index)
        entries = message.entries[skip:] if skip else message.entries
        if not entries:
            return
        if entries[0].index <= self.log.last_index:
            entries = entries[self.log.first_conflict(entries) :]
            if not entries:
                return
            if entries[0].index <= self.log.last_index:
                self._truncate_from(entries[0].index)
        self.log.append(entries)
        self._configs.extend(entries)

    def _refuse(self, message: AppendEntries) -> None:
        """Say where the logs may still agree, a term at a time (section 5.3)."""
        prev = message.prev_index
        conflict_term = self.log.term_at(prev)
        if conflict_term is None:
            conflict_index = self.log.last_index + 1
        else:
            conflict_index = self.log.first_index_of_term(conflict_term)
        self._send(
            AppendEntriesReply(
                self.id, message.sender, self.term, False, prev, conflict_index, conflict_term
            )
        )

    def _on_heartbeat(self, message: Heartbeat) -> None:
        if self._follow(message):
            # The leader never names a commit index past what this node acknowledged.
            self.log.commit_to(message.commit)
            self._send(HeartbeatReply(self.id, message.sender, self.term, message.context))

    def _on_install_snapshot(self, message: InstallSnapshot) -> None:
        if not self._follow(message):
            return
        meta = message.meta
        if not self._log_covers(meta):
            if self._assembly is None or not self._assembly.fits(message):
                self._assembly = Assembly(message)
            self._assembly.add(message)
            if not self._assembly.is_complete:
                self._reply_snapshot(message, self._assembly.offset, done=False)
                return
            self._restore(Snapshot(meta, self._assembly.data()))
        self._assembly = None
        self._reply_snapshot(message, message.total, done=True)

    def _log_covers(self, meta: SnapshotMeta) -> bool:
        """Whether the log already holds what the snapshot holds (Figure 13, rule 6)."""
        if meta.index > self.log.committed and self.log.term_at(meta.index) == meta.term:
            self.log.commit_to(meta.index)
        return meta.index <= self.log.committed

    def _restore(self, snapshot: Snapshot) -> None:
        """Replace the log by the snapshot; it reaches past everything committed here."""
        meta = snapshot.meta
        self._writes.truncate_from(self.log.committed + 1)
        self.log.restore(meta)
        self._configs = ConfigHistory(meta.index, meta.config, ())
        self._received = snapshot
        self._snapshot = meta
        self._snapshot_size = len(snapshot.data)

    def _reply_snapshot(self, message: InstallSnapshot, offset: int, done: bool) -> None:
        reply = InstallSnapshotReply(
            self.id, message.sender, self.term, message.meta.index, offset, done
        )
        self._send(reply, after_sync=done)
