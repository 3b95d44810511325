"""Pipelining and its limits, repair after losses, and what waits for the disk."""

from __future__ import annotations

from kvtop.workload.raft.core import Config
from kvtop.workload.raft.progress import ProgressState
from kvtop.workload.raft.types import (
    AppendEntries,
    AppendEntriesReply,
    Heartbeat,
    HeartbeatReply,
    Vote,
)
from tests.workload.raft.harness import (
    Output,
    accept,
    answer,
    append,
    drain,
    entries,
    leader,
    node,
    terms_of,
)


def to_node_1(output: Output) -> list[list[int]]:
    """The indexes in each AppendEntries to node 1."""
    return [
        [entry.index for entry in message.entries]
        for message in output.of(AppendEntries)
        if message.receiver == 1
    ]


def test_entries_are_sent_ahead_of_answers() -> None:
    raft = leader(commit=True)
    for _ in range(3):
        raft.propose(b"x")
        sent = to_node_1(drain(raft))
    assert sent == [[4]]
    assert raft.peers[1].inflight == 3


def test_proposals_between_two_readys_share_a_message() -> None:
    raft = leader(commit=True)
    raft.propose(b"x")
    raft.propose([b"y", b"z"])
    assert to_node_1(drain(raft)) == [[2, 3, 4]]


def test_messages_in_flight_are_limited() -> None:
    config = Config(0, max_inflight_messages=2, max_message_entries=1)
    raft = leader(commit=True, config=config)
    raft.propose([b"x"] * 5)
    assert to_node_1(drain(raft)) == [[2], [3]]
    assert to_node_1(answer(raft, *accept(raft, 2, 1))) == [[4]]
    assert to_node_1(answer(raft, *accept(raft, 4, 1))) == [[5], [6]]


def test_bytes_in_flight_are_limited() -> None:
    config = Config(0, max_inflight_bytes=250, max_message_bytes=100)
    raft = leader(commit=True, config=config)
    raft.propose([bytes(100)] * 6)
    assert to_node_1(drain(raft)) == [[2], [3], [4]]
    assert raft.peers[1].inflight_bytes == 300
    assert to_node_1(answer(raft, *accept(raft, 3, 1))) == [[5], [6]]


def test_a_message_carries_at_least_one_entry_however_large() -> None:
    raft = leader(commit=True, config=Config(0, max_message_bytes=10))
    raft.propose([bytes(100), b"x", b"y"])
    assert to_node_1(drain(raft)) == [[2], [3, 4]]


def test_a_probed_peer_gets_one_message_until_it_answers() -> None:
    raft = leader([1, 1])
    raft.propose(b"x")
    assert to_node_1(drain(raft)) == []
    assert to_node_1(answer(raft, *accept(raft, 3, 1))) == [[4]]
    assert raft.peers[1].state is ProgressState.REPLICATE


def test_lost_entries_are_found_by_heartbeats_and_sent_again() -> None:
    raft = leader(commit=True)
    raft.propose(b"x")
    drain(raft)
    for _ in range(3 * raft.config.heartbeat_ticks):
        raft.tick()
    drain(raft)
    probe = answer(raft, HeartbeatReply(1, 0, raft.term)).one(AppendEntries)
    assert (probe.prev_index, probe.entries) == (2, ())
    resent = answer(raft, AppendEntriesReply(1, 0, raft.term, False, 2, 2, None))
    assert to_node_1(resent) == [[2]]


def test_nothing_is_probed_while_answers_come() -> None:
    raft = leader(commit=True)
    answer(raft, *accept(raft, 1, 2))
    for _ in range(20):
        raft.propose(b"x")
        drain(raft)
        for _ in range(raft.config.heartbeat_ticks):
            raft.tick()
        output = answer(raft, *accept(raft, raft.last_index, 1, 2), HeartbeatReply(1, 0, raft.term))
        assert to_node_1(output) == []


def test_a_broken_connection_makes_the_leader_probe() -> None:
    raft = leader(commit=True)
    raft.propose(b"x")
    drain(raft)
    raft.report_unreachable(1)
    assert to_node_1(drain(raft)) == [[2]]


