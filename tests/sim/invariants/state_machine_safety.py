"""No two nodes apply different entries at one index, and equal indexes mean equal states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtop.workload.raft.types import Entry
from tests.sim.invariants.base import Invariant

if TYPE_CHECKING:
    from tests.sim.cluster import Cluster
    from tests.sim.node import Node


class StateMachineSafety(Invariant):
    """Compares the digest of everything applied so far; a snapshot must carry the same one."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._digests: dict[int, int] = {}

    def on_apply(self, node: Node, entry: Entry) -> None:
        self._compare(node)

    def on_restore(self, node: Node) -> None:
        self._compare(node)

    def _compare(self, node: Node) -> None:
        machine = node.machine
        known = self._digests.setdefault(machine.applied, machine.digest)
        self.demand(known == machine.digest, f"node {node.id} differs at {machine.applied}")
