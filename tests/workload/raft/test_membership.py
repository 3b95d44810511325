"""Single-step membership changes and learners (dissertation, chapter 4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.workload.raft.membership import decode_configuration, encode_configuration
from kvtop.workload.raft.types import (
    AppendEntries,
    ChangeKind,
    ChangeRefused,
    ConfigChange,
    Configuration,
    Entry,
    EntryKind,
    Heartbeat,
    HeartbeatReply,
    PreVote,
    Role,
    TimeoutNow,
)
from tests.workload.raft.harness import accept, answer, drain, leader, node, role_of, time_out

ids = st.frozensets(st.integers(0, 2**32 - 1), max_size=9)
ADD_3 = ConfigChange(ChangeKind.ADD_VOTER, 3)


@given(ids, ids)
def test_configurations_survive_encoding(voters: frozenset[int], learners: frozenset[int]) -> None:
    config = Configuration(voters, learners)
    assert decode_configuration(encode_configuration(config)) == config


@given(st.binary(max_size=40))
def test_other_bytes_are_refused_or_mean_themselves(data: bytes) -> None:
    try:
        config = decode_configuration(data)
    except ValueError:
        return
    assert len(config.voters) + len(config.learners) <= len(data)


def config_entry(index: int, term: int, voters: set[int]) -> Entry:
    config = Configuration(frozenset(voters))
    return Entry(index, term, EntryKind.CONFIG, encode_configuration(config))


def test_a_new_voter_counts_from_the_moment_it_is_in_the_log() -> None:
    raft = leader(commit=True)
    index = raft.propose_config(ADD_3)
    assert raft.configuration.voters == {0, 1, 2, 3}
    drain(raft)
    answer(raft, *accept(raft, index, 1))
    assert raft.commit_index == index - 1, "two of four are no majority"
    answer(raft, *accept(raft, index, 3))
    assert raft.commit_index == index


def test_a_new_member_is_sent_what_it_lacks_even_if_the_first_message_is_lost() -> None:
    raft = leader(commit=True)
    raft.propose_config(ADD_3)
    assert [message.receiver for message in drain(raft).of(AppendEntries)].count(3) == 1
    for _ in range(3 * raft.config.heartbeat_ticks):
        raft.tick()
        drain(raft)
    again = answer(raft, HeartbeatReply(3, 0, raft.term)).of(AppendEntries)
    assert [message.receiver for message in again] == [3]


def test_a_learner_receives_and_does_not_vote_or_count() -> None:
    raft = leader(commit=True)
    index = raft.propose_config(ConfigChange(ChangeKind.ADD_LEARNER, 3))
    assert 3 in {message.receiver for message in drain(raft).of(AppendEntries)}
    answer(raft, *accept(raft, index, 3))
    assert raft.commit_index == index - 1
    learner = node(id=3, learners=(3,))
    time_out(learner)
    assert role_of(learner) is Role.FOLLOWER
    answer(learner, TimeoutNow(0, 3, 0))
    assert role_of(learner) is Role.FOLLOWER


def test_one_change_at_a_time() -> None:
    raft = leader(commit=True)
    raft.propose_config(ADD_3)
    with pytest.raises(ChangeRefused, match="not committed"):
        raft.propose_config(ConfigChange(ChangeKind.ADD_VOTER, 4))


def test_no_change_before_the_leader_committed_in_its_term() -> None:
    with pytest.raises(ChangeRefused, match="of its term"):
        leader().propose_config(ADD_3)


@pytest.mark.parametrize(
    "change",
    [
        ConfigChange(ChangeKind.ADD_VOTER, 1),
        ConfigChange(ChangeKind.REMOVE, 9),
    ],
)
def test_a_change_must_change_something(change: ConfigChange) -> None:
    with pytest.raises(ChangeRefused):
        leader(commit=True).propose_config(change)


def test_the_last_voter_stays() -> None:
    raft = leader(voters=(0,), commit=True)
    with pytest.raises(ChangeRefused, match="last voter"):
        raft.propose_config(ConfigChange(ChangeKind.REMOVE, 0))


def test_a_removed_peer_is_not_counted_and_not_sent_to() -> None:
    raft = leader(commit=True)
    index = raft.propose_config(ConfigChange(ChangeKind.REMOVE, 2))
    assert {message.receiver for message in drain(raft).of(AppendEntries)} == {1}
    answer(raft, *accept(raft, index, 2))
    assert raft.commit_index == index - 1
    answer(raft, *accept(raft, index, 1))
    assert raft.commit_index == index


def test_a_leader_that_is_removed_steps_down_once_that_is_committed() -> None:
    raft = leader(commit=True)
    index = raft.propose_config(ConfigChange(ChangeKind.REMOVE, 0))
    drain(raft)
    answer(raft, *accept(raft, index, 1))
    assert role_of(raft) is Role.LEADER, "it does not count itself any more"
    output = answer(raft, *accept(raft, index, 2))
    assert role_of(raft) is Role.FOLLOWER
    assert {message.commit for message in output.of(Heartbeat)} == {index}
    assert time_out(raft).messages == []


def test_a_change_that_is_truncated_is_taken_back() -> None:
    raft = node(term=1)
    answer(raft, AppendEntries(1, 0, 1, 0, 0, (config_entry(1, 1, {0, 1, 2, 3}),), 0))
    assert raft.configuration.voters == {0, 1, 2, 3}
    noop = Entry(1, 2, EntryKind.NOOP, b"")
    answer(raft, AppendEntries(2, 0, 2, 0, 0, (noop,), 0))
    assert raft.configuration.voters == {0, 1, 2}


def test_a_node_that_holds_its_own_removal_uncommitted_still_runs() -> None:
    """It may hold the longest log; without it nobody could be elected (4.2.2)."""
    raft = node(term=1)
    answer(raft, AppendEntries(1, 0, 1, 0, 0, (config_entry(1, 1, {1, 2}),), 0))
    assert {message.receiver for message in time_out(raft).of(PreVote)} == {1, 2}
    raft = node(term=1)
    answer(raft, AppendEntries(1, 0, 1, 0, 0, (config_entry(1, 1, {1, 2}),), 1))
    assert time_out(raft).messages == []


def test_a_node_that_joins_takes_no_part_until_it_is_told() -> None:
    raft = node(id=3, voters=())
    assert time_out(raft).messages == []
    answer(raft, AppendEntries(0, 3, 1, 0, 0, (config_entry(1, 1, {0, 1, 2, 3}),), 1))
    assert raft.configuration.voters == {0, 1, 2, 3}
