"""Collects from the store what the advice is judged by: one group's figures over the scope."""

from __future__ import annotations

from collections.abc import Callable

from kvtop.events import Role
from kvtop.profile.advice import Facts, Hot
from kvtop.profile.frames import Kind
from kvtop.profile.layers import OTHER, SCHEDULER, Layers
from kvtop.profile.scope import Scope
from kvtop.store import Store
from kvtop.widgets.figures import clock, span
from kvtop.widgets.layer_data import Gathered, GroupLayers, mean_rate
from kvtop.widgets.layer_frames import deciding_frames, running_frames

_MOST = 3


def facts_of(
    store: Store,
    layers: Layers,
    scope: Scope,
    gathered: Gathered,
    one: GroupLayers,
    value_size: int | None = None,
) -> Facts:
    """The figures of a group; ``value_size`` in bytes where the clients are kvtop's."""
    ring, waits = store.ring, store.waits.ring
    start, end = scope.bounds(ring.last_time)
    wait_start, wait_end = scope.bounds(waits.last_time)
    counts = ring.fold(one.group.filter(start, end))
    table = store.table
    stats = store.pipeline
    leader = store.cluster.leader
    status = store.cluster.nodes.get(leader) if leader is not None else None
    flaws = stats.flaws if stats is not None else ()
    nodes = [label for label in store.targets if _role(store, label) is not Role.CLIENT]
    chosen = [label for label in nodes if one.group.labels is None or label in one.group.labels]
    last = store.stress.last
    writes = last.writes / (last.reads + last.writes) if last and last.reads + last.writes else None
    cores = {
        label: found.cores
        for label in chosen
        if (found := gathered.of(label)) is not None and found.cores is not None
    }
    if not cores and one.cores is not None:
        cores = {one.group.name: one.cores}

    def wait_frames(layer: str, name: str) -> tuple[Hot, ...]:
        fold = waits.fold(one.group.filter(wait_start, wait_end), "period")
        named = layers.only_named(fold, layer, name, waiting=True)
        deciding = deciding_frames(layers, named, waiting=True)[:_MOST]
        return tuple(Hot(found.frame.symbol, found.share) for found in deciding)

    waited = one.waits if gathered.wait_seconds else None
    ready = 0 if waited is None else waited.named(SCHEDULER, "run queue")
    return Facts(
        samples=one.cpu.total,
        when=_when(store, gathered.seconds, end),
        split=one.cpu,
        frames=hot_frames(layers, counts),
        interpreted=layers.interpreted(counts),
        python=hot_python(layers, counts),
        broken=sum(n for stack, n in counts.items() if table.is_broken(stack)),
        unresolved=sum(n for stack, n in counts.items() if table.leaf_unresolved(stack)),
        lost=stats.lost if stats is not None else 0,
        received=stats.samples if stats is not None else 0,
        remedy=f"{flaws[0].cause}: {flaws[0].remedy}" if flaws else "",
        cores=cores,
        roles={label: _role(store, label) for label in chosen},
        operations=gathered.operations,
        writes=writes,
        p99=mean_rate(store.stress.p99.since(start or 0.0), end),
        fdatasync_p99=status.fdatasync_p99 if status is not None else None,
        value_size=value_size if last is not None else None,
        switches=_switches(store, chosen, start, end),
        waits=waited,
        ready=ready,
        wait_seconds=gathered.wait_seconds,
        wait_when=_when(store, gathered.wait_seconds, wait_end),
        waits_frames=wait_frames,
    )


def _when(store: Store, seconds: float, end: float | None) -> str:
    until = "" if end is None else f" until {clock(store.wall(end))}"
    return f"{span(round(seconds))}{until}"


def _role(store: Store, label: str) -> Role:
    status = store.cluster.nodes.get(label)
    return status.role if status is not None else store.targets[label].role


def _switches(
    store: Store, labels: list[str], start: float | None, end: float | None
) -> float | None:
    found = []
    for label in labels:
        series = store.counters.series(label, "context-switches")
        rate = None if series is None else mean_rate(series.since(start or 0.0), end)
        if rate is not None:
            found.append(rate)
    return sum(found) if found else None


def hot_frames(layers: Layers, counts: dict[int, int]) -> Callable[[str, str], tuple[Hot, ...]]:
    """The hottest functions of a layer, or of one name in it, with their parts of the fold."""
    whole = sum(counts.values()) or 1

    def hot(layer: str, name: str) -> tuple[Hot, ...]:
        chosen = layers.only_named(counts, layer, name) if name else layers.only(counts, layer)
        # What runs in the end is mostly the interpreter; what it runs for says more.
        known = layer != OTHER
        found = deciding_frames(layers, chosen, False) if known else running_frames(layers, chosen)
        return tuple(Hot(f.frame.symbol, f.weight / whole) for f in found[:_MOST])

    return hot


def hot_python(layers: Layers, counts: dict[int, int]) -> tuple[Hot, ...]:
    """Python functions by what ran under them before the next Python function."""
    table, found = layers.table, dict[int, int]()
    for stack, weight in counts.items():
        frames = table.frames(stack)
        nearest = next((f for f in reversed(frames) if table.frame(f).kind is Kind.PYTHON), None)
        if nearest is not None and layers.interpreted({stack: weight}):
            found[nearest] = found.get(nearest, 0) + weight
    whole = sum(counts.values()) or 1
    ordered = sorted(found.items(), key=lambda item: -item[1])[:_MOST]
    return tuple(Hot(table.frame(frame).symbol, weight / whole) for frame, weight in ordered)
