"""MIT 6.5840, lab 3C: persistence."""

from __future__ import annotations

import random

import pytest

from tests.workload.raft.lab import ELECTION, Lab


def test_basic_persistence() -> None:
    lab = Lab(3)
    lab.one(3)
    lab.restart(0, 1, 2)
    lab.one(3)
    leader = lab.check_one_leader()
    lab.restart(leader.id)
    lab.one(3)
    away = (lab.check_one_leader().id + 1) % 3
    lab.disconnect(away)
    lab.one(2)
    lab.connect(away)
    lab.restart(away)
    lab.one(3)


def test_more_persistence() -> None:
    lab = Lab(5)
    for _ in range(3):
        lab.one(5)
        leader = lab.check_one_leader().id
        lab.disconnect((leader + 1) % 5, (leader + 2) % 5)
        lab.one(3)
        lab.disconnect(*lab.ids)
        lab.restart((leader + 1) % 5, (leader + 2) % 5, leader)
        lab.connect((leader + 1) % 5, (leader + 2) % 5, leader)
        lab.one(3)
        lab.connect(*lab.ids)
    lab.one(5)


def test_partitioned_leader_and_one_follower_crash_and_the_leader_restarts() -> None:
    lab = Lab(3)
    lab.one(3)
    leader = lab.check_one_leader().id
    follower, last = (leader + 1) % 3, (leader + 2) % 3
    lab.disconnect(last)
    lab.one(2)
    lab.nodes[leader].crash(0)
    lab.nodes[follower].crash(0)
    lab.connect(last)
    lab.nodes[leader].start()
    lab.one(2)
    lab.nodes[follower].start()
    lab.one(3)


@pytest.mark.parametrize("unreliable", [False, True])
def test_figure_8(unreliable: bool) -> None:
    lab = Lab(5, unreliable=unreliable, max_message_entries=1)
    rng = random.Random(8)
    for _ in range(60):
        leader = lab.leader
        if leader is not None:
            lab.start(leader)
        lab.run(rng.choice((ELECTION // 2, rng.randrange(13_000))))
        if leader is not None and leader.up:
            leader.crash(0)
        while sum(node.up for node in lab.nodes) < 3:
            rng.choice([node for node in lab.nodes if not node.up]).start()
    for node in lab.nodes:
        if not node.up:
            node.start()
    lab.one(5)


def test_unreliable_agreement() -> None:
    lab = Lab(5, unreliable=True)
    for _ in range(20):
        lab.run_until(lambda: lab.leader is not None)
        leader = lab.leader
        assert leader is not None
        lab.start(leader, 4)
        lab.one(1)
    lab.network.quality.drop = 0
    lab.one(5)


@pytest.mark.parametrize("unreliable", [False, True])
def test_churn(unreliable: bool) -> None:
    lab = Lab(5, unreliable=unreliable)
    rng = random.Random(5)
    for _ in range(40):
        node = rng.choice(lab.nodes)
        if not node.up:
            node.start()
        elif rng.random() < 0.3:
            node.crash(0)
        lab.connect(node.id)
        if rng.random() < 0.3:
            lab.disconnect(node.id)
        if lab.leader is not None:
            lab.start(lab.leader)
        lab.run(rng.randrange(ELECTION // 2))
    lab.restart(*(node.id for node in lab.nodes if not node.up))
    lab.connect(*lab.ids)
    lab.one(5)
