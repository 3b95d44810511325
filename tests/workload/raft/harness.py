"""One core by hand: build it in a given state, feed it, and see what comes out."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from kvtop.workload.raft.core import Config, Raft, bootstrap
from kvtop.workload.raft.types import (
    AppendEntries,
    AppendEntriesReply,
    Entry,
    EntryKind,
    HardState,
    Message,
    PreVoteReply,
    ReadState,
    Role,
    SnapshotMeta,
    VoteReply,
)

M = TypeVar("M", bound=Message)


def entries(terms: Sequence[int], first: int = 1) -> tuple[Entry, ...]:
    """One entry per term; equal (index, term) have equal data."""
    return tuple(
        Entry(index, term, EntryKind.NORMAL, b"%d in %d" % (index, term))
        for index, term in enumerate(terms, first)
    )


def node(
    log: Sequence[int] = (),
    *,
    id: int = 0,
    term: int | None = None,
    vote: int | None = None,
    voters: Sequence[int] = (0, 1, 2),
    learners: Sequence[int] = (),
    snapshot: SnapshotMeta | None = None,
    config: Config | None = None,
    seed: int = 1,
) -> Raft:
    """A node that just started, with a log of entries of these terms."""
    meta = snapshot or bootstrap(voters, learners)
    if term is None:
        term = log[-1] if log else meta.term
    return Raft(
        config or Config(id),
        random.Random(seed),
        HardState(term, vote),
        meta,
        entries(log, meta.index + 1),
    )


@dataclass(slots=True)
class Output:
    """What came out of a core since the last look."""

    messages: list[Message] = field(default_factory=list)
    committed: list[Entry] = field(default_factory=list)
    reads: list[ReadState] = field(default_factory=list)

    def of(self, kind: type[M]) -> list[M]:
        """The messages of one kind."""
        return [message for message in self.messages if isinstance(message, kind)]

    def one(self, kind: type[M]) -> M:
        """The only message of its kind."""
        [message] = self.of(kind)
        return message


def drain(raft: Raft, *, sync: bool = True) -> Output:
    """Do all that the core asks for, at once; without ``sync`` the disk never finishes."""
    output = Output()
    while (ready := raft.ready()) is not None:
        output.messages += ready.messages
        if sync:
            raft.persisted(ready.number)
            output.messages += ready.messages_after_sync
        output.committed += ready.committed
        output.reads += ready.reads
        if ready.snapshot is not None:
            raft.applied(ready.snapshot.meta.index)
        if ready.committed:
            raft.applied(ready.committed[-1].index)
    return output


def answer(raft: Raft, *messages: Message) -> Output:
    """Feed messages and drain."""
    for message in messages:
        raft.step(message)
    return drain(raft)


def append(
    raft: Raft,
    prev: tuple[int, int],
    terms: Sequence[int],
    commit: int = 0,
    *,
    term: int | None = None,
    sender: int = 1,
) -> AppendEntries:
    """AppendEntries from ``sender``: after ``prev`` (index, term), entries of these terms."""
    new = entries(terms, prev[0] + 1)
    return AppendEntries(sender, raft.id, raft.term if term is None else term, *prev, new, commit)


def accept(raft: Raft, index: int, *senders: int) -> list[AppendEntriesReply]:
    """Answers that accept all up to ``index``."""
    return [AppendEntriesReply(sender, raft.id, raft.term, True, index) for sender in senders]


def role_of(raft: Raft) -> Role:
    """Its role now: a call, so that type checkers do not take it for constant."""
    return raft.role


def time_out(raft: Raft) -> Output:
    """Let the election timeout pass."""
    for _ in range(2 * raft.config.election_ticks):
        raft.tick()
        if raft.role is not Role.FOLLOWER:
            break
    return drain(raft)


def elect(raft: Raft, *voters: int) -> Output:
    """Make it leader of the next term by the votes of ``voters``; what it sends then."""
    time_out(raft)
    if raft.role is Role.PRE_CANDIDATE:
        for voter in voters:
            raft.step(PreVoteReply(voter, raft.id, raft.term + 1, True))
        drain(raft)
    assert role_of(raft) is (Role.CANDIDATE if voters else Role.LEADER)
    output = answer(raft, *(VoteReply(voter, raft.id, raft.term, True) for voter in voters))
    assert raft.role is Role.LEADER
    return output


def leader(log: Sequence[int] = (), commit: bool = False, **options: object) -> Raft:
    """A node that leads, drained; with ``commit`` its no-op is committed by node 1."""
    raft = node(log, **options)  # type: ignore[arg-type]
    others = sorted(raft.configuration.voters - {raft.id})
    elect(raft, *others)
    if commit:
        answer(raft, *accept(raft, raft.last_index, *others))
    return raft


def terms_of(raft: Raft) -> list[int]:
    """The terms of all entries in the log."""
    log = raft.log
    return [e.term for e in log.entries_between(log.snapshot_index + 1, log.last_index)]
