"""An entry committed in a term is in the logs of the leaders of all later terms (Figure 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtop.workload.raft.types import Role
from tests.sim.invariants.base import Invariant

if TYPE_CHECKING:
    from tests.sim.cluster import Cluster
    from tests.sim.node import Node


class LeaderCompleteness(Invariant):
    """Notes in which term each index was first known to be committed."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._committed: list[tuple[int, int]] = [(0, 0)]  # By index: (commit term, entry term).
        self._checked: set[tuple[int, int]] = set()

    def after_event(self, node: Node) -> None:
        raft = node.raft
        log = raft.log
        if raft.role is Role.LEADER and (node.id, raft.term) not in self._checked:
            self._checked.add((node.id, raft.term))
            self._check_leader(node)
        for index in range(len(self._committed), log.committed + 1):
            term = log.term_at(index)
            if term is None:
                # Compacted before this node was looked at: impossible unless it skipped ahead.
                self.demand(False, f"node {node.id} commits unknown entry {index}")
            else:
                self._committed.append((raft.term, term))

    def _check_leader(self, node: Node) -> None:
        log = node.raft.log
        for index in range(log.snapshot_index + 1, len(self._committed)):
            commit_term, term = self._committed[index]
            if commit_term < node.raft.term:
                self.demand(
                    log.term_at(index) == term,
                    f"leader {node.id} of term {node.raft.term} lacks entry {index} of term "
                    f"{term}, committed in term {commit_term}",
                )
