"""What one node knows to be committed is never anything else, on any node, at any time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtop.workload.raft.types import Entry
from tests.sim.invariants.base import Invariant

if TYPE_CHECKING:
    from tests.sim.cluster import Cluster
    from tests.sim.node import Node


class CommittedImmutable(Invariant):
    """Remembers every committed entry of the run, and each node's commit index."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._entries: dict[int, Entry] = {}
        self._commits: dict[tuple[int, int], int] = {}

    def after_event(self, node: Node) -> None:
        log = node.raft.log
        who = (node.id, node.incarnation)
        last = self._commits.get(who, 0)
        if log.committed == last:
            return
        self._commits[who] = log.committed
        self.demand(
            log.committed <= log.last_index,
            f"node {node.id} committed {log.committed} but its log ends at {log.last_index}",
        )
        for entry in log.entries_between(max(last, log.snapshot_index) + 1, log.committed):
            known = self._entries.setdefault(entry.index, entry)
            self.demand(known == entry, f"node {node.id} commits {entry}, another did {known}")
