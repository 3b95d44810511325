"""Whose samples a report tells apart, and where their CPU went: functions, layers, findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

from kvtop.events import Role
from kvtop.profile.advice import ENOUGH, Facts, Finding, findings
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.hotspots import hotspots
from kvtop.profile.layers import Layers, Split
from kvtop.profile.ring import Filter
from kvtop.profile.scope import Scope, TimeRange
from kvtop.report.blocks import Advice, Bars, Block, Table, Text
from kvtop.report.source import Material, Recorded
from kvtop.report.words import listing, number, percent, plural, whole
from kvtop.widgets.advice_facts import facts_of, hot_frames, hot_python
from kvtop.widgets.layer_colours import style_of
from kvtop.widgets.layer_data import ALL, Gathered, Group, GroupLayers, gather

TOP = 15
"""Functions of a table."""
_MOST_GROUPS = 8
_WORTH_A_TABLE = 0.05
"""Part of all samples from which on a command has functions of its own."""
_Z_95 = 1.96
_AFTER = 1e-3
_ROLES = (
    ("nodes", (Role.LEADER, Role.FOLLOWER, Role.CANDIDATE, Role.UNKNOWN)),
    ("leader", (Role.LEADER,)),
    ("followers", (Role.FOLLOWER,)),
    ("clients", (Role.CLIENT,)),
)


@dataclass(slots=True)
class Heat:
    """Everything on a CPU, in groups; the first of ``gathered`` is the whole that is studied."""

    layers: Layers
    gathered: Gathered
    facts: Facts
    findings: list[Finding]
    leaders: list[Finding]
    """What stands out at the leader alone."""

    @property
    def whole(self) -> GroupLayers:
        """The nodes of a cluster, or everybody."""
        return self.gathered.groups[0]

    @property
    def per_operation(self) -> float | None:
        """CPU seconds of the whole per operation, by its samples."""
        cores, operations = self.whole.cores, self.gathered.operations
        return cores / operations if cores is not None and operations else None


def heat_of(material: Material) -> Heat:
    """Judge the samples."""
    layers = Layers(material.table, material.rules)
    if material.recorded is None:
        return _of_folds(material, layers)
    store = material.recorded.store
    scope = whole_scope(material.recorded)
    gathered = gather(store, layers, scope)
    bytes_of_value = value_size(material.recorded)
    one = gathered.groups[0]
    facts = facts_of(store, layers, scope, gathered, one, bytes_of_value)
    found = findings(facts)
    leaders: list[Finding] = []
    if (leader := gathered.of("leader")) is not None:
        names = {finding.name for finding in found}
        own = findings(facts_of(store, layers, scope, gathered, leader, bytes_of_value))
        leaders = [finding for finding in own if finding.name not in names]
    return Heat(layers, gathered, facts, found, leaders)


def whole_scope(recorded: Recorded) -> Scope:
    """All of a recording, its last moment too."""
    return Scope(range=TimeRange(recorded.start, recorded.end + _AFTER))


def value_size(recorded: Recorded) -> int | None:
    """Bytes of a value, as kvtop's own clients were told; None where it is not known."""
    if recorded.meta.value_size is not None:
        return recorded.meta.value_size
    for target in recorded.history.targets.values():
        if target.role is Role.CLIENT:
            parts = target.command.split()
            for option, value in pairwise(parts):
                if option == "--value-size" and value.isdecimal():
                    return int(value)
    return None


def _of_folds(material: Material, layers: Layers) -> Heat:
    groups = [GroupLayers(Group(ALL), layers.split(material.counts), Split(), None)]
    if len(material.groups) > 1:
        heavy = sorted(material.groups.items(), key=lambda item: -sum(item[1].values()))
        for name, counts in heavy[:_MOST_GROUPS]:
            groups.append(GroupLayers(Group(name), layers.split(counts), Split(), None))
    counts, table = material.counts, material.table
    # Of milliseconds or bytes nobody knows how many are enough to judge by.
    samples = sum(counts.values()) if material.unit == "samples" else 0
    facts = Facts(
        samples=samples,
        when="the whole file",
        split=groups[0].cpu if samples else Split(),
        frames=hot_frames(layers, counts),
        interpreted=layers.interpreted(counts),
        python=hot_python(layers, counts),
        broken=sum(n for stack, n in counts.items() if table.is_broken(stack)),
        unresolved=sum(n for stack, n in counts.items() if table.leaf_unresolved(stack)),
    )
    return Heat(layers, Gathered(groups, material.seconds), facts, findings(facts), [])


