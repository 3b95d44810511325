"""Pre-vote, check-quorum and leadership transfer."""

from __future__ import annotations

import pytest

from kvtop.workload.raft.core import Config
from kvtop.workload.raft.types import (
    AppendEntries,
    AppendEntriesReply,
    ChangeRefused,
    Heartbeat,
    HeartbeatReply,
    NotLeader,
    PreVote,
    PreVoteReply,
    Role,
    TimeoutNow,
    Vote,
    VoteReply,
)
from tests.workload.raft.harness import (
    accept,
    answer,
    append,
    drain,
    leader,
    node,
    role_of,
    time_out,
)


def test_a_pre_vote_changes_nothing_at_its_receiver() -> None:
    raft = node(term=3, vote=2)
    reply = answer(raft, PreVote(1, 0, 9, 0, 0)).one(PreVoteReply)
    assert (reply.granted, reply.term) == (True, 9)
    assert (raft.term, raft.vote) == (3, 2)


def test_a_pre_vote_is_refused_to_a_worse_log_or_an_old_term() -> None:
    raft = node([1, 2], term=3)
    worse = answer(raft, PreVote(1, 0, 4, 1, 1)).one(PreVoteReply)
    old = answer(raft, PreVote(1, 0, 3, 9, 9)).one(PreVoteReply)
    assert (worse.granted, old.granted, old.term) == (False, False, 3)


def test_a_pre_candidate_needs_a_majority_before_it_raises_its_term() -> None:
    raft = node(voters=range(5))
    time_out(raft)
    answer(raft, PreVoteReply(1, 0, 1, True))
    assert (role_of(raft), raft.term) == (Role.PRE_CANDIDATE, 0)
    sent = answer(raft, PreVoteReply(2, 0, 1, True)).of(Vote)
    assert (role_of(raft), raft.term, len(sent)) == (Role.CANDIDATE, 1, 4)


def test_a_pre_candidate_that_a_majority_refuses_goes_back_to_follow() -> None:
    raft = node(term=1)
    time_out(raft)
    answer(raft, PreVoteReply(1, 0, 1, False), PreVoteReply(2, 0, 1, False))
    assert (role_of(raft), raft.term) == (Role.FOLLOWER, 1)


def test_a_pre_vote_refused_for_its_old_term_brings_the_new_one() -> None:
    raft = node(term=1)
    time_out(raft)
    answer(raft, PreVoteReply(1, 0, 7, False))
    assert (role_of(raft), raft.term) == (Role.FOLLOWER, 7)


@pytest.mark.parametrize("request_type", [PreVote, Vote])
def test_nobody_deposes_a_leader_that_was_just_heard(
    request_type: type[PreVote] | type[Vote],
) -> None:
    raft = node(term=1)
    answer(raft, Heartbeat(1, 0, 1, 0))
    assert answer(raft, request_type(2, 0, 9, 99, 9)).messages == []
    assert raft.term == 1
    for _ in range(raft.config.election_ticks):
        raft.tick()
    assert answer(raft, request_type(2, 0, 9, 99, 9)).messages != []


def test_a_leader_without_a_quorum_steps_down_in_its_own_term() -> None:
    raft = leader(commit=True)
    term = raft.term
    for _ in range(2 * raft.config.election_ticks):
        raft.tick()
        drain(raft)
    assert (role_of(raft), raft.leader, raft.term) == (Role.FOLLOWER, None, term)


def test_a_leader_that_hears_a_quorum_stays() -> None:
    raft = leader(commit=True, voters=range(5))
    for _ in range(5 * raft.config.election_ticks):
        raft.tick()
        answer(raft, HeartbeatReply(1, 0, raft.term), HeartbeatReply(2, 0, raft.term))
    assert role_of(raft) is Role.LEADER


def test_a_node_with_a_higher_term_makes_the_leader_step_down_and_can_return() -> None:
    raft = node(term=9)
    reply = answer(raft, append(raft, (0, 0), [1], term=2)).one(AppendEntriesReply)
    assert reply.term == 9


def test_a_candidates_own_vote_counts_only_once_it_is_durable() -> None:
    raft = node(voters=(0,))
    for _ in range(2 * raft.config.election_ticks):
        raft.tick()
    assert role_of(raft) is Role.CANDIDATE
    ready = raft.ready()
    assert ready is not None
    assert role_of(raft) is Role.CANDIDATE
    raft.persisted(ready.number)
    assert role_of(raft) is Role.LEADER


def test_requests_for_votes_leave_after_the_own_vote_is_durable() -> None:
    raft = node(config=Config(0, pre_vote=False))
    for _ in range(2 * raft.config.election_ticks):
        raft.tick()
    ready = raft.ready()
    assert ready is not None
    assert ready.messages == ()
    assert {type(message) for message in ready.messages_after_sync} == {Vote}


# --- leadership transfer -----------------------------------------------------------------------


def test_transfer_to_a_node_that_has_all_is_immediate() -> None:
    raft = leader(commit=True)
    raft.transfer_leadership(1)
    assert drain(raft).of(TimeoutNow) == [TimeoutNow(0, 1, raft.term)]


def test_transfer_waits_until_the_node_has_all_and_refuses_proposals_meanwhile() -> None:
    raft = leader(commit=True)
    raft.propose(b"x")
    drain(raft)
    raft.transfer_leadership(2)
    assert drain(raft).of(TimeoutNow) == []
    with pytest.raises(NotLeader) as refused:
        raft.propose(b"y")
    assert refused.value.leader == 2
    assert answer(raft, *accept(raft, 2, 2)).of(TimeoutNow) == [TimeoutNow(0, 2, raft.term)]


def test_transfer_is_given_up_after_an_election_timeout() -> None:
    raft = leader(commit=True)
    raft.transfer_leadership(1)
    for _ in range(raft.config.election_ticks):
        raft.tick()
        answer(raft, HeartbeatReply(1, 0, raft.term))
    raft.propose(b"x")


def test_transfer_goes_to_another_voter_only() -> None:
    raft = leader(commit=True, learners=(3,))
    for target in (0, 3, 9):
        with pytest.raises(ChangeRefused):
            raft.transfer_leadership(target)


def test_timeout_now_starts_an_election_that_nobody_refuses_for_the_leaders_sake() -> None:
    chosen, other = node([1], id=1, term=1), node([1], id=2, term=1)
    for raft in (chosen, other):
        answer(raft, Heartbeat(0, raft.id, 1, 0))
    votes = answer(chosen, TimeoutNow(0, 1, 1)).of(Vote)
    [vote] = [message for message in votes if message.receiver == 2]
    assert vote.transfer
    assert answer(other, vote).one(VoteReply).granted


def test_a_deposed_leader_answers_nothing_of_its_term() -> None:
    raft = leader(commit=True)
    old = accept(raft, 1, 1)
    answer(raft, AppendEntries(2, 0, raft.term + 1, 0, 0, (), 0))
    assert answer(raft, *old).messages == []
