"""MIT 6.5840, lab 3A: leader election."""

from __future__ import annotations

import random

from tests.workload.raft.lab import ELECTION, Lab


def test_initial_election() -> None:
    lab = Lab(3)
    term = lab.check_one_leader().raft.term
    assert term >= 1
    lab.run(5 * ELECTION)
    assert lab.check_one_leader().raft.term == term, "the term changed without a failure"


def test_election_after_network_failure() -> None:
    lab = Lab(3)
    first = lab.check_one_leader().id
    lab.disconnect(first)
    second = lab.check_one_leader()
    assert second.id != first
    term = second.raft.term
    lab.connect(first)
    assert lab.check_one_leader().raft.term == term, "the old leader disturbed the new one"
    lab.disconnect(second.id, (second.id + 1) % 3)
    lab.check_no_leader()
    lab.connect((second.id + 1) % 3)
    lab.check_one_leader()
    lab.connect(second.id)
    lab.check_one_leader()


def test_many_elections_of_seven() -> None:
    lab = Lab(7)
    rng = random.Random(3)
    lab.check_one_leader()
    for _ in range(10):
        away = rng.sample(lab.ids, 3)
        lab.disconnect(*away)
        lab.check_one_leader()
        lab.connect(*away)
    lab.check_one_leader()
