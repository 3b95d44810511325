"""Term, commit and applied index never fall while a node runs; the term not even by a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtop.workload.raft.types import Message, PreVote, PreVoteReply
from tests.sim.invariants.base import Invariant

if TYPE_CHECKING:
    from tests.sim.cluster import Cluster
    from tests.sim.node import Node


class Monotonic(Invariant):
    """A term that others have seen must be durable, or a crash could take it back."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._last: dict[tuple[int, int], tuple[int, int, int]] = {}

    def after_event(self, node: Node) -> None:
        raft = node.raft
        state = (raft.term, raft.log.committed, node.machine.applied)
        last = self._last.setdefault((node.id, node.incarnation), state)
        if state == last:
            return
        self._last[node.id, node.incarnation] = state
        self.demand(
            all(new >= old for new, old in zip(state, last, strict=True)),
            f"node {node.id}: (term, commit, applied) {last} became {state}",
        )
        self.demand(state[2] <= state[1], f"node {node.id} applied past its commit index")

    def on_message(self, message: Message) -> None:
        if isinstance(message, (PreVote, PreVoteReply)):
            return
        durable = self.cluster.nodes[message.sender].disk.hard_state.term
        self.demand(
            message.term <= durable,
            f"node {message.sender} speaks of term {message.term}, durable is {durable}",
        )