# ---- functions ----------------------------------------------------------------------------------


def folds_by_role(material: Material) -> dict[str, dict[int, int]]:
    """What the tables of functions are of: the roles of a cluster, else everybody."""
    if material.recorded is not None:
        ring = material.recorded.store.ring
        found = {
            name: counts
            for name, roles in _ROLES
            if (counts := ring.fold(Filter(roles=frozenset(roles))))
        }
        if "leader" in found or "followers" in found:
            return found
    found = {ALL: material.counts}
    least = _WORTH_A_TABLE * sum(material.counts.values())
    great = {name: fold for name, fold in material.groups.items() if sum(fold.values()) >= least}
    return found | great if 1 < len(great) <= _MOST_GROUPS else found


def hot_blocks(material: Material) -> tuple[Block, ...]:
    """Tables of functions by the time they ran themselves."""
    text = "Self is where the function ran itself, total where it was anywhere on the stack"
    if has_python(material):
        text += "; the interpreter's calling machinery counts for its caller"
    if material.unit == "samples":
        text += ". ± is the error of sampling (95 %) of self"
    found: list[Block] = [Text(f"{text}.", quiet=True)]
    for name, counts in folds_by_role(material).items():
        found.append(function_table(material, name, counts))
    spied = material.recorded.store.spied if material.recorded is not None else None
    if spied is not None and len(spied):
        counts = spied.fold()
        found.append(function_table(material, "Python stacks by py-spy", counts, "samples"))
    return tuple(found)


def function_table(
    material: Material, name: str, counts: Mapping[int, int], unit: str = ""
) -> Table:
    """The hottest functions of a fold."""
    unit = unit or material.unit
    total = sum(counts.values())
    sampled = unit == "samples"
    rows, shares = [], []
    for spot in hotspots(material.table, counts, has_python(material))[:TOP]:
        if not spot.self_weight:
            break
        share = spot.self_weight / total
        error = (f"±{100 * margin(share, total):.1f}",) if sampled else ()
        rows.append(
            (
                percent(share),
                *error,
                percent(spot.total / total),
                whole(spot.self_weight),
                spot.frame.symbol,
                place(spot.frame),
            )
        )
        shares.append(share)
    head = ("Self", *(("±",) if sampled else ()), "Total", unit.capitalize(), "Function", "Where")
    align = "rrrrcc" if sampled else "rrrcc"
    caption = f"{name}: {total:,} {unit}"
    return Table(head, align, tuple(rows), caption, tuple(shares))


def margin(share: float, samples: int) -> float:
    """Half the width of the 95 % interval of a share (0..1) of so many samples."""
    return _Z_95 * sqrt(share * (1 - share) / samples) if samples else 0.0


def place(frame: Frame) -> str:
    """Where a function's code is."""
    if frame.file and frame.line:
        return f"{frame.object}:{frame.line}"
    return frame.object


def hottest(material: Material, name: str) -> tuple[Frame, float] | None:
    """The function with a name that ran most, of a role or of everybody, and its share."""
    counts = folds_by_role(material).get(name, {})
    for spot in hotspots(material.table, counts, has_python(material)):
        if spot.frame.kind is not Kind.UNKNOWN and spot.self_weight:
            return spot.frame, spot.self_weight / sum(counts.values())
    return None


def has_python(material: Material) -> bool:
    """Whether there are Python functions, to which the interpreter's work can be given."""
    table, frames = material.table, set[int]()
    for stack in material.counts:
        frames.update(table.frames(stack))
    return any(table.frame(frame).kind is Kind.PYTHON for frame in frames)


