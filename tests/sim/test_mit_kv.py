"""The scenarios of MIT 6.5840's key-value service on Raft (lab 4), named after its tests.

Every run checks the invariants after each step, that calls take effect exactly once, that the
history is linearizable, and that the cluster comes to life again in the end.
"""

from __future__ import annotations

import pytest

from kvtop.workload.linearizability import OpKind
from tests.sim.cluster import Cluster
from tests.sim.machine import Command, Result
from tests.sim.parameters import NetworkQuality, Parameters
from tests.sim.runner import simulate

_UNRELIABLE = NetworkQuality(drop=0.1, duplicate=0.05, delay=(100, 27_000), straggle=0.05)
_GOOD = NetworkQuality()
_QUIET = ("network",)
"""A fault that is struck only after the end of the run."""


def _scenario(
    clients: int,
    *faults: str,
    network: NetworkQuality = _GOOD,
    keys: int = 5,
    snapshots: bool = False,
) -> Parameters:
    return Parameters(
        voters=5,
        clients=clients,
        keys=keys,
        think=10_000,
        network=NetworkQuality(network.drop, network.duplicate, network.delay, network.straggle),
        faults=faults or _QUIET,
        fault_gap=(300_000, 900_000) if faults else (10**9, 10**9),
        snapshot_every=20 if snapshots else 1_000_000,
        duration=3_000_000,
    )


_SCENARIOS = {
    "one client": _scenario(1),
    "many clients": _scenario(5),
    "unreliable net, many clients": _scenario(5, network=_UNRELIABLE),
    "concurrent writes to same key, unreliable": _scenario(5, network=_UNRELIABLE, keys=1),
    "partitions, one client": _scenario(1, "partition"),
    "partitions, many clients": _scenario(5, "partition"),
    "restarts, one client": _scenario(1, "crash_all"),
    "restarts, many clients": _scenario(5, "crash_all"),
    "unreliable net, restarts, many clients": _scenario(5, "crash_all", network=_UNRELIABLE),
    "restarts, partitions, many clients": _scenario(5, "crash_all", "partition"),
    "unreliable net, restarts, partitions, many clients": _scenario(
        5, "crash_all", "partition", network=_UNRELIABLE
    ),
    "snapshots, many clients": _scenario(5, snapshots=True),
    "restarts, snapshots, many clients": _scenario(5, "crash_all", snapshots=True),
    "unreliable net, restarts, partitions, snapshots, many clients": _scenario(
        5, "crash_all", "partition", network=_UNRELIABLE, snapshots=True
    ),
}


@pytest.mark.parametrize("name", _SCENARIOS)
def test_kv(name: str) -> None:
    parameters = _SCENARIOS[name]
    report = simulate(1, parameters=parameters)
    assert report.operations - report.unanswered > 10 * parameters.clients
    assert report.undecided == 0
    assert set(report.faults) == set(parameters.faults) - set(_QUIET)
    assert bool(report.messages["InstallSnapshot"]) <= (parameters.snapshot_every == 20)


class _Call:
    """One write, asked of one node once."""

    def __init__(self, cluster: Cluster, node: int, value: str) -> None:
        self.answered = False
        client = cluster.rng.getrandbits(32)
        command = Command(client, 1, "key", OpKind.PUT, value, None)
        cluster.nodes[node].write(command.encode(), self._answer)

    def _answer(self, done: bool, result: Result) -> None:
        self.answered = done


def test_progress_in_the_majority_none_in_the_minority_and_completion_after_heal() -> None:
    cluster = Cluster(3, Parameters(voters=5))
    assert cluster.run_until(lambda: cluster.leader is not None)
    old = cluster.leader
    assert old is not None
    cluster.run(200_000)
    minority = [old.id, (old.id + 1) % 5]
    cluster.network.partition(minority, {0, 1, 2, 3, 4} - set(minority))
    lost = _Call(cluster, old.id, "minority")
    assert cluster.run_until(lambda: cluster.leader is not old)
    new = cluster.leader
    assert new is not None
    assert new.id not in minority
    cluster.run(200_000)
    kept = _Call(cluster, new.id, "majority")
    cluster.run(500_000)
    assert kept.answered
    assert not lost.answered
    assert new.machine.values == {"key": "majority"}
    assert old.machine.values == {}

    cluster.network.heal()
    again = _Call(cluster, new.id, "after")
    cluster.run(1_000_000)
    assert again.answered
    assert all(node.machine.values == {"key": "after"} for node in cluster.nodes)
