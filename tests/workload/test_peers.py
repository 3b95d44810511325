"""What a node believes of where the others listen, and which changes of members it refuses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from kvtop.workload.entries import EntryCodec
from kvtop.workload.peers import MAX_NODES, Address, Peers, addresses, members
from kvtop.workload.raft.core import Raft
from kvtop.workload.raft.types import ChangeKind, ChangeRefused, ConfigChange, Role
from kvtop.workload.raft_messages import MessageCodec
from kvtop.workload.service import MAX_BEHIND, check_change

OWN, OTHER, NEW = (Address("127.0.0.1", port) for port in (7000, 7001, 7002))


async def _peers() -> Peers:
    return Peers(0, {0: OWN, 1: OTHER}, 77, MessageCodec(77, EntryCodec()))


async def test_a_new_node_is_learnt_and_what_the_command_line_says_stays() -> None:
    peers = await _peers()
    peers.learn(members(77, {2: NEW}))
    peers.learn(members(77, {1: NEW, 2: OTHER}))
    assert peers.book == {0: OWN, 1: OTHER, 2: NEW}
    assert addresses(peers.members()) == peers.book
    assert peers.members().cluster == 77
    await peers.close()


async def test_another_cluster_and_too_many_nodes_are_not_learnt() -> None:
    peers = await _peers()
    with pytest.raises(ValueError, match="another cluster"):
        peers.learn(members(78, {2: NEW}))
    peers.learn(members(77, dict.fromkeys(range(2, 3 * MAX_NODES), NEW)))
    assert len(peers.book) == MAX_NODES
    await peers.close()


@pytest.mark.parametrize(
    ("match", "refused"), [(5000, False), (5000 - MAX_BEHIND, False), (4999 - MAX_BEHIND, True)]
)
def test_a_learner_far_behind_may_not_vote_yet(match: int, refused: bool) -> None:
    raft = SimpleNamespace(
        role=Role.LEADER, commit_index=5000, peers={3: SimpleNamespace(match=match)}
    )
    change = ConfigChange(ChangeKind.ADD_VOTER, 3)
    if refused:
        with pytest.raises(ChangeRefused, match="lacks 1001 entries"):
            check_change(change, cast(Raft, raft), {0, 3})
    else:
        check_change(change, cast(Raft, raft), {0, 3})


def test_only_known_nodes_are_added_and_any_may_be_removed() -> None:
    raft = cast(Raft, SimpleNamespace(role=Role.LEADER, commit_index=1, peers={}))
    for kind in (ChangeKind.ADD_LEARNER, ChangeKind.ADD_VOTER):
        with pytest.raises(ChangeRefused, match="node 9 is not known here"):
            check_change(ConfigChange(kind, 9), raft, {0})
    check_change(ConfigChange(ChangeKind.REMOVE, 9), raft, {0})
