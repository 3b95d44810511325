"""A leader never overwrites or deletes entries of its log (Figure 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtop.workload.raft.types import Role
from tests.sim.invariants.base import Invariant

if TYPE_CHECKING:
    from tests.sim.cluster import Cluster
    from tests.sim.node import Node


class LeaderAppendOnly(Invariant):
    """Holds on to the last entry of each leadership; LogMatching looks at what is before it."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._last: dict[int, tuple[int, int, int]] = {}

    def after_event(self, node: Node) -> None:
        raft = node.raft
        if raft.role is not Role.LEADER:
            self._last.pop(node.id, None)
            return
        log = raft.log
        term, index, last_term = self._last.get(node.id, (0, 0, 0))
        if term == raft.term:
            kept = index < log.snapshot_index or log.term_at(index) == last_term
            self.demand(kept, f"leader {node.id} of term {term} lost its entry {index}")
        self._last[node.id] = (raft.term, log.last_index, log.last_term)
