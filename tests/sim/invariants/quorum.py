"""A leader that raises the commit index finds the entry durable on a majority of the voters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtop.workload.raft.quorum import has_quorum
from kvtop.workload.raft.types import Role
from tests.sim.invariants.base import Invariant

if TYPE_CHECKING:
    from tests.sim.cluster import Cluster
    from tests.sim.node import Node


class CommittedOnQuorum(Invariant):
    """Looks at the disks, of crashed nodes too: what is not synchronised does not count."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._highest = 0

    def after_event(self, node: Node) -> None:
        raft = node.raft
        index = raft.log.committed
        if raft.role is not Role.LEADER or index <= self._highest:
            return
        self._highest = index
        term = raft.log.term_at(index)
        assert term is not None
        holders = [other.id for other in self.cluster.nodes if other.disk.holds(index, term)]
        voters = sorted(raft.configuration.voters)
        self.demand(
            has_quorum(voters, holders),
            f"leader {node.id} commits {index}, but of voters {voters} only {holders} hold it",
        )
