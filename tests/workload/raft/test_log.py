"""The log against a model: followers that hear a leader's messages in any order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kvtop.workload.raft.log import RaftLog
from kvtop.workload.raft.quorum import has_quorum, quorum_index
from kvtop.workload.raft.types import AppendEntries, SnapshotMeta
from tests.workload.raft.harness import answer, append, entries, node, terms_of

terms = st.lists(st.integers(1, 5), max_size=12).map(sorted)


@given(st.data(), terms, terms)
def test_any_order_of_messages_leaves_a_prefix_of_the_leaders_log(
    data: st.DataObject, follower_terms: list[int], leader_terms: list[int]
) -> None:
    common = 0
    while follower_terms[common : common + 1] == leader_terms[common : common + 1] != []:
        common += 1
    # Without a common past equal (index, term) could mean different entries: cut the follower.
    conflicting = [
        index
        for index in range(common, min(len(follower_terms), len(leader_terms)))
        if follower_terms[index] == leader_terms[index]
    ]
    follower_terms = follower_terms[: min(conflicting, default=len(follower_terms))]
    raft = node(follower_terms, term=9)
    messages: list[AppendEntries] = []
    for _ in range(data.draw(st.integers(1, 8))):
        first = data.draw(st.integers(0, len(leader_terms)))
        last = data.draw(st.integers(first, len(leader_terms)))
        prev = (first, leader_terms[first - 1] if first else 0)
        messages.append(append(raft, prev, leader_terms[first:last]))
    matched = common
    for message in messages:
        accepted = message.prev_index <= matched
        answer(raft, message)
        if accepted:
            matched = max(matched, message.prev_index + len(message.entries))
        assert terms_of(raft)[:matched] == leader_terms[:matched]
        if matched == common:
            assert terms_of(raft) == follower_terms, "cut without a conflict"


@given(terms, st.integers(0, 12), st.integers(0, 6))
def test_searches_by_term_agree_with_a_scan(log_terms: list[int], start: int, term: int) -> None:
    cut = min(start, len(log_terms))
    base = log_terms[cut - 1] if cut else 0
    log = RaftLog(cut, base, entries(log_terms[cut:], cut + 1))
    rest = list(enumerate(log_terms[cut:], cut + 1))
    assert log.first_index_of_term(term) == next(
        (index for index, found in rest if found >= term), len(log_terms) + 1
    )
    assert log.last_index_of_term(term) == max(
        (index for index, found in rest if found <= term), default=cut
    )


@given(st.lists(st.integers(0, 9), min_size=1, max_size=7))
def test_quorum_index_is_the_highest_that_a_majority_reached(matches: list[int]) -> None:
    voters = range(len(matches))
    index = quorum_index(voters, matches.__getitem__)
    assert has_quorum(voters, [v for v in voters if matches[v] >= index])
    assert not has_quorum(voters, [v for v in voters if matches[v] > index])


def test_no_voters_have_no_quorum() -> None:
    assert quorum_index((), lambda node: 9) == 0
    assert not has_quorum((), ())


def test_restore_forgets_what_was_there() -> None:
    raft = node([1, 1, 1], term=1)
    raft.log.restore(SnapshotMeta(7, 2, raft.configuration))
    assert (raft.log.last_index, raft.log.last_term, raft.log.committed) == (7, 2, 7)
    assert raft.log.take_unstable() == (None, ())
