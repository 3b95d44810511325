"""Data that crosses the border of the Raft core; nothing here acts.

Node ids are small non-negative ints. Indexes start at 1; index 0 with term 0 is the empty log.
Everything is immutable. ``Entry`` is a named tuple because a node makes tens of thousands of
them a second and a tuple costs a quarter of a frozen dataclass.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import NamedTuple


class EntryKind(IntEnum):
    """What an entry carries. Only ``NORMAL`` entries are for the state machine."""

    NORMAL = 0
    NOOP = 1
    CONFIG = 2


class Entry(NamedTuple):
    """One slot of the replicated log. ``data`` is opaque unless ``kind`` is ``CONFIG``."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody calls
    term: int
    kind: EntryKind
    data: bytes


class Role(Enum):
    """What a node is in its current term (a learner stays a follower)."""

    FOLLOWER = "follower"
    PRE_CANDIDATE = "pre-candidate"
    CANDIDATE = "candidate"
    LEADER = "leader"


@dataclass(frozen=True, slots=True)
class HardState:
    """What must survive a crash besides the log (Figure 2, "Persistent state")."""

    term: int = 0
    vote: int | None = None


@dataclass(frozen=True, slots=True)
class Configuration:
    """Who votes and who only receives the log."""

    voters: frozenset[int]
    learners: frozenset[int] = frozenset()

    @property
    def members(self) -> frozenset[int]:
        """Voters and learners."""
        return self.voters | self.learners


class ChangeKind(Enum):
    """A single-step membership change (dissertation, 4.1)."""

    ADD_VOTER = "add-voter"
    ADD_LEARNER = "add-learner"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """Change one member. ``ADD_VOTER`` of a learner promotes it; the reverse demotes it."""

    kind: ChangeKind
    node: int


@dataclass(frozen=True, slots=True)
class SnapshotMeta:
    """The last entry that a snapshot covers, and the configuration as of that entry."""

    index: int
    term: int
    config: Configuration


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A whole snapshot as a follower received it."""

    meta: SnapshotMeta
    data: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """What every message carries. ``term`` is the sender's, save in a pre-vote (its next one)."""

    sender: int
    receiver: int
    term: int


@dataclass(frozen=True, slots=True)
class PreVote(Message):
    """Would you vote for me in ``term``? Changes nothing at the receiver (dissertation, 9.6)."""

    last_index: int
    last_term: int


@dataclass(frozen=True, slots=True)
class PreVoteReply(Message):
    """Carries the asked term if granted, the refuser's own if not."""

    granted: bool


@dataclass(frozen=True, slots=True)
class Vote(Message):
    """RequestVote of Figure 2. ``transfer``: the leader itself asked for this election."""

    last_index: int
    last_term: int
    transfer: bool = False


@dataclass(frozen=True, slots=True)
class VoteReply(Message):
    """The answer to ``Vote``."""

    granted: bool


@dataclass(frozen=True, slots=True)
class AppendEntries(Message):
    """AppendEntries of Figure 2; ``entries`` may be empty (a probe)."""

    prev_index: int
    prev_term: int
    entries: tuple[Entry, ...]
    commit: int


@dataclass(frozen=True, slots=True)
class AppendEntriesReply(Message):
    """The answer to ``AppendEntries``, durable before it leaves if it accepts.

    Accepted: ``index`` is the last index known to match the leader's log. Rejected: ``index`` is
    the refused ``prev_index``, ``conflict_term`` the term found there (``None``: log too short)
    and ``conflict_index`` the first index of that term, or the last index + 1 (section 5.3).
    """

    accepted: bool
    index: int
    conflict_index: int = 0
    conflict_term: int | None = None


@dataclass(frozen=True, slots=True)
class Heartbeat(Message):
    """Keeps followers quiet, carries the commit index, confirms reads of round ``context``."""

    commit: int
    context: int = 0


@dataclass(frozen=True, slots=True)
class HeartbeatReply(Message):
    """Echoes ``context``: the sender still followed this leader when it answered."""

    context: int = 0


@dataclass(frozen=True, slots=True)
class InstallSnapshot(Message):
    """One chunk of a snapshot of ``total`` bytes, starting at ``offset`` (Figure 13)."""

    meta: SnapshotMeta
    offset: int
    total: int
    data: bytes


@dataclass(frozen=True, slots=True)
class InstallSnapshotReply(Message):
    """``offset``: bytes held of the snapshot at ``index``. ``done``: log holds all up to it."""

    index: int
    offset: int
    done: bool


@dataclass(frozen=True, slots=True)
class TimeoutNow(Message):
    """Leadership transfer: start an election at once (dissertation, 3.10)."""


@dataclass(frozen=True, slots=True)
class ReadState:
    """The read ``context`` may be served once the state machine has applied ``index``."""

    context: int
    index: int


@dataclass(frozen=True, slots=True)
class SoftState:
    """Role, known leader and term. When the term or the role changes, the caller fails the
    proposals and reads that it still waits for: the core has forgotten them."""

    role: Role
    leader: int | None
    term: int


@dataclass(frozen=True, slots=True)
class Ready:
    """One round of work for the caller, in this order.

    1. Send ``messages`` now (a leader's entries travel while its own disk works).
    2. If ``snapshot``: store it durably, drop the whole log, load it into the state machine.
    3. If ``truncate_from``: drop stored entries from that index on. Append ``entries``, store
       ``hard_state``; make all durable. Readys become durable in the order of ``number``.
    4. Once durable: call ``Raft.persisted(number)``, then send ``messages_after_sync``. These wait
       for all earlier Readys too, even if this one has nothing to store.
    5. Apply ``committed`` (need not wait for step 3), call ``Raft.applied(index)``.
    6. Serve each of ``reads`` once its index is applied.
    """

    number: int
    soft_state: SoftState | None
    hard_state: HardState | None
    snapshot: Snapshot | None
    truncate_from: int | None
    entries: tuple[Entry, ...]
    messages: tuple[Message, ...]
    messages_after_sync: tuple[Message, ...]
    committed: tuple[Entry, ...]
    reads: tuple[ReadState, ...]

    @property
    def must_sync(self) -> bool:
        """Whether there is something to make durable."""
        return bool(
            self.entries
            or self.hard_state is not None
            or self.truncate_from is not None
            or self.snapshot is not None
        )


class NotLeader(Exception):
    """This node cannot take the request; ``leader`` is the node to ask, if known."""

    def __init__(self, leader: int | None) -> None:
        super().__init__(f"not the leader; ask {'again later' if leader is None else leader}")
        self.leader = leader


class ChangeRefused(Exception):
    """A membership change or transfer that the leader may not start now; the text says why."""
