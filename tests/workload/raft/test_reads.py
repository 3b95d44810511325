"""ReadIndex: linearizable reads without log entries."""

from __future__ import annotations

import pytest

from kvtop.workload.raft.types import Heartbeat, HeartbeatReply, NotLeader, ReadState, Role
from tests.workload.raft.harness import accept, answer, drain, leader, node


def test_a_read_needs_a_quorum_that_still_follows() -> None:
    raft = leader(commit=True, voters=range(5))
    raft.read_index(7)
    rounds = {message.context for message in drain(raft).of(Heartbeat)}
    assert rounds == {1}
    assert answer(raft, HeartbeatReply(1, 0, raft.term, 1)).reads == []
    assert answer(raft, HeartbeatReply(1, 0, raft.term, 1)).reads == []
    assert answer(raft, HeartbeatReply(2, 0, raft.term, 1)).reads == [ReadState(7, 1)]


def test_reads_of_one_moment_share_a_round_and_write_no_entry() -> None:
    raft = leader(commit=True)
    for context in range(100):
        raft.read_index(context)
    output = drain(raft)
    assert len(output.of(Heartbeat)) == 2
    assert len(answer(raft, HeartbeatReply(1, 0, raft.term, 1)).reads) == 100
    assert raft.last_index == 1


def test_reads_that_come_during_a_round_wait_for_the_next() -> None:
    raft = leader(commit=True)
    raft.read_index(1)
    drain(raft)
    raft.read_index(2)
    assert drain(raft).of(Heartbeat) == []
    output = answer(raft, HeartbeatReply(1, 0, raft.term, 1))
    assert output.reads == [ReadState(1, 1)]
    assert {message.context for message in output.of(Heartbeat)} == {2}
    assert answer(raft, HeartbeatReply(2, 0, raft.term, 2)).reads == [ReadState(2, 1)]


def test_an_answer_to_an_earlier_round_confirms_nothing() -> None:
    raft = leader(commit=True)
    raft.read_index(1)
    drain(raft)
    assert answer(raft, HeartbeatReply(1, 0, raft.term, 0)).reads == []


def test_a_new_leader_serves_reads_only_after_its_no_op_is_committed() -> None:
    raft = leader([1, 1])
    raft.read_index(1)
    assert drain(raft).of(Heartbeat) == []
    answer(raft, *accept(raft, 3, 1))
    assert answer(raft, HeartbeatReply(1, 0, raft.term, 1)).reads == [ReadState(1, 3)]


def test_a_lost_round_is_repeated_by_the_next_heartbeat() -> None:
    raft = leader(commit=True)
    raft.read_index(1)
    drain(raft)
    for _ in range(raft.config.heartbeat_ticks):
        raft.tick()
    assert {message.context for message in drain(raft).of(Heartbeat)} == {1}
    assert answer(raft, HeartbeatReply(2, 0, raft.term, 1)).reads == [ReadState(1, 1)]


def test_a_single_voter_confirms_alone() -> None:
    raft = leader(voters=(0,), commit=True)
    raft.read_index(1)
    assert drain(raft).reads == [ReadState(1, 1)]


def test_a_learner_does_not_count() -> None:
    raft = leader(commit=True, learners=(3,))
    raft.read_index(1)
    drain(raft)
    assert answer(raft, HeartbeatReply(3, 0, raft.term, 1)).reads == []


def test_only_leaders_take_reads_and_a_deposed_one_forgets_them() -> None:
    with pytest.raises(NotLeader):
        node().read_index(1)
    raft = leader(commit=True)
    raft.read_index(1)
    drain(raft)
    answer(raft, Heartbeat(1, 0, raft.term + 1, 0))
    assert raft.role is Role.FOLLOWER
    assert raft.pending_reads == 0
