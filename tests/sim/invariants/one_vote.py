"""A node gives at most one vote in a term, also across crashes (Figure 2, RequestVote)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtop.workload.raft.types import Message, Vote, VoteReply
from tests.sim.invariants.base import Invariant

if TYPE_CHECKING:
    from tests.sim.cluster import Cluster


class OneVote(Invariant):
    """Counts a vote when it leaves its voter; asking for votes is a vote for oneself."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._votes: dict[tuple[int, int], int] = {}

    def on_message(self, message: Message) -> None:
        if isinstance(message, Vote):
            candidate = message.sender
        elif isinstance(message, VoteReply) and message.granted:
            candidate = message.receiver
        else:
            return
        other = self._votes.setdefault((message.sender, message.term), candidate)
        self.demand(
            other == candidate,
            f"node {message.sender} votes for {other} and {candidate} in term {message.term}",
        )
