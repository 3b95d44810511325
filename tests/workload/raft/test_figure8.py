"""Figure 8: an entry of an earlier term on a majority is not committed, and may be overwritten."""

from __future__ import annotations

from kvtop.workload.raft.core import Raft
from kvtop.workload.raft.types import AppendEntries, AppendEntriesReply, Vote, VoteReply
from tests.workload.raft.harness import accept, answer, append, drain, elect, node, terms_of

ALL = range(5)


def figure_8_c() -> Raft:
    """S1 leads term 4 and has brought its entry 2 of term 2 to S2 and S3: a majority."""
    s1 = node([1, 2], term=3, voters=ALL)
    elect(s1, 1, 2)
    answer(s1, *accept(s1, 2, 1, 2))
    return s1


def test_figure_8_c_an_old_entry_on_a_majority_is_not_committed() -> None:
    s1 = figure_8_c()
    assert s1.term == 4
    assert [s1.peers[peer].match for peer in (1, 2)] == [2, 2]
    assert s1.commit_index == 0


def test_figure_8_d_it_can_be_overwritten_by_a_leader_with_a_later_term() -> None:
    s3 = node([1, 2], id=2, term=4, voters=ALL)
    granted = answer(s3, Vote(4, 2, 5, 2, 3)).one(VoteReply)
    assert granted.granted
    reply = answer(s3, append(s3, (1, 1), [3], sender=4)).one(AppendEntriesReply)
    assert reply.accepted
    assert terms_of(s3) == [1, 3]


def test_figure_8_e_an_entry_of_the_own_term_on_a_majority_commits_all_before_it() -> None:
    s1 = figure_8_c()
    output = answer(s1, *accept(s1, 3, 1, 2))
    assert s1.commit_index == 3
    assert [entry.term for entry in output.committed] == [1, 2, 4]
    s3 = node([1, 2, 4], id=2, term=4, voters=ALL)
    assert not answer(s3, Vote(4, 2, 5, 2, 3)).one(VoteReply).granted


def test_figure_8_the_no_op_of_term_4_leaves_with_the_old_entries() -> None:
    s1 = node([1, 2], term=3, voters=ALL)
    first = elect(s1, 1, 2).of(AppendEntries)
    assert {message.prev_index for message in first} == {2}
    output = answer(s1, AppendEntriesReply(3, 0, 4, False, 2, 1, None))
    drain(s1)
    [message] = output.of(AppendEntries)
    assert [entry.term for entry in message.entries] == [1, 2, 4]