def test_late_and_doubled_answers_change_nothing() -> None:
    raft = leader(commit=True)
    raft.propose([b"x"] * 3)
    drain(raft)
    answer(raft, *accept(raft, 4, 1))
    late = AppendEntriesReply(1, 0, raft.term, False, 1, 1, None)
    assert to_node_1(answer(raft, late, late, *accept(raft, 2, 1))) == []
    assert (raft.peers[1].match, raft.peers[1].next) == (4, 5)


def test_a_late_append_never_shortens_the_log() -> None:
    raft = node(term=1)
    answer(raft, append(raft, (0, 0), [1, 1, 1], commit=1))
    for late in (append(raft, (0, 0), [1]), append(raft, (1, 1), []), append(raft, (0, 0), [])):
        assert answer(raft, late).one(AppendEntriesReply).accepted
    assert terms_of(raft) == [1, 1, 1]


def test_heartbeats_name_no_commit_index_that_the_peer_has_not_matched() -> None:
    raft = leader(commit=True)
    raft.propose([b"x"] * 3)
    drain(raft)
    answer(raft, *accept(raft, 4, 1))
    for _ in range(raft.config.heartbeat_ticks):
        raft.tick()
    beats = {message.receiver: message.commit for message in drain(raft).of(Heartbeat)}
    assert (raft.commit_index, beats) == (4, {1: 4, 2: 1})


# --- durability --------------------------------------------------------------------------------


def test_a_leaders_entries_leave_before_its_own_disk_has_them() -> None:
    raft = leader(commit=True)
    raft.propose(b"x")
    ready = raft.ready()
    assert ready is not None
    assert ready.must_sync
    assert {type(message) for message in ready.messages} == {AppendEntries}
    assert ready.messages_after_sync == ()


def test_a_quorum_of_others_commits_what_the_leaders_disk_has_not_finished() -> None:
    raft = leader(commit=True)
    raft.propose(b"x")
    drain(raft, sync=False)
    for reply in accept(raft, 2, 1, 2):
        raft.step(reply)
    output = drain(raft, sync=False)
    assert [entry.index for entry in output.committed] == [2]
    assert raft.persisted_index == 1


def test_several_readys_become_durable_together() -> None:
    raft = leader(commit=True)
    numbers = []
    for _ in range(3):
        raft.propose(b"x")
        ready = raft.ready()
        assert ready is not None
        numbers.append(ready.number)
    raft.persisted(numbers[1])
    assert raft.persisted_index == 3
    raft.persisted(numbers[2])
    assert raft.persisted_index == 4


def test_a_write_of_entries_that_were_replaced_meanwhile_proves_nothing() -> None:
    raft = node(term=1)
    raft.step(append(raft, (0, 0), [1, 1, 1]))
    first = raft.ready()
    raft.step(append(raft, (1, 1), [2], term=2, sender=2))
    second = raft.ready()
    assert first is not None and second is not None
    assert (second.truncate_from, second.entries) == (2, entries([2], 2))
    raft.persisted(first.number)
    assert raft.persisted_index == 1
    raft.persisted(second.number)
    assert raft.persisted_index == 2


def test_nothing_but_entries_and_votes_waits_for_the_disk() -> None:
    raft = node(term=1)
    raft.step(append(raft, (0, 0), [1]))
    assert raft.ready() is not None
    raft.step(Heartbeat(1, 0, 1, 0, 5))
    ready = raft.ready()
    assert ready is not None
    assert ready.messages == (HeartbeatReply(0, 1, 1, 5),)
    raft.step(append(raft, (7, 1), [1]))
    refused = raft.ready()
    assert refused is not None
    assert [type(message) for message in refused.messages] == [AppendEntriesReply]


def test_no_message_shows_a_term_that_a_crash_could_take_back() -> None:
    raft = node(term=1)
    raft.step(Vote(1, 0, 5, 0, 0))
    raft.ready()
    raft.step(Heartbeat(1, 0, 5, 0))
    ready = raft.ready()
    assert ready is not None
    assert ready.messages == ()
    assert ready.messages_after_sync == (HeartbeatReply(0, 1, 5, 0),)


def test_committed_entries_come_in_portions() -> None:
    raft = node([1] * 10, term=1, config=Config(0, max_committed_per_ready=4))
    raft.step(Heartbeat(1, 0, 1, 10))
    sizes = []
    while (ready := raft.ready()) is not None:
        sizes.append(len(ready.committed))
    assert sizes == [4, 4, 2]
