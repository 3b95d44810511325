"""The head of a report: three to six sentences and the figures that matter, all measured."""

from __future__ import annotations

from kvtop.events import MarkerKind, Role
from kvtop.report.blocks import Tile
from kvtop.report.figures import per_operation, serving_cores
from kvtop.report.history import AROUND, middle
from kvtop.report.hot import Heat, finding_titles, hottest, margin
from kvtop.report.method import trust
from kvtop.report.source import Material, Recorded
from kvtop.report.structure import count_of, markers_of
from kvtop.report.words import latency, listing, moment, number, percent, plural, span, whole
from kvtop.widgets.layer_data import NODES

_LAYERS = 3
_NOTEWORTHY = 0.02
"""Share of a layer below which the summary does not name it."""


def sentences(material: Material, heat: Heat) -> tuple[str, ...]:
    """What a reader has to know who reads nothing else."""
    found = []
    if material.recorded is not None:
        found += [_load(material.recorded), _cpu(material.recorded), _where(material, heat)]
        found.append(_events(material.recorded))
    else:
        found += [_profile(material), _where(material, heat)]
    found.append(finding_titles(heat))
    stream = material.recorded.history.stream if material.recorded is not None else None
    found.append(trust(material, stream))
    return tuple(sentence for sentence in found if sentence)


def _load(recorded: Recorded) -> str:
    history = recorded.history
    load = history.load()
    if load is None:
        length = span(recorded.seconds)
        processes = plural(len(history.targets), "process", "processes")
        verb = "was" if len(history.targets) == 1 else "were"
        return f"{processes[0].upper()}{processes[1:]} {verb} recorded for {length}."
    clients = max(one.clients for one in history.stress)
    text = (
        f"{plural(clients, 'client').capitalize()} completed {load.operations:,} operations in "
        f"{span(load.seconds)}, {whole(load.rate)} a second"
    )
    if load.p99 is not None and load.worst_at is not None:
        at = moment(load.worst_at - recorded.start)
        text += (
            f", at a p99 of {latency(load.p99)} (median of the intervals; the worst had "
            f"{latency(load.worst_p99)}, at {at})"
        )
    if load.errors:
        text += f"; {plural(load.errors, 'operation')} failed"
    return f"{text}."


def _cpu(recorded: Recorded) -> str:
    history = recorded.history
    cores = serving_cores(recorded)
    if cores is None:
        return ""
    who = "nodes" if history.nodes else "processes"
    together = " together"
    if len(history.serving) == 1:
        who, together = "node" if history.nodes else "process", ""
    text = f"The {who} used {number(cores)} CPU seconds a second{together}"
    cost = per_operation(recorded)
    if cost is not None:
        text += f", {latency(cost)} per operation"
    known = [(c, label) for label in history.serving if (c := history.cores(label)) is not None]
    if len(known) > 1:
        most, label = max(known)
        role = leader_text(recorded, label)
        text += f"; the most, {number(most)}, used {label}{role}"
    return f"{text}."


def leader_text(recorded: Recorded, label: str) -> str:
    """That a node led, with its part of the time; '' where it did not."""
    share = recorded.history.role_shares(label).get(Role.LEADER, 0.0)
    if not share:
        return ""
    return ", the leader" if share > 0.99 else f", which led for {percent(share, 0)} of the time"


def _events(recorded: Recorded) -> str:
    kinds = (
        (MarkerKind.ELECTION, "election", ""),
        (MarkerKind.KILL, "kill", ""),
        (MarkerKind.PAUSE, "pause", ""),
        (MarkerKind.RESTART, "restart", ""),
    )
    counts = [(count_of(recorded, kind), one, more) for kind, one, more in kinds]
    told = [plural(count, one, more) for count, one, more in counts if count]
    if not told:
        return ""
    one_only = sum(count for count, _, _ in counts) == 1
    text = f"There {'was' if one_only else 'were'} {listing(told)}"
    worst = _worst_fall(recorded)
    if worst is not None:
        what, at, before, after = worst
        text += (
            f"; within {AROUND:.0f} s of the {what} at {moment(at)} throughput fell from "
            f"{whole(before)} to {whole(after)} a second"
        )
    return f"{text}."


