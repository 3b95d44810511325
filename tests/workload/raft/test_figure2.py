"""A test per rule of Figure 2 of "In Search of an Understandable Consensus Algorithm"."""

from __future__ import annotations

import random

import pytest

from kvtop.workload.raft.core import Config, Raft, bootstrap
from kvtop.workload.raft.types import (
    AppendEntries,
    AppendEntriesReply,
    Entry,
    EntryKind,
    HardState,
    Heartbeat,
    Message,
    NotLeader,
    PreVote,
    Role,
    Vote,
    VoteReply,
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
    role_of,
    terms_of,
    time_out,
)

# --- state -------------------------------------------------------------------------------------


def test_current_term_and_voted_for_are_stored_before_the_vote_leaves() -> None:
    raft = node()
    raft.step(Vote(1, 0, 3, 0, 0))
    ready = raft.ready()
    assert ready is not None
    assert ready.hard_state == HardState(3, 1)
    assert ready.messages == ()
    assert ready.messages_after_sync == (VoteReply(0, 1, 3, True),)


def test_log_entries_are_stored_before_they_are_acknowledged() -> None:
    raft = node(term=1)
    raft.step(append(raft, (0, 0), [1]))
    ready = raft.ready()
    assert ready is not None
    assert ready.entries == entries([1])
    assert ready.messages == ()
    assert ready.messages_after_sync == (AppendEntriesReply(0, 1, 1, True, 1),)


def test_a_restarted_node_has_its_term_vote_and_log_and_no_commit_index() -> None:
    raft = node([1, 1, 2], term=4, vote=2)
    assert (raft.term, raft.vote, terms_of(raft)) == (4, 2, [1, 1, 2])
    assert (raft.role, raft.commit_index) == (Role.FOLLOWER, 0)


def test_next_index_starts_behind_the_leaders_last_entry_and_match_index_at_0() -> None:
    raft = node([1, 1])
    output = elect(raft, 1, 2)
    assert {message.prev_index for message in output.of(AppendEntries)} == {2}
    assert {progress.match for progress in raft.peers.values()} == {0}


# --- AppendEntries RPC, receiver ----------------------------------------------------------------


def test_append_entries_rule_1_reply_false_if_term_is_older() -> None:
    raft = node(term=5)
    reply = answer(raft, append(raft, (0, 0), [4], term=4)).one(AppendEntriesReply)
    assert (reply.accepted, reply.term) == (False, 5)
    assert terms_of(raft) == []


@pytest.mark.parametrize("prev", [(3, 2), (2, 2), (9, 2)])
def test_append_entries_rule_2_reply_false_if_log_lacks_previous_entry(
    prev: tuple[int, int],
) -> None:
    raft = node([1, 1], term=2)
    reply = answer(raft, append(raft, prev, [2])).one(AppendEntriesReply)
    assert not reply.accepted
    assert terms_of(raft) == [1, 1]


def test_append_entries_rule_3_delete_conflicting_entry_and_all_that_follow() -> None:
    raft = node([1, 1, 2, 2, 2], term=3)
    raft.step(append(raft, (2, 1), [3]))
    ready = raft.ready()
    assert ready is not None
    assert ready.truncate_from == 3
    assert ready.entries == entries([3], 3)
    assert terms_of(raft) == [1, 1, 3]


def test_append_entries_rule_3_only_an_existing_entry_that_conflicts_is_deleted() -> None:
    raft = node([1, 1, 2, 2], term=3)
    raft.step(append(raft, (1, 1), [1]))
    ready = raft.ready()
    assert ready is not None
    assert ready.truncate_from is None
    assert terms_of(raft) == [1, 1, 2, 2]


def test_append_entries_rule_4_append_only_entries_not_already_in_the_log() -> None:
    raft = node([1, 1], term=2)
    raft.step(append(raft, (0, 0), [1, 1, 2, 2]))
    ready = raft.ready()
    assert ready is not None
    assert ready.entries == entries([2, 2], 3)


@pytest.mark.parametrize(("leader_commit", "expected"), [(1, 1), (3, 3), (4, 3), (99, 3)])
def test_append_entries_rule_5_commit_is_min_of_leader_commit_and_last_new_entry(
    leader_commit: int, expected: int
) -> None:
    raft = node([1, 1, 1, 1, 1], term=2)
    answer(raft, append(raft, (2, 1), [1], commit=leader_commit))
    assert raft.commit_index == expected


def test_append_entries_rule_5_an_empty_one_commits_no_further_than_its_previous_entry() -> None:
    raft = node([1, 1, 1, 1], term=2)
    answer(raft, append(raft, (2, 1), [], commit=4))
    assert raft.commit_index == 2


# --- RequestVote RPC, receiver -----------------------------------------------------------------


def test_request_vote_rule_1_reply_false_if_term_is_older() -> None:
    raft = node(term=5)
    reply = answer(raft, Vote(1, 0, 4, 99, 99)).one(VoteReply)
    assert (reply.granted, reply.term) == (False, 5)


