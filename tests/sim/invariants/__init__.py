"""What must hold at every moment of every run, one file each."""

from __future__ import annotations

from tests.sim.invariants.base import Invariant, Violation
from tests.sim.invariants.committed import CommittedImmutable
from tests.sim.invariants.election_safety import ElectionSafety
from tests.sim.invariants.leader_append_only import LeaderAppendOnly
from tests.sim.invariants.leader_completeness import LeaderCompleteness
from tests.sim.invariants.log_matching import LogMatching
from tests.sim.invariants.monotonic import Monotonic
from tests.sim.invariants.one_vote import OneVote
from tests.sim.invariants.quorum import CommittedOnQuorum
from tests.sim.invariants.state_machine_safety import StateMachineSafety

ALL: tuple[type[Invariant], ...] = (
    ElectionSafety,
    OneVote,
    LeaderAppendOnly,
    LogMatching,
    CommittedImmutable,
    CommittedOnQuorum,
    LeaderCompleteness,
    StateMachineSafety,
    Monotonic,
)

__all__ = ["ALL", "Invariant", "Violation"]
