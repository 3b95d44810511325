"""Every kind of Raft message over protobuf."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.workload.entries import EntryCodec
from kvtop.workload.raft import types as raft
from kvtop.workload.raft_messages import MessageCodec

ids = st.integers(0, 2**32 - 1)
numbers = st.integers(0, 2**63)
head = (ids, ids, numbers)
configurations = st.builds(
    raft.Configuration, st.frozensets(ids, max_size=3), st.frozensets(ids, max_size=2)
)
metas = st.builds(raft.SnapshotMeta, numbers, numbers, configurations)


@st.composite
def appends(draw: st.DrawFn) -> raft.AppendEntries:
    first = draw(st.integers(0, 2**60))
    items = draw(st.lists(st.tuples(numbers, st.sampled_from(raft.EntryKind), st.binary())))
    entries = tuple(raft.Entry(first + 1 + i, *item) for i, item in enumerate(items))
    return raft.AppendEntries(
        draw(ids), draw(ids), draw(numbers), first, draw(numbers), entries, draw(numbers)
    )


messages = st.one_of(
    st.builds(raft.PreVote, *head, numbers, numbers),
    st.builds(raft.PreVoteReply, *head, st.booleans()),
    st.builds(raft.Vote, *head, numbers, numbers, st.booleans()),
    st.builds(raft.VoteReply, *head, st.booleans()),
    appends(),
    st.builds(raft.AppendEntriesReply, *head, st.booleans(), numbers, numbers, st.none() | numbers),
    st.builds(raft.Heartbeat, *head, numbers, numbers),
    st.builds(raft.HeartbeatReply, *head, numbers),
    st.builds(raft.InstallSnapshot, *head, metas, numbers, numbers, st.binary(max_size=50)),
    st.builds(raft.InstallSnapshotReply, *head, numbers, numbers, st.booleans()),
    st.builds(raft.TimeoutNow, *head),
)


@given(messages)
def test_round_trip(message: raft.Message) -> None:
    codec = MessageCodec(7, EntryCodec())
    assert MessageCodec(7, EntryCodec()).decode(codec.encode(message)) == message


def test_every_message_of_the_core_has_a_form() -> None:
    kinds = {kind.__name__ for kind in raft.Message.__subclasses__()}
    assert {kind.__name__ for kind in MessageCodec(0, EntryCodec())._encoders} == kinds


def test_a_message_of_another_cluster_is_refused() -> None:
    data = MessageCodec(1, EntryCodec()).encode(raft.TimeoutNow(0, 1, 2))
    with pytest.raises(ValueError, match="another cluster"):
        MessageCodec(2, EntryCodec()).decode(data)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    try:
        MessageCodec(0, EntryCodec()).decode(data)
    except ValueError:
        pass