@pytest.mark.parametrize(("voted_for", "granted"), [(None, True), (1, True), (2, False)])
def test_request_vote_rule_2_grant_if_voted_for_is_null_or_the_candidate(
    voted_for: int | None, granted: bool
) -> None:
    raft = node(term=5, vote=voted_for)
    assert answer(raft, Vote(1, 0, 5, 0, 0)).one(VoteReply).granted is granted


@pytest.mark.parametrize(
    ("last_index", "last_term", "granted"),
    [(3, 2, True), (4, 2, True), (2, 3, True), (1, 3, True), (2, 2, False), (9, 1, False)],
)
def test_request_vote_rule_2_the_candidates_log_must_be_as_up_to_date(
    last_index: int, last_term: int, granted: bool
) -> None:
    raft = node([1, 1, 2], term=3)
    assert answer(raft, Vote(1, 0, 4, last_index, last_term)).one(VoteReply).granted is granted


# --- rules for all servers ---------------------------------------------------------------------


def test_all_servers_apply_in_order_what_is_committed() -> None:
    raft = node([1, 1, 1], term=1)
    assert answer(raft, append(raft, (3, 1), [], commit=2)).committed == list(entries([1, 1]))
    assert answer(raft, append(raft, (3, 1), [], commit=3)).committed == list(entries([1], 3))
    assert answer(raft, append(raft, (3, 1), [], commit=3)).committed == []


@pytest.mark.parametrize(
    "message",
    [
        AppendEntries(1, 0, 9, 0, 0, (), 0),
        AppendEntriesReply(1, 0, 9, False, 0),
        Heartbeat(1, 0, 9, 0),
        Vote(1, 0, 9, 0, 0, transfer=True),
        VoteReply(1, 0, 9, False),
    ],
    ids=lambda message: type(message).__name__,
)
@pytest.mark.parametrize("role", list(Role))
def test_all_servers_convert_to_follower_of_a_higher_term(message: Message, role: Role) -> None:
    raft = leader() if role is Role.LEADER else node()
    if role is Role.PRE_CANDIDATE:
        time_out(raft)
    elif role is Role.CANDIDATE:
        raft = node(config=Config(0, pre_vote=False))
        time_out(raft)
    assert raft.role is role
    answer(raft, message)
    assert (raft.role, raft.term) == (Role.FOLLOWER, 9)


# --- followers ---------------------------------------------------------------------------------


def test_followers_respond_to_candidates_and_leaders() -> None:
    raft = node()
    assert answer(raft, Vote(1, 0, 1, 0, 0)).one(VoteReply).granted
    assert answer(raft, append(raft, (0, 0), [1])).one(AppendEntriesReply).accepted


def test_followers_start_an_election_only_when_the_timeout_elapses() -> None:
    raft = node()
    for _ in range(raft.config.election_ticks - 1):
        raft.tick()
    assert role_of(raft) is Role.FOLLOWER
    time_out(raft)
    assert role_of(raft) is Role.PRE_CANDIDATE


def test_followers_that_hear_their_leader_start_no_election() -> None:
    raft = node()
    for _ in range(10 * raft.config.election_ticks):
        raft.tick()
        answer(raft, Heartbeat(1, 0, 1, 0))
    assert (raft.role, raft.leader) == (Role.FOLLOWER, 1)


def test_followers_that_grant_a_vote_wait_anew() -> None:
    raft = node(seed=3)
    while raft._election_elapsed < raft._election_timeout - 1:
        raft.tick()
    answer(raft, Vote(1, 0, 1, 0, 0))
    for _ in range(raft.config.election_ticks - 1):
        raft.tick()
    assert role_of(raft) is Role.FOLLOWER


# --- candidates --------------------------------------------------------------------------------


def test_candidates_increment_the_term_vote_for_themselves_and_ask_all_others() -> None:
    raft = node([1, 2], term=2, config=Config(0, pre_vote=False))
    output = time_out(raft)
    assert (raft.role, raft.hard_state) == (Role.CANDIDATE, HardState(3, 0))
    assert output.of(Vote) == [Vote(0, 1, 3, 2, 2), Vote(0, 2, 3, 2, 2)]


def test_candidates_reset_the_election_timer() -> None:
    raft = node(config=Config(0, pre_vote=False))
    time_out(raft)
    assert raft._election_elapsed == 0


def test_candidates_with_votes_of_a_majority_become_leader() -> None:
    raft = node(voters=range(5), config=Config(0, pre_vote=False))
    time_out(raft)
    answer(raft, VoteReply(1, 0, 1, True))
    assert role_of(raft) is Role.CANDIDATE
    answer(raft, VoteReply(1, 0, 1, True))  # The same vote twice is one vote.
    assert role_of(raft) is Role.CANDIDATE
    answer(raft, VoteReply(2, 0, 1, True))
    assert role_of(raft) is Role.LEADER


def test_candidates_do_not_count_votes_of_an_earlier_term() -> None:
    raft = node(config=Config(0, pre_vote=False))
    time_out(raft)
    time_out(raft)
    for _ in range(2 * raft.config.election_ticks):
        raft.tick()
    drain(raft)
    assert raft.term > 1
    answer(raft, VoteReply(1, 0, 1, True))
    assert role_of(raft) is Role.CANDIDATE