# ---- layers -------------------------------------------------------------------------------------


def layer_blocks(material: Material, heat: Heat) -> tuple[Block, ...]:
    """What the CPU time was for, by group."""
    groups = _shown_groups(material, heat)
    if not groups:
        return ()
    names = [name for name in heat.layers.names if any(one.cpu.share(name) for one in groups)]
    classes = tuple((name, style_of(name, heat.layers.names)) for name in names)
    bars = Bars(
        "CPU by layer",
        tuple(
            (one.group.name, tuple((name, one.cpu.share(name)) for name in names)) for one in groups
        ),
        classes,
    )
    costs = heat.per_operation
    head = ("Layer", *(one.group.name for one in groups))
    if costs is not None:
        head += (f"µs/operation, {heat.whole.group.name}",)
    rows = []
    for name in sorted(names, key=lambda name: -groups[0].cpu.share(name)):
        row = [name, *(percent(one.cpu.share(name)) for one in groups)]
        if costs is not None:
            row.append(number(heat.whole.cpu.share(name) * costs * 1e6))
        rows.append(tuple(row))
    totals = ["all", *(f"{one.cpu.total:,}" for one in groups)]
    if costs is not None:
        totals.append(number(costs * 1e6))
    rows.append(tuple(totals))
    caption = f"Shares of the CPU; the last row has the {material.unit}"
    table = Table(head, "l" + "r" * (len(head) - 1), tuple(rows), caption)
    text = Text(
        "Each stack is in exactly one layer: of the first frame, from the one that ran towards "
        "its caller, that a rule knows.",
        quiet=True,
    )
    return (text, bars, table, *_wait_layers(heat))


def _shown_groups(material: Material, heat: Heat) -> list[GroupLayers]:
    """Groups with samples, the clients after those that they ask."""
    groups = [one for one in heat.gathered.groups if one.cpu.total]
    if material.recorded is not None:
        targets = material.recorded.store.targets
        clients = {label for label, target in targets.items() if target.role is Role.CLIENT}
        groups.sort(key=lambda one: one.group.name in clients)
    return groups[:_MOST_GROUPS]


def _wait_layers(heat: Heat) -> tuple[Block, ...]:
    waits = heat.whole.waits
    if not heat.gathered.wait_seconds or not waits.total:
        return ()
    seconds = heat.gathered.wait_seconds
    rows = tuple(
        (name, percent(waits.share(name)), number(weight / 1e6 / seconds))
        for name, weight in sorted(waits.layers.items(), key=lambda item: -item[1])
        if weight
    )
    caption = f"Off-CPU time of {heat.whole.group.name} by layer, {number(seconds)} s recorded"
    return (Table(("Layer", "Share", "ms of waiting a second"), "lrr", rows, caption),)


# ---- findings -----------------------------------------------------------------------------------


def finding_blocks(material: Material, heat: Heat) -> tuple[Block, ...]:
    """What stands out, with its evidence and what to try."""
    if not heat.findings and not heat.leaders:
        if material.unit != "samples":
            return (Text(f"The weights are {material.unit}: findings need samples."),)
        if heat.facts.samples < ENOUGH:
            few = f"{heat.facts.samples:,} samples are too few to judge by; {ENOUGH} are needed."
            return (Text(few),)
        return (Text("Nothing stands out: no figure is past its threshold."),)
    name = heat.whole.group.name
    blocks: list[Block] = [Advice(finding, name) for finding in heat.findings]
    return (*blocks, *(Advice(finding, "leader") for finding in heat.leaders))


def finding_titles(heat: Heat) -> str:
    """All findings in one sentence, '' of none."""
    every = heat.findings + heat.leaders
    if not every:
        return ""
    titles = [f"“{finding.title}”" for finding in every[:3]]
    more = f" and {len(every) - 3} more" if len(every) > 3 else ""
    shown = listing(titles) if not more else ", ".join(titles) + more
    return f"{plural(len(every), 'finding')}: {shown}."
