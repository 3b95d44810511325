"""One run: trouble, then peace, in which the cluster must come to life again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from kvtop.workload.linearizability import check
from kvtop.workload.raft.core import Raft
from tests.sim.clients import Clients
from tests.sim.cluster import Cluster
from tests.sim.invariants import Violation
from tests.sim.nemesis import Nemesis
from tests.sim.parameters import Parameters

_PEACE = 6_000_000


class Failure(Exception):
    """A run that broke a rule; replay it with the seed."""

    def __init__(self, seed: int, reason: str) -> None:
        super().__init__(f"seed {seed}: {reason}")
        self.seed = seed
        self.reason = reason


@dataclass(slots=True)
class Report:
    """What a run did; equal for equal seeds."""

    seed: int
    events: int = 0
    operations: int = 0
    unanswered: int = 0
    commits: int = 0
    terms: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)
    digest: int = 0
    undecided: int = 0
    """Keys whose history has so many unanswered calls that the search gave up."""


def simulate(
    seed: int, raft_class: type[Raft] = Raft, parameters: Parameters | None = None
) -> Report:
    """Run one seed; Failure if an invariant, linearizability or liveness does not hold."""
    try:
        return _run(seed, raft_class, parameters or Parameters.from_seed(seed))
    except Failure:
        raise
    except Violation as violation:
        raise Failure(seed, str(violation)) from violation
    except Exception as error:
        raise Failure(seed, f"{type(error).__name__}: {error}") from error


def _run(seed: int, raft_class: type[Raft], parameters: Parameters) -> Report:
    cluster = Cluster(seed, parameters, raft_class)
    clients = Clients(cluster)
    nemesis = Nemesis(cluster)
    cluster.run(parameters.duration)
    nemesis.stopped = True
    cluster.calm()
    clients.stop()
    if not cluster.run_until(lambda: clients.are_idle and _is_converged(cluster), _PEACE):
        raise Failure(seed, f"Liveness: no progress after the faults ended ({_state(cluster)})")
    clients.read_all()
    verdict = check(clients.truth())
    if verdict.violated:
        raise Failure(seed, f"Linearizability: {verdict}")
    leader = cluster.leader
    assert leader is not None
    return Report(
        seed,
        cluster.events,
        len(clients.history),
        sum(operation.is_pending for operation in clients.history),
        leader.raft.commit_index,
        leader.raft.term,
        nemesis.counts,
        cluster.network.sent,
        leader.machine.digest,
        len(verdict.undecided),
    )


def _is_converged(cluster: Cluster) -> bool:
    """Whether one leads and all members applied its whole log."""
    leader = cluster.leader
    if leader is None:
        return False
    last = leader.raft.last_index
    members = leader.raft.configuration.members
    return all(cluster.nodes[member].machine.applied == last for member in members)


def _state(cluster: Cluster) -> str:
    nodes = (
        f"{node.id}: {node.raft.role.value} of {node.raft.term}, {node.raft.commit_index}"
        f"/{node.raft.last_index}, applied {node.machine.applied}"
        for node in cluster.nodes
    )
    return "; ".join(nodes)
