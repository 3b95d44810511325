"""Compaction, and snapshots in chunks that can be lost, doubled and resumed."""

from __future__ import annotations

import random

import pytest

from kvtop.workload.raft.core import Config, Raft
from kvtop.workload.raft.log import LogCorrupted, entries_after
from kvtop.workload.raft.progress import ProgressState
from kvtop.workload.raft.types import (
    AppendEntries,
    AppendEntriesReply,
    Configuration,
    HardState,
    Heartbeat,
    HeartbeatReply,
    InstallSnapshot,
    InstallSnapshotReply,
    Snapshot,
    SnapshotMeta,
)
from tests.workload.raft.harness import (
    accept,
    answer,
    append,
    drain,
    elect,
    entries,
    leader,
    node,
    terms_of,
)

CONFIG = Configuration(frozenset((0, 1, 2)))
DATA = bytes(range(100))


def compacted_leader() -> tuple[Raft, SnapshotMeta]:
    """A leader whose entries up to 8 are in a snapshot of 100 bytes, in chunks of 40."""
    meta = SnapshotMeta(8, 1, CONFIG)

    def read(asked: SnapshotMeta, offset: int, size: int) -> bytes | None:
        return DATA[offset : offset + size] if asked == meta else None

    config = Config(0, snapshot_chunk_bytes=40, keep_entries=0)
    raft = Raft(
        config, random.Random(1), HardState(1, None), meta, entries([1, 1], 9), len(DATA), read
    )
    elect(raft, 2)
    answer(raft, *accept(raft, raft.last_index, 2))
    return raft, meta


def lagging(raft: Raft) -> list[InstallSnapshot]:
    """Node 1 turns out to have an empty log."""
    refused = AppendEntriesReply(1, 0, raft.term, False, 10, 1, None)
    return answer(raft, refused).of(InstallSnapshot)


def test_a_peer_behind_the_log_gets_the_snapshot_chunk_by_chunk_then_entries() -> None:
    raft, meta = compacted_leader()
    follower = node(id=1)
    [message] = lagging(raft)
    offsets = []
    restored: list[Snapshot] = []
    while True:
        offsets.append(message.offset)
        follower.step(message)
        ready = follower.ready()
        assert ready is not None
        follower.persisted(ready.number)
        if ready.snapshot is not None:
            restored.append(ready.snapshot)
        replies = [*ready.messages, *ready.messages_after_sync]
        output = answer(raft, *replies)
        if not output.of(InstallSnapshot):
            break
        message = output.one(InstallSnapshot)
    assert offsets == [0, 40, 80]
    assert restored == [Snapshot(meta, DATA)]
    assert (follower.commit_index, follower.last_index, follower.configuration) == (8, 8, CONFIG)
    assert [m.prev_index for m in output.of(AppendEntries) if m.receiver == 1] == [8]


def test_the_last_chunk_is_acknowledged_after_the_snapshot_is_durable() -> None:
    raft, meta = compacted_leader()
    follower = node(id=1, term=raft.term)
    follower.step(InstallSnapshot(0, 1, raft.term, meta, 0, 100, DATA))
    ready = follower.ready()
    assert ready is not None
    assert ready.must_sync and ready.messages == ()
    assert ready.messages_after_sync == (InstallSnapshotReply(1, 0, raft.term, 8, 100, True),)


def test_a_lost_chunk_is_sent_again() -> None:
    raft, _ = compacted_leader()
    lagging(raft)
    for _ in range(3 * raft.config.heartbeat_ticks):
        raft.tick()
    drain(raft)
    again = answer(raft, HeartbeatReply(1, 0, raft.term)).one(InstallSnapshot)
    assert again.offset == 0


def test_doubled_answers_do_not_double_the_chunks() -> None:
    raft, _ = compacted_leader()
    lagging(raft)
    reply = InstallSnapshotReply(1, 0, raft.term, 8, 40, False)
    assert len(answer(raft, reply, reply, reply).of(InstallSnapshot)) == 1


def test_a_follower_keeps_what_it_has_and_ignores_gaps_and_repeats() -> None:
    meta = SnapshotMeta(8, 1, CONFIG)
    follower = node(id=1, term=1)

    def offer(offset: int) -> int:
        chunk = InstallSnapshot(0, 1, 1, meta, offset, 100, DATA[offset : offset + 40])
        return answer(follower, chunk).one(InstallSnapshotReply).offset

    assert [offer(0), offer(80), offer(0), offer(40), offer(0), offer(40)] == [
        40,
        40,
        40,
        80,
        80,
        80,
    ]
    answer(follower, InstallSnapshot(0, 1, 1, meta, 80, 100, DATA[80:]))
    assert follower.commit_index == 8


def test_another_leaders_snapshot_starts_anew() -> None:
    meta = SnapshotMeta(8, 1, CONFIG)
    follower = node(id=1, term=1)
    answer(follower, InstallSnapshot(0, 1, 1, meta, 0, 100, DATA[:40]))
    reply = answer(follower, InstallSnapshot(2, 1, 2, meta, 40, 100, DATA[40:80]))
    assert reply.one(InstallSnapshotReply).offset == 0


