"""Figure 7: whatever a follower's log looks like, the leader makes it equal to its own."""

from __future__ import annotations

import pytest

from kvtop.workload.raft.core import Config
from kvtop.workload.raft.types import AppendEntries, AppendEntriesReply
from tests.workload.raft.harness import answer, drain, elect, node, terms_of

LEADER = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6]
FOLLOWERS = {
    "a": [1, 1, 1, 4, 4, 5, 5, 6, 6],
    "b": [1, 1, 1, 4],
    "c": [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    "d": [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    "e": [1, 1, 1, 4, 4, 4, 4],
    "f": [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
}


@pytest.mark.parametrize("name", FOLLOWERS)
@pytest.mark.parametrize("batch", [1, 1024])
def test_figure_7(name: str, batch: int) -> None:
    follower = node(FOLLOWERS[name], id=1)
    leader = node(LEADER, id=0, term=7, config=Config(0, max_message_entries=batch))
    queue = elect(leader, 2).of(AppendEntries)
    refused = 0
    while queue:
        message = queue.pop(0)
        if message.receiver != 1:
            continue
        for reply in answer(follower, message).of(AppendEntriesReply):
            refused += not reply.accepted
            leader.step(reply)
        queue += drain(leader).of(AppendEntries)
    assert terms_of(follower) == terms_of(leader) == [*LEADER, 8]
    assert follower.log.entries_between(1, 11) == leader.log.entries_between(1, 11)
    # Section 5.3: one refusal a conflicting term, not one an entry.
    assert refused <= 2


@pytest.mark.parametrize(
    ("name", "granted"),
    [("a", True), ("b", True), ("c", False), ("d", False), ("e", True), ("f", True)],
)
def test_figure_7_which_followers_would_vote_for_this_leader(name: str, granted: bool) -> None:
    leader = node(LEADER, id=0)
    follower = node(FOLLOWERS[name], id=1)
    log = leader.log
    assert follower.log.is_up_to_date(log.last_index, log.last_term) is granted
