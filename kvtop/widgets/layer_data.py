"""What the layers screen shows of the store: groups of targets, their CPU and waits in layers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kvtop.events import Role, WaitState
from kvtop.profile.layers import SCHEDULER, Layers, Split
from kvtop.profile.ring import Filter, GroupKey, SampleRing, Weight
from kvtop.profile.scope import Scope
from kvtop.store import Store
from kvtop.widgets.compare import covered

NODES = "nodes"
ALL = "all"
_SERVING = (Role.LEADER, Role.FOLLOWER, Role.CANDIDATE, Role.UNKNOWN)
Counts = dict[int, int]


@dataclass(frozen=True, slots=True)
class Group:
    """Whose samples a row is of; ``labels`` and ``roles`` None is everybody's."""

    name: str
    labels: frozenset[str] | None = None
    roles: frozenset[Role] | None = None

    def filter(self, start: float | None, end: float | None, *states: WaitState) -> Filter:
        """Its samples of a stretch of time; waits of these states only, where any is given."""
        events = frozenset(state.value for state in states) or None
        return Filter(start=start, end=end, labels=self.labels, roles=self.roles, events=events)


@dataclass(slots=True)
class GroupLayers:
    """A group over the window. ``cpu`` is in samples, ``waits`` in nanoseconds."""

    group: Group
    cpu: Split
    waits: Split
    cores: float | None
    """CPU seconds a second; None where a sample stands for no known time."""


@dataclass(slots=True)
class Gathered:
    """All groups at one moment; times in seconds."""

    groups: list[GroupLayers] = field(default_factory=list)
    seconds: float = 0.0
    """Of the window for which there are samples."""
    wait_seconds: float = 0.0
    """Of the window in which waits were recorded; 0 where they never were."""
    operations: float | None = None
    """Acknowledged operations a second, where the clients are kvtop's."""

    def of(self, name: str | None) -> GroupLayers | None:
        """The group of this name."""
        return next((one for one in self.groups if one.group.name == name), None)


def groups_of(store: Store) -> list[Group]:
    """Everybody or, in a cluster, its nodes; then the roles that there are, then each target."""
    roles = {target.role for target in store.targets.values()}
    roles |= {origin.role for origin in store.ring.origins}
    found: list[Group] = []
    if Role.LEADER in roles or Role.FOLLOWER in roles:
        found.append(Group(NODES, roles=frozenset(_SERVING)))
        found.append(Group("leader", roles=frozenset((Role.LEADER,))))
        found.append(Group("followers", roles=frozenset((Role.FOLLOWER,))))
    else:
        found.append(Group(ALL))
        if len(store.targets) == 1:
            return found
    return found + [Group(label, labels=frozenset((label,))) for label in sorted(store.targets)]


def gather(store: Store, layers: Layers, scope: Scope) -> Gathered:
    """Every group's layers over the scope; targets without samples have empty ones."""
    ring, waits = store.ring, store.waits.ring
    start, end = scope.bounds(ring.last_time)
    seconds = covered(ring, scope, ring.last_time)
    wait_start, wait_end = scope.bounds(waits.last_time)
    each = seconds_per_sample(store)
    found = Gathered(
        seconds=seconds,
        wait_seconds=_recorded(store, scope),
        operations=mean_rate(store.stress.rate.since(start or 0.0), end),
    )
    cpu = _Folds(ring, start, end)
    blocked = _Folds(waits, wait_start, wait_end, WaitState.BLOCKED)
    ready = _Folds(waits, wait_start, wait_end, WaitState.READY)
    for group in groups_of(store):
        split = layers.split(cpu.of(group))
        waiting = layers.split(blocked.of(group), waiting=True)
        _add(waiting, SCHEDULER, sum(ready.of(group).values()))
        cores = None if each is None or seconds <= 0 else split.total * each / seconds
        found.groups.append(GroupLayers(group, split, waiting, cores))
    return found


def seconds_per_sample(store: Store) -> float | None:
    """CPU time that a sample stands for; None where perf was not asked for a frequency."""
    stats = store.pipeline
    return 1 / stats.frequency if stats is not None and stats.frequency > 0 else None


def mean_rate(points: list[tuple[float, float | None]], end: float | None) -> float | None:
    """Mean of the values up to ``end``; None where there is none, or nothing was done."""
    known = [value for time, value in points if value is not None and (end is None or time <= end)]
    return sum(known) / len(known) if known and any(known) else None


def _recorded(store: Store, scope: Scope) -> float:
    stats, last = store.waits.stats, store.waits.ring.last_time
    if stats is None or last is None:
        return 0.0
    start, end = scope.bounds(last)
    if start is None or end is None:
        return 0.0
    return max(0.0, min(end, last) - max(start, stats.since))


def _add(split: Split, layer: str, weight: int) -> None:
    if weight:
        split.layers[layer] = split.layers.get(layer, 0) + weight
        key = layer, "run queue"
        split.names[key] = split.names.get(key, 0) + weight
        split.total += weight


class _Folds:
    """One walk through a ring per way of grouping, for all groups together."""

    def __init__(
        self, ring: SampleRing, start: float | None, end: float | None, *states: WaitState
    ) -> None:
        whole = Group(ALL).filter(start, end, *states)
        weight: Weight = "period" if states else "samples"
        self._labels = ring.fold_by(whole, GroupKey.LABEL, weight)
        self._roles = ring.fold_by(whole, GroupKey.ROLE, weight)

    def of(self, group: Group) -> Counts:
        """Stack id -> weight."""
        if group.labels is not None:
            return _sum(self._labels.get(label, {}) for label in group.labels)
        if group.roles is not None:
            return _sum(self._roles.get(role.value, {}) for role in group.roles)
        return _sum(self._roles.values())


def _sum(folds: Iterable[Counts]) -> Counts:
    every: Counts = {}
    for fold in folds:
        for stack, weight in fold.items():
            every[stack] = every.get(stack, 0) + weight
    return every