def test_a_snapshot_of_what_the_log_has_only_commits() -> None:
    follower = node([1] * 10, id=1, term=1)
    output = answer(follower, InstallSnapshot(0, 1, 1, SnapshotMeta(8, 1, CONFIG), 0, 100, b"x"))
    assert output.one(InstallSnapshotReply).done
    assert (follower.commit_index, follower.last_index) == (8, 10)
    assert len(output.committed) == 8


def test_a_snapshot_replaces_a_log_that_conflicts() -> None:
    follower = node([1, 1, 1, 1], id=1, term=3)
    snapshot = InstallSnapshot(0, 1, 3, SnapshotMeta(3, 2, CONFIG), 0, 1, b"x")
    answer(follower, snapshot)
    assert (terms_of(follower), follower.log.snapshot_term, follower.commit_index) == ([], 2, 3)


def test_an_old_snapshot_changes_nothing() -> None:
    follower = node([1] * 5, id=1, term=1)
    answer(follower, Heartbeat(0, 1, 1, 5))
    output = answer(follower, InstallSnapshot(0, 1, 1, SnapshotMeta(3, 1, CONFIG), 0, 9, b""))
    assert output.one(InstallSnapshotReply).done
    assert follower.last_index == 5


def test_compaction_keeps_entries_for_peers_that_are_a_little_late() -> None:
    raft = leader(commit=True, config=Config(0, keep_entries=5))
    raft.propose([b"x"] * 20)
    drain(raft)
    answer(raft, *accept(raft, 21, 1))
    meta = raft.snapshot_meta(20)
    assert meta == SnapshotMeta(20, raft.term, CONFIG)
    assert raft.compact(meta, 10) == 15
    assert raft.log.term_at(16) == raft.term
    assert raft.log.term_at(14) is None


def test_compaction_keeps_what_is_not_durable_in_the_log() -> None:
    raft = leader(commit=True, config=Config(0, keep_entries=0))
    raft.propose([b"x"] * 20)
    drain(raft, sync=False)
    for reply in accept(raft, 21, 1, 2):
        raft.step(reply)
    drain(raft, sync=False)
    assert raft.compact(raft.snapshot_meta(21), 10) == 1


def test_a_snapshot_can_be_taken_only_of_what_is_applied() -> None:
    raft = leader(commit=True)
    raft.propose(b"x")
    with pytest.raises(ValueError, match="no snapshot"):
        raft.snapshot_meta(2)


def test_a_snapshot_that_is_gone_is_replaced_by_the_newest() -> None:
    raft, _ = compacted_leader()
    newest = SnapshotMeta(10, 1, CONFIG)
    lagging(raft)
    raft._read_snapshot = lambda meta, offset, size: b"n" * size if meta == newest else None
    raft.compact(newest, 7)
    reply = InstallSnapshotReply(1, 0, raft.term, 8, 40, False)
    chunk = answer(raft, reply).one(InstallSnapshot)
    assert (chunk.meta, chunk.offset, chunk.data) == (newest, 0, b"nnnnnnn")


def test_entries_may_overlap_what_is_compacted() -> None:
    follower = node([1, 1], id=1, snapshot=SnapshotMeta(8, 1, CONFIG))
    output = answer(follower, append(follower, (5, 1), [1, 1, 1, 1, 1, 1], commit=11))
    assert output.one(AppendEntriesReply).accepted
    assert (follower.last_index, follower.commit_index) == (11, 11)


def test_progress_leaves_the_snapshot_state_when_it_is_done() -> None:
    raft, _ = compacted_leader()
    lagging(raft)
    assert raft.peers[1].transfer is not None
    answer(raft, InstallSnapshotReply(1, 0, raft.term, 8, 100, True))
    assert raft.peers[1].state is ProgressState.REPLICATE
    assert raft.peers[1].match == 8


# --- a stored log and a stored snapshot ---------------------------------------------------------


def test_recovery_keeps_entries_that_continue_the_snapshot() -> None:
    meta = SnapshotMeta(3, 1, CONFIG)
    assert entries_after(meta, entries([1, 1, 1, 2, 2])) == entries([2, 2], 4)
    assert entries_after(meta, entries([2, 2], 4)) == entries([2, 2], 4)


def test_recovery_drops_a_log_that_ends_before_the_snapshot_or_differs_from_it() -> None:
    meta = SnapshotMeta(3, 2, CONFIG)
    assert entries_after(meta, entries([1, 1])) == ()
    assert entries_after(meta, entries([1, 1, 1, 1])) == ()


def test_recovery_refuses_a_gap() -> None:
    with pytest.raises(ValueError, match="snapshot ends at 3"):
        entries_after(SnapshotMeta(3, 1, CONFIG), entries([1], 5))
    with pytest.raises(ValueError, match="entry 3 where 2"):
        node().log.__class__(0, 0, (*entries([1]), *entries([1], 3)))


def test_a_conflict_with_a_committed_entry_stops_the_node() -> None:
    follower = node([1, 1], term=2)
    answer(follower, Heartbeat(1, 0, 2, 2))
    with pytest.raises(LogCorrupted):
        follower.step(append(follower, (0, 0), [2]))
