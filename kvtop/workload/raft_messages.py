"""Raft messages as protobuf, both ways."""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.message import DecodeError

from kvtop.workload.entries import EntryCodec
from kvtop.workload.raft import types as raft
from kvtop.workload.rpc import raft_pb2 as pb


class MessageCodec:
    """Encodes and decodes for one node of one cluster."""

    def __init__(self, cluster: int, codec: EntryCodec) -> None:
        """``cluster``: the 64-bit id that keeps two clusters on one machine apart."""
        self._cluster = cluster
        self._codec = codec
        self._encoders: dict[type[raft.Message], Callable[..., pb.Message]] = {
            raft.PreVote: lambda m: _asked(pb.PRE_VOTE, m, False),
            raft.PreVoteReply: lambda m: pb.Message(kind=pb.PRE_VOTE_REPLY, flag=m.granted),
            raft.Vote: lambda m: _asked(pb.VOTE, m, m.transfer),
            raft.VoteReply: lambda m: pb.Message(kind=pb.VOTE_REPLY, flag=m.granted),
            raft.AppendEntries: self._encode_append,
            raft.AppendEntriesReply: _encode_append_reply,
            raft.Heartbeat: lambda m: pb.Message(
                kind=pb.HEARTBEAT, commit=m.commit, context=m.context
            ),
            raft.HeartbeatReply: lambda m: pb.Message(kind=pb.HEARTBEAT_REPLY, context=m.context),
            raft.InstallSnapshot: _encode_install,
            raft.InstallSnapshotReply: lambda m: pb.Message(
                kind=pb.INSTALL_SNAPSHOT_REPLY, index=m.index, offset=m.offset, flag=m.done
            ),
            raft.TimeoutNow: lambda m: pb.Message(kind=pb.TIMEOUT_NOW),
        }

    def encode(self, message: raft.Message) -> bytes:
        """The bytes of a message."""
        result = self._encoders[type(message)](message)
        result.sender = message.sender
        result.receiver = message.receiver
        result.term = message.term
        result.cluster = self._cluster
        return result.SerializeToString()

    def decode(self, data: bytes) -> raft.Message:
        """The message; ValueError if it is none, or of another cluster."""
        try:
            m = pb.Message.FromString(data)
        except DecodeError:
            raise ValueError("not a Raft message") from None
        if m.cluster != self._cluster:
            raise ValueError("a message of another cluster")
        head = m.sender, m.receiver, m.term
        kind = m.kind
        if kind == pb.APPEND_ENTRIES:
            count = m.count
            entries = self._codec.unpack(m.index + 1, count, m.entries) if count else ()
            return raft.AppendEntries(*head, m.index, m.log_term, entries, m.commit)
        if kind == pb.APPEND_ENTRIES_REPLY:
            conflict_term = m.conflict_term if m.HasField("conflict_term") else None
            return raft.AppendEntriesReply(*head, m.flag, m.index, m.conflict_index, conflict_term)
        if kind == pb.HEARTBEAT:
            return raft.Heartbeat(*head, m.commit, m.context)
        if kind == pb.HEARTBEAT_REPLY:
            return raft.HeartbeatReply(*head, m.context)
        return _decode_rare(m, head)

    def _encode_append(self, message: raft.AppendEntries) -> pb.Message:
        entries = message.entries
        return pb.Message(
            kind=pb.APPEND_ENTRIES,
            index=message.prev_index,
            log_term=message.prev_term,
            commit=message.commit,
            count=len(entries),
            entries=self._codec.pack(entries) if entries else b"",
        )


def _asked(kind: pb.Kind, message: raft.PreVote | raft.Vote, transfer: bool) -> pb.Message:
    return pb.Message(
        kind=kind, index=message.last_index, log_term=message.last_term, flag=transfer
    )


def _encode_append_reply(message: raft.AppendEntriesReply) -> pb.Message:
    return pb.Message(
        kind=pb.APPEND_ENTRIES_REPLY,
        flag=message.accepted,
        index=message.index,
        conflict_index=message.conflict_index,
        conflict_term=message.conflict_term,
    )


def _encode_install(message: raft.InstallSnapshot) -> pb.Message:
    meta = pb.SnapshotMeta(
        index=message.meta.index,
        term=message.meta.term,
        voters=sorted(message.meta.config.voters),
        learners=sorted(message.meta.config.learners),
    )
    return pb.Message(
        kind=pb.INSTALL_SNAPSHOT,
        meta=meta,
        offset=message.offset,
        total=message.total,
        data=message.data,
    )


def _decode_rare(m: pb.Message, head: tuple[int, int, int]) -> raft.Message:
    if m.kind == pb.PRE_VOTE:
        return raft.PreVote(*head, m.index, m.log_term)
    if m.kind == pb.PRE_VOTE_REPLY:
        return raft.PreVoteReply(*head, m.flag)
    if m.kind == pb.VOTE:
        return raft.Vote(*head, m.index, m.log_term, m.flag)
    if m.kind == pb.VOTE_REPLY:
        return raft.VoteReply(*head, m.flag)
    if m.kind == pb.INSTALL_SNAPSHOT:
        config = raft.Configuration(frozenset(m.meta.voters), frozenset(m.meta.learners))
        meta = raft.SnapshotMeta(m.meta.index, m.meta.term, config)
        return raft.InstallSnapshot(*head, meta, m.offset, m.total, m.data)
    if m.kind == pb.INSTALL_SNAPSHOT_REPLY:
        return raft.InstallSnapshotReply(*head, m.index, m.offset, m.flag)
    if m.kind == pb.TIMEOUT_NOW:
        return raft.TimeoutNow(*head)
    raise ValueError(f"a Raft message of unknown kind {m.kind}")
