"""At most one leader is elected in a term (Figure 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtop.workload.raft.types import Role
from tests.sim.invariants.base import Invariant

if TYPE_CHECKING:
    from tests.sim.cluster import Cluster
    from tests.sim.node import Node


class ElectionSafety(Invariant):
    """A node that crashes and leads the same term again counts as another leader."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._leaders: dict[int, tuple[int, int]] = {}

    def after_event(self, node: Node) -> None:
        if node.raft.role is not Role.LEADER:
            return
        me = (node.id, node.incarnation)
        other = self._leaders.setdefault(node.raft.term, me)
        if other != me:
            self.demand(False, f"node {node.id} and node {other[0]} lead term {node.raft.term}")