def test_candidates_that_hear_a_leader_of_their_term_follow_it() -> None:
    raft = node(config=Config(0, pre_vote=False))
    time_out(raft)
    answer(raft, append(raft, (0, 0), [1]))
    assert (raft.role, raft.leader, raft.term, raft.vote) == (Role.FOLLOWER, 1, 1, 0)


def test_candidates_whose_timeout_elapses_start_a_new_election() -> None:
    raft = node(config=Config(0, pre_vote=False))
    time_out(raft)
    for _ in range(2 * raft.config.election_ticks):
        raft.tick()
    assert (raft.role, raft.term) == (Role.CANDIDATE, 2)


def test_election_timeouts_are_drawn_from_t_to_2t() -> None:
    raft = Raft(Config(0), random.Random(0), HardState(), bootstrap((0, 1, 2)))
    drawn = set()
    for _ in range(500):
        raft._reset_election_timer()
        drawn.add(raft._election_timeout)
    assert drawn == set(range(10, 20))


# --- leaders -----------------------------------------------------------------------------------


def test_leaders_send_append_entries_upon_election() -> None:
    raft = node([1], term=1)
    sent = elect(raft, 1, 2).of(AppendEntries)
    noop = Entry(2, 2, EntryKind.NOOP, b"")
    assert sent == [AppendEntries(0, peer, 2, 1, 1, (noop,), 0) for peer in (1, 2)]


def test_leaders_send_heartbeats_while_idle() -> None:
    raft = leader(commit=True)
    for _ in range(raft.config.heartbeat_ticks):
        raft.tick()
    assert {message.receiver for message in drain(raft).of(Heartbeat)} == {1, 2}


def test_leaders_append_a_command_and_respond_after_it_is_applied() -> None:
    raft = leader(commit=True)
    index = raft.propose(b"x")
    assert drain(raft).committed == []
    assert answer(raft, *accept(raft, index, 1)).committed == [
        Entry(index, raft.term, EntryKind.NORMAL, b"x")
    ]


def test_only_leaders_take_commands_others_name_the_leader() -> None:
    raft = node()
    with pytest.raises(NotLeader) as nobody:
        raft.propose(b"x")
    assert nobody.value.leader is None
    answer(raft, Heartbeat(2, 0, 1, 0))
    with pytest.raises(NotLeader) as known:
        raft.propose(b"x")
    assert known.value.leader == 2


def test_leaders_send_entries_from_next_index() -> None:
    raft = leader(commit=True)
    first = raft.propose([b"x", b"y"])
    sent = [message for message in drain(raft).of(AppendEntries) if message.receiver == 1]
    assert [(m.prev_index, [e.data for e in m.entries]) for m in sent] == [
        (first - 1, [b"x", b"y"])
    ]


def test_leaders_update_match_and_next_index_on_success() -> None:
    raft = leader(commit=True)
    raft.propose([b"x", b"y"])
    drain(raft)
    answer(raft, *accept(raft, 3, 1))
    assert (raft.peers[1].match, raft.peers[1].next) == (3, 4)


def test_leaders_decrement_next_index_and_retry_on_inconsistency() -> None:
    raft = leader([1, 1, 1])
    output = answer(raft, AppendEntriesReply(1, 0, raft.term, False, 3, 2, None))
    retry = output.one(AppendEntries)
    assert (retry.receiver, retry.prev_index) == (1, 1)
    assert [entry.term for entry in retry.entries] == [1, 1, 2]


def test_leaders_commit_what_a_majority_holds() -> None:
    raft = leader(voters=range(5))
    answer(raft, *accept(raft, 1, 1))
    assert raft.commit_index == 0
    answer(raft, *accept(raft, 1, 2))
    assert raft.commit_index == 1


def test_leaders_commit_only_entries_of_their_own_term_by_counting() -> None:
    raft = leader([1, 2], voters=range(5))
    assert raft.term == 3
    answer(raft, *accept(raft, 2, 1, 2, 3, 4))
    assert raft.commit_index == 0
    answer(raft, *accept(raft, 3, 1, 2))
    assert raft.commit_index == 3


def test_leaders_count_themselves_only_as_far_as_their_disk_is() -> None:
    raft = leader(commit=True)
    raft.propose(b"x")
    ready = raft.ready()
    assert ready is not None
    assert {type(message) for message in ready.messages} == {AppendEntries}
    raft.step(*accept(raft, 2, 1))
    assert raft.commit_index == 1
    raft.persisted(ready.number)
    assert raft.commit_index == 2


def test_pre_votes_precede_the_election_and_leave_the_term_alone() -> None:
    raft = node(term=7)
    output = time_out(raft)
    assert output.of(PreVote) == [PreVote(0, 1, 8, 0, 0), PreVote(0, 2, 8, 0, 0)]
    assert raft.hard_state == HardState(7, None)
