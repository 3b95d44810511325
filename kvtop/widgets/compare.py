"""What a diff compares: a baseline and the present, followers and leader, two targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations

from kvtop.events import Role
from kvtop.profile.diff import Normalise, Side
from kvtop.profile.ring import GroupKey, SampleRing
from kvtop.profile.scope import Scope
from kvtop.profile.stacks import StackTable
from kvtop.profile.text import safe_text
from kvtop.profile.tree import TreeOptions
from kvtop.store import Store

_MOST_TARGETS = 8
"""Targets of which every pair is offered."""


class Baseline:
    """A fold that was put aside, with the stacks that it is made of, until ``let_go``."""

    def __init__(
        self, table: StackTable, counts: Mapping[int, int], seconds: float, text: str
    ) -> None:
        self.side = Side(dict(counts), seconds)
        self.text = text
        self._table = table
        for stack in self.side.counts:
            table.retain(stack)

    def let_go(self) -> None:
        """Give the stacks back; not to be used afterwards."""
        for stack in self.side.counts:
            self._table.release(stack)


@dataclass(frozen=True, slots=True)
class Part:
    """One half of a pair: the baseline, what is shown, or only a role or a target of that."""

    role: Role | None = None
    label: str | None = None
    baseline: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """What is compared with what."""

    before: Part
    after: Part

    def turned(self) -> Pair:
        """The other way round."""
        return Pair(self.after, self.before)


@dataclass(frozen=True, slots=True)
class Named:
    """A side and its name; ``remark`` says what a reader has to know of it."""

    side: Side
    name: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a diff shows, to be saved: ``stretch`` says of which time, ``options`` how it is drawn.

    ``words`` is all of it in one line.
    """

    before: Named
    after: Named
    normalise: Normalise
    stretch: str
    words: str
    options: TreeOptions


def pairs(store: Store, baseline: bool, label: str | None = None) -> list[Pair]:
    """The comparisons that can be made now, the most wanted first.

    A baseline is compared with all targets, or with the one that is shown alone.
    """
    found = [Pair(Part(baseline=True), Part(label=label))] if baseline else []
    roles = {origin.role for origin in store.ring.origins}
    if {Role.LEADER, Role.FOLLOWER} <= roles:
        found.append(Pair(Part(role=Role.FOLLOWER), Part(role=Role.LEADER)))
    targets = [t.label for t in store.targets.values() if t.role is not Role.CLIENT]
    for one, two in combinations(sorted(targets)[:_MOST_TARGETS], 2):
        found.append(Pair(Part(label=one), Part(label=two)))
    return found


def covered(ring: SampleRing, scope: Scope, until: float | None) -> float:
    """Seconds of a scope for which there are samples, from the first that the ring holds on."""
    start, end = scope.bounds(until)
    first, last = ring.first_time, ring.last_time
    if start is None or end is None or first is None or last is None:
        return 0.0
    return max(0.0, min(end, last) - max(start, first))


def named_side(
    store: Store, part: Part, scope: Scope, until: float | None, baseline: Baseline | None
) -> Named:
    """The samples of one half; ``until`` is the newest moment of a moving window."""
    if part.baseline and baseline is not None:
        return Named(baseline.side, f"baseline {baseline.text}")
    ring = store.ring
    seconds = covered(ring, scope, until)
    wanted = scope.filter(until, part.label)
    if part.label is not None:
        return Named(Side(ring.fold(wanted), seconds), safe_text(part.label))
    if part.role is None:
        name = "now" if scope.range is None else "selected"
        return Named(Side(ring.fold(wanted), seconds), name)
    wanted = replace(wanted, roles=frozenset((part.role,)))
    counts = ring.fold(wanted)
    if part.role is Role.LEADER:
        return Named(Side(counts, seconds), "leader")
    mine = ring.fold_by(wanted, GroupKey.LABEL)
    leaders = ring.fold_by(replace(wanted, roles=frozenset((Role.LEADER,))), GroupKey.LABEL)
    if mine.keys() & leaders.keys():
        # Who followed for how long is not known: a second is one of all followers together.
        return Named(Side(counts, seconds), "followers together", "the leader changed meanwhile")
    number = max(1, len(mine))
    name = "follower" if number == 1 else f"mean of {number} followers"
    return Named(Side(counts, seconds * number), name)
