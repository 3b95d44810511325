"""Rules of leaders: send entries ahead, count answers, commit, confirm reads."""

from __future__ import annotations

from kvtop.workload.raft.base import RaftBase
from kvtop.workload.raft.progress import Progress, ProgressState, Transfer
from kvtop.workload.raft.quorum import has_quorum, quorum_index
from kvtop.workload.raft.types import (
    AppendEntries,
    AppendEntriesReply,
    Heartbeat,
    HeartbeatReply,
    InstallSnapshot,
    InstallSnapshotReply,
    TimeoutNow,
)


class LeaderRules(RaftBase):
    """What only a leader does; the callers check that this node is one."""

    def _tick_leader(self) -> None:
        self._election_elapsed += 1
        if self._election_elapsed >= self.config.election_ticks:
            self._election_elapsed = 0
            if self.config.check_quorum and not self._heard_quorum():
                self._become_follower(self.term, None)
                return
        if self._transferee is not None:
            self._transfer_elapsed += 1
            if self._transfer_elapsed >= self.config.election_ticks:
                self._transferee = None
        self._heartbeat_elapsed += 1
        if self._heartbeat_elapsed >= self.config.heartbeat_ticks:
            for progress in self.peers.values():
                progress.mark_interval()
            self._broadcast_heartbeat()

    def _heard_quorum(self) -> bool:
        """Whether a quorum answered since the last call (dissertation, 6.2)."""
        heard = {node for node, progress in self.peers.items() if progress.active}
        for progress in self.peers.values():
            progress.active = False
        return has_quorum(self.configuration.voters, heard | {self.id})

    def _broadcast_heartbeat(self) -> None:
        self._heartbeat_elapsed = 0
        for node, progress in self.peers.items():
            commit = min(progress.match, self.log.committed)
            self._send(Heartbeat(self.id, node, self.term, commit, self._reads.round))

    def _broadcast_appends(self) -> None:
        for node, progress in self.peers.items():
            self._send_appends(node, progress)

    def _send_appends(self, node: int, progress: Progress) -> None:
        """Send what the peer lacks, as far as the limits on what is in flight allow."""
        last_index = self.log.last_index
        if progress.next > last_index:
            return
        config = self.config
        while progress.next <= last_index and progress.may_send(
            config.max_inflight_messages, config.max_inflight_bytes
        ):
            prev_term = self.log.term_at(progress.next - 1)
            if prev_term is None:
                self._start_snapshot(node, progress)
                return
            entries, size = self.log.batch(
                progress.next, config.max_message_entries, config.max_message_bytes
            )
            prev = progress.next - 1
            self._send(
                AppendEntries(
                    self.id, node, self.term, prev, prev_term, entries, self.log.committed
                )
            )
            progress.sent(prev + len(entries), size)

    def _send_probe(self, node: int, progress: Progress) -> None:
        """Something was lost: ask whether the peer holds all that was sent."""
        prev = progress.next - 1
        prev_term = self.log.term_at(prev)
        if prev_term is None:
            self._start_snapshot(node, progress)
            return
        commit = self.log.committed
        self._send(AppendEntries(self.id, node, self.term, prev, prev_term, (), commit))

    def _start_snapshot(self, node: int, progress: Progress) -> None:
        progress.to_snapshot(Transfer(self._snapshot, self._snapshot_size))
        self._send_chunk(node, progress)

    def _send_chunk(self, node: int, progress: Progress) -> None:
        """Send the chunk at the transfer's offset; with a newer snapshot if the old one is gone."""
        transfer = progress.transfer
        if transfer is None or self._read_snapshot is None:
            return
        size = min(self.config.snapshot_chunk_bytes, transfer.total - transfer.offset)
        data = self._read_snapshot(transfer.meta, transfer.offset, size)
        if data is None:
            if transfer.meta != self._snapshot:
                self._start_snapshot(node, progress)
            return
        self._send(
            InstallSnapshot(
                self.id,
                node,
                self.term,
                transfer.meta,
                transfer.offset,
                transfer.total,
                data,
            )
        )

    def _on_append_reply(self, message: AppendEntriesReply) -> None:
        progress = self.peers.get(message.sender)
        if progress is None:
            return
        progress.active = True
        if not message.accepted:
            if not progress.is_stale_rejection(message.index):
                progress.to_probe(self._next_after_rejection(message))
            return
        advanced = progress.accepted(message.index)
        if progress.state is not ProgressState.REPLICATE and (
            progress.match >= self.log.snapshot_index
        ):
            progress.to_replicate()
        if advanced:
            self._on_match(message.sender, progress)

    def _next_after_rejection(self, message: AppendEntriesReply) -> int:
        """Skip a whole term of the peer's, or of ours, at a time (section 5.3)."""
        if message.conflict_term is None:
            return min(message.conflict_index, message.index)
        last = self.log.last_index_of_term(message.conflict_term)
        if self.log.term_at(last) == message.conflict_term:
            return min(last + 1, message.index)
        return min(message.conflict_index, message.index)

    def _on_match(self, node: int, progress: Progress) -> None:
        self._maybe_commit()
        if node == self._transferee and progress.match == self.log.last_index:
            self._send(TimeoutNow(self.id, node, self.term))

    def _match_of(self, node: int) -> int:
        """What ``node`` stored for sure; this node's own log counts only as far as its disk is."""
        if node == self.id:
            return self.log.persisted
        progress = self.peers.get(node)
        return progress.match if progress is not None else 0

    def _maybe_commit(self) -> None:
        """Figure 2, leaders, last rule: a majority holds it, and it is of the current term."""
        index = quorum_index(self.configuration.voters, self._match_of)
        if index <= self.log.committed or self.log.term_at(index) != self.term:
            return
        self.log.commit_to(index)
        if self.id not in self.configuration.voters and self._configs.current_index <= index:
            # This node's own removal is committed: tell the others, then leave office (4.2.2).
            self._broadcast_appends()
            self._broadcast_heartbeat()
            self._become_follower(self.term, None)

    def _on_heartbeat_reply(self, message: HeartbeatReply) -> None:
        progress = self.peers.get(message.sender)
        if progress is None:
            return
        progress.active = True
        self._reads.acknowledge(message.sender, message.context)
        if progress.stalled:
            progress.stalled = False
            self._resend(message.sender, progress)

    def _resend(self, node: int, progress: Progress) -> None:
        """The peer is alive but nothing moved for an interval: what was sent may be lost."""
        if progress.state is ProgressState.SNAPSHOT:
            self._send_chunk(node, progress)
        elif progress.state is ProgressState.PROBE and progress.next <= self.log.last_index:
            progress.probe_sent = False
        elif progress.match < self.log.last_index:
            self._send_probe(node, progress)

    def _on_install_snapshot_reply(self, message: InstallSnapshotReply) -> None:
        progress = self.peers.get(message.sender)
        if progress is None:
            return
        progress.active = True
        if message.done:
            if progress.accepted(message.index):
                self._on_match(message.sender, progress)
            if progress.state is ProgressState.SNAPSHOT:
                progress.to_replicate()
            return
        transfer = progress.transfer
        if transfer is None or transfer.meta.index != message.index:
            return
        if message.offset > transfer.offset:
            transfer.offset = message.offset
            self._send_chunk(message.sender, progress)
        else:
            # A repeat, or the peer lost what it had: the next stall resends from there.
            transfer.offset = message.offset

    def _is_committed_in_term(self) -> bool:
        return self.log.term_at(self.log.committed) == self.term

    def _start_read_round(self) -> None:
        """One round of heartbeats for all reads that wait (dissertation, 6.4)."""
        if self._reads.wants_round and self._is_committed_in_term():
            self._reads.start(self.log.committed, self.id)
            if self.configuration.voters != {self.id}:
                self._broadcast_heartbeat()
