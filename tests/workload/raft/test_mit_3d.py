"""MIT 6.5840, lab 3D: snapshots."""

from __future__ import annotations

import pytest

from tests.workload.raft.lab import Lab


def snapshotting(servers: int = 3, *, unreliable: bool = False) -> Lab:
    """Nodes that take a snapshot every 10 entries and keep nothing behind it."""
    return Lab(servers, unreliable=unreliable, snapshot_every=10, keep_entries=0)


def write(lab: Lab, count: int, expected: int) -> None:
    """Many commands, the last of which reaches ``expected`` nodes."""
    for _ in range(count // 5):
        leader = lab.connected_leader()
        if leader is not None:
            lab.start(leader, 4)
        lab.one(expected)


def test_snapshots_keep_logs_short() -> None:
    lab = snapshotting()
    write(lab, 100, 3)
    lab.run(1_000_000)
    for node in lab.nodes:
        assert node.raft.log.snapshot_index >= 90
        assert len(node.disk.entries) < 20


@pytest.mark.parametrize("unreliable", [False, True])
@pytest.mark.parametrize("how", ["disconnect", "crash"])
def test_a_node_that_missed_the_entries_gets_a_snapshot(how: str, unreliable: bool) -> None:
    lab = snapshotting(unreliable=unreliable)
    lab.one(3)
    for turn in range(4):
        leader = lab.check_one_leader().id
        victim = (leader + 1) % 3 if turn % 2 else leader
        if how == "disconnect":
            lab.disconnect(victim)
        else:
            lab.nodes[victim].crash(0)
        write(lab, 50, 2)
        lab.check_one_leader()
        if how == "disconnect":
            lab.connect(victim)
        else:
            lab.nodes[victim].start()
        lab.one(3)
    assert lab.network.sent["InstallSnapshot"] > 0


def test_crash_and_restart_all() -> None:
    lab = snapshotting(5)
    for _ in range(3):
        write(lab, 30, 5)
        lab.restart(*lab.ids)
        lab.one(5)
    assert all(node.machine.applied > 90 for node in lab.nodes)


def test_a_snapshot_survives_the_restart_of_its_receiver_in_the_middle() -> None:
    lab = snapshotting()
    lab.one(3)
    away = (lab.check_one_leader().id + 1) % 3
    lab.disconnect(away)
    write(lab, 200, 2)
    lab.connect(away)
    assert lab.run_until(lambda: lab.network.sent["InstallSnapshotReply"] >= 1)
    lab.restart(away)
    lab.one(3)