def _worst_fall(recorded: Recorded) -> tuple[str, float, float, float] | None:
    """Kind, time, rate before and slowest interval after of the costliest kill or pause."""
    history, found = recorded.history, []
    for marker in markers_of(recorded):
        if marker.kind not in (MarkerKind.KILL, MarkerKind.PAUSE):
            continue
        before = history.load(marker.time - AROUND, marker.time)
        after = history.load(marker.time, marker.time + AROUND)
        if before is not None and after is not None and after.slowest < before.rate:
            fall = (marker.time - recorded.start, before.rate, after.slowest)
            found.append((marker.kind.value, *fall))
    return max(found, key=lambda fall: fall[2] - fall[3], default=None)


def _profile(material: Material) -> str:
    total = sum(material.counts.values())
    text = f"{material.name} holds {total:,} {material.unit}"
    if material.seconds:
        text += f" over {span(material.seconds)}"
    if len(material.groups) > 1:
        heavy = max(material.groups, key=lambda name: sum(material.groups[name].values()))
        share = sum(material.groups[heavy].values()) / total
        text += f" of {len(material.groups)} commands; {heavy} has {percent(share)} of them"
    return f"{text}."


def _where(material: Material, heat: Heat) -> str:
    split = heat.whole.cpu
    if not split.total:
        return ""
    name = heat.whole.group.name
    ordered = sorted(split.layers, key=lambda layer: -split.share(layer))[:_LAYERS]
    named = [layer for layer in ordered if split.share(layer) >= _NOTEWORTHY]
    parts = [f"{layer} ({percent(split.share(layer))})" for layer in named]
    whose = "The nodes' CPU" if name == NODES else "The CPU"
    unit = "" if material.unit == "samples" else f", in {material.unit},"
    text = f"{whose}{unit} goes to {listing(parts)}" if parts else ""
    hot = hottest(material, name)
    if hot is None:
        return f"{text}." if text else ""
    frame, share = hot
    error = ""
    if material.unit == "samples":
        error = f" ± {100 * margin(share, split.total):.1f}"
    head = f"{text}; the hottest" if text else "The hottest"
    python = ""
    if heat.facts.python and heat.facts.samples:
        most = heat.facts.python[0]
        python = f"; of Python's functions {most.symbol} costs most, {percent(most.share)}"
    return f"{head} function, {frame.symbol}, has {percent(share)}{error} to itself{python}."


# ---- tiles --------------------------------------------------------------------------------------


def tiles(material: Material) -> tuple[Tile, ...]:
    """The figures at the top of the page."""
    found: list[Tile] = []
    recorded = material.recorded
    if recorded is not None:
        found += _load_tiles(recorded)
        cores = serving_cores(recorded)
        if cores is not None and not found:
            found.append(Tile("CPU", f"{number(cores)}", "CPU seconds a second"))
        found += _disk_tile(recorded)
    total = sum(material.counts.values())
    note = f"over {span(material.seconds)}" if material.seconds else "in this file"
    if recorded is not None:
        stream = recorded.history.stream
        made = stream.samples + stream.lost
        if made:
            note = f"{percent(stream.lost / made, 2)} lost" if stream.lost else "none lost"
    found.append(Tile(material.unit.capitalize(), f"{total:,}", note))
    return tuple(found)


def _load_tiles(recorded: Recorded) -> list[Tile]:
    load = recorded.history.load()
    if load is None:
        return []
    found = [Tile("Throughput", f"{whole(load.rate)}/s", f"{load.operations:,} operations")]
    if load.p99 is not None:
        found.append(Tile("p99", latency(load.p99), f"worst {latency(load.worst_p99)}"))
    cost = per_operation(recorded)
    if cost is not None:
        found.append(Tile("CPU per operation", latency(cost), "all nodes together"))
    return found


def _disk_tile(recorded: Recorded) -> list[Tile]:
    history = recorded.history
    leader = recorded.store.cluster.leader
    if leader is None:
        return []
    p99 = middle(one.fdatasync_p99 for one in history.statuses[leader])
    return [] if p99 is None else [Tile("fdatasync p99", latency(p99), f"{leader}, median")]
