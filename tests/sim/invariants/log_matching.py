"""Logs that hold an entry of the same index and term are equal up to it (Figure 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kvtop.workload.raft.types import Entry
from tests.sim.invariants.base import Invariant

if TYPE_CHECKING:
    from tests.sim.cluster import Cluster
    from tests.sim.node import Node


class LogMatching(Invariant):
    """By induction: each (index, term) has one content and one term before it, in all logs ever."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._known: dict[tuple[int, int], tuple[int, Entry]] = {}
        self._seen: dict[int, tuple[int, Sequence[Entry]]] = {}

    def after_event(self, node: Node) -> None:
        log = node.raft.log
        entries = log.entries_between(log.snapshot_index + 1, log.last_index)
        state = (log.snapshot_index, entries)
        if self._seen.get(node.id) == state:
            return
        seen_start, seen = self._seen.get(node.id, (0, ()))
        self._seen[node.id] = state
        previous = log.snapshot_term
        offset = log.snapshot_index - seen_start
        for position, entry in enumerate(entries):
            before, previous = previous, entry.term
            old = position + offset
            if (
                0 < old < len(seen)
                and entry is seen[old]
                and entries[position - 1] is seen[old - 1]
            ):
                continue
            known = self._known.setdefault((entry.index, entry.term), (before, entry))
            self.demand(
                known == (before, entry),
                f"node {node.id} has {entry} after term {before}, elsewhere it is {known}",
            )
