"""MIT 6.5840, lab 3B: the log."""

from __future__ import annotations

from kvtop.workload.raft.types import AppendEntries
from tests.workload.raft.lab import ELECTION, Lab


def test_basic_agreement() -> None:
    lab = Lab(3)
    for _ in range(3):
        lab.one(3)


def test_rpc_bytes_each_command_goes_to_each_peer_once() -> None:
    lab = Lab(3)
    lab.one(3)
    sent: list[bytes] = []

    def count(message: object) -> None:
        if isinstance(message, AppendEntries):
            sent.extend(entry.data for entry in message.entries)

    lab._on_message.append(count)
    commands = [lab.one(3) for _ in range(10)]
    assert sorted(sent) == sorted(commands * 2)


def test_followers_fail_one_after_the_other() -> None:
    lab = Lab(3)
    lab.one(3)
    leader = lab.check_one_leader()
    lab.disconnect((leader.id + 1) % 3)
    lab.one(2)
    lab.disconnect((leader.id + 2) % 3)
    [command] = lab.start(leader)
    lab.run(2 * ELECTION)
    assert lab.holders(command) == []


def test_leaders_fail_one_after_the_other() -> None:
    lab = Lab(3)
    lab.one(3)
    first = lab.check_one_leader()
    lab.disconnect(first.id)
    lab.one(2)
    second = lab.check_one_leader()
    lab.disconnect(second.id)
    [command] = lab.start(second)
    lab.run(2 * ELECTION)
    assert lab.holders(command) == []


def test_agreement_after_a_follower_reconnects() -> None:
    lab = Lab(3)
    lab.one(3)
    away = (lab.check_one_leader().id + 1) % 3
    lab.disconnect(away)
    commands = [lab.one(2) for _ in range(4)]
    lab.connect(away)
    lab.one(3)
    assert all(lab.holders(command) == [0, 1, 2] for command in commands)


def test_no_agreement_if_too_many_followers_are_gone() -> None:
    lab = Lab(5)
    lab.one(5)
    leader = lab.check_one_leader()
    away = [(leader.id + step) % 5 for step in (1, 2, 3)]
    lab.disconnect(*away)
    [command] = lab.start(leader)
    lab.run(2 * ELECTION)
    assert lab.holders(command) == []
    lab.connect(*away)
    lab.one(5)


def test_concurrent_starts_are_all_committed() -> None:
    lab = Lab(3)
    leader = lab.check_one_leader()
    commands = [command for _ in range(20) for command in lab.start(leader)]
    assert lab.reaches(commands[-1], 3)
    assert all(lab.holders(command) == [0, 1, 2] for command in commands)


def test_rejoin_of_a_partitioned_leader() -> None:
    lab = Lab(3)
    lab.one(3)
    first = lab.check_one_leader()
    lab.disconnect(first.id)
    lost = lab.start(first, 3)
    kept = lab.one(2)
    second = lab.check_one_leader()
    lab.disconnect(second.id)
    lab.connect(first.id)
    lab.one(2)
    lab.connect(second.id)
    lab.one(3)
    assert lab.holders(kept) == [0, 1, 2]
    assert not any(lab.holders(command) for command in lost)


def test_leader_backs_up_quickly_over_incorrect_follower_logs() -> None:
    lab = Lab(5)
    lab.one(5)
    first = lab.check_one_leader()
    others = [(first.id + step) % 5 for step in range(2, 5)]
    companion = (first.id + 1) % 5
    lab.disconnect(*others)
    lab.start(first, 50)
    lab.run(ELECTION // 4)
    lab.disconnect(first.id, companion)
    lab.connect(*others)
    for _ in range(10):
        lab.one(3)
    second = lab.check_one_leader()
    spare = next(id for id in others if id != second.id)
    lab.disconnect(spare)
    lab.start(second, 50)
    lab.run(ELECTION // 4)
    lab.disconnect(*lab.ids)
    lab.connect(first.id, companion, spare)
    for _ in range(10):
        lab.one(3)
    before = lab.network.sent["AppendEntriesReply"]
    lab.connect(*lab.ids)
    lab.one(5)
    assert lab.network.sent["AppendEntriesReply"] - before < 40


def test_rpc_counts_are_not_too_high() -> None:
    lab = Lab(3)
    leader = lab.check_one_leader()
    lab.run(ELECTION)
    assert lab.network.sent.total() < 6 * 4 * 100, "too many messages while electing"
    before = lab.network.sent.total()
    for _ in range(10):
        lab.start(leader)
        lab.run(100)
    lab.run(ELECTION // 4)
    assert lab.network.sent.total() - before < (10 + 1 + 3) * 3 * 4
    before = lab.network.sent.total()
    lab.run(ELECTION)
    assert lab.network.sent.total() - before <= 100 // 2 * 2 * 2, "too many messages while idle"
