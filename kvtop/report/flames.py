"""The flamegraphs of a report: on a CPU, off it, and the difference between two parts."""

from __future__ import annotations

import shlex
from dataclasses import replace

from kvtop.events import Role
from kvtop.export.svg import SvgMeta, SvgView, write_svg_groups
from kvtop.export.svg_diff import DiffMeta, write_svg_diff
from kvtop.profile.diff import BAND, Side, SymbolChange, diff_symbols
from kvtop.profile.ring import EVERYTHING, Filter, GroupKey
from kvtop.report.blocks import Block, Flame, Table
from kvtop.report.hot import has_python, place, whole_scope
from kvtop.report.source import Material, Recorded
from kvtop.report.words import percent, span
from kvtop.widgets.compare import Named, Part, named_side
from kvtop.widgets.weights import milliseconds

_VIEW = SvgView(inverted=True)
"""The root on top: a page is read downwards."""
_CHANGES = 8
_Sides = tuple[tuple[str, Named], tuple[str, Named]]
"""Before and after, each with the word for it."""


def flame_blocks(material: Material) -> tuple[Block, ...]:
    """Those that the file can feed."""
    groups = material.groups
    if len(groups) == 1:
        groups = {"": material.counts}
    found: list[Block] = []
    if material.counts:
        text = "A box is as wide as its share; click zooms, / searches, Esc goes back."
        meta = _meta(material, "On the CPU")
        svg = write_svg_groups(groups, material.table, meta, _VIEW)
        found.append(Flame("On the CPU", text, svg))
    return (*found, *_off_cpu(material), *_spied(material), *_difference(material))


def _meta(material: Material, title: str, unit: str = "") -> SvgMeta:
    unit = unit or material.unit
    if material.profile is not None:
        return replace(material.profile.meta, title=f"{title}: {material.name}", unit=unit)
    assert material.recorded is not None
    meta, history = material.recorded.meta, material.recorded.history
    last = history.pipelines[-1] if history.pipelines else None
    sampled = last if unit == "samples" else None
    return SvgMeta(
        title=f"{title}: {meta.run.title}",
        command=shlex.join(meta.command),
        host=meta.host,
        kernel=meta.kernel,
        event=sampled.event if sampled is not None else "",
        frequency=sampled.rate_text if sampled is not None else "",
        window=plain_span(material.seconds),
        version=meta.kvtop,
        unit=unit,
    )


def plain_span(seconds: float) -> str:
    """A length of time for a flamegraph's footer."""
    return span(seconds).replace("\u00a0", " ")


def _off_cpu(material: Material) -> tuple[Block, ...]:
    recorded = material.recorded
    if recorded is None or not len(recorded.store.waits.ring):
        return ()
    ring = recorded.store.waits.ring
    folds = ring.fold_by(EVERYTHING, GroupKey.LABEL, "period")
    groups = {name: kept for name, fold in folds.items() if (kept := milliseconds(fold))}
    if not groups:
        return ()
    last, stats = ring.last_time, recorded.store.waits.stats
    window = "" if last is None or stats is None else plain_span(max(0.0, last - stats.since))
    meta = replace(_meta(material, "Off the CPU", "ms"), event="waiting", window=window)
    svg = write_svg_groups(groups, material.table, meta, _VIEW)
    text = "Where threads waited, by time; the last frames are the kernel's."
    return (Flame("Off the CPU", text, svg),)


def _spied(material: Material) -> tuple[Block, ...]:
    recorded = material.recorded
    if recorded is None or not len(recorded.store.spied):
        return ()
    groups = recorded.store.spied.fold_by(EVERYTHING, GroupKey.LABEL)
    meta = replace(_meta(material, "Python stacks"), event="py-spy", frequency="")
    svg = write_svg_groups(groups, material.table, meta, _VIEW)
    return (Flame("Python stacks by py-spy", "Python's own frames, sampled apart from perf.", svg),)


# ---- the difference -----------------------------------------------------------------------------


def _difference(material: Material) -> tuple[Block, ...]:
    sides = _roles(material.recorded) if material.recorded is not None else None
    sides = sides or _halves(material)
    if sides is None:
        return ()
    (before, was), (after, now) = sides
    one, two = was.side, now.side
    if not one.weight or not two.weight:
        return ()
    title = f"{after[0].upper()}{after[1:]} against {before}"
    diff = DiffMeta(was.name, now.name, (one.seconds, two.seconds))
    meta = _meta(material, title)
    svg = write_svg_diff({"": one.counts}, {"": two.counts}, material.table, meta, diff, _VIEW)
    text = f"Red: a greater share in {after} than in {before}; blue: a smaller one."
    return (Flame(title, text, svg), _changes(material, before, after, one, two))


def _roles(recorded: Recorded) -> _Sides | None:
    store = recorded.store
    scope = whole_scope(recorded)
    until = store.ring.last_time
    found = []
    for role in (Role.FOLLOWER, Role.LEADER):
        named = named_side(store, Part(role=role), scope, until, None)
        if not named.side.weight:
            return None
        found.append(("followers" if role is Role.FOLLOWER else "leader", named))
    return found[0], found[1]


def _halves(material: Material) -> _Sides | None:
    ring = material.ring
    if ring is None or ring.first_time is None or material.seconds <= 0:
        return None
    half = material.seconds / 2
    middle = ring.first_time + half
    # A sample in the very middle must not count twice.
    second = ring.fold(Filter(start=middle))
    first = {
        stack: n - second.get(stack, 0)
        for stack, n in ring.fold().items()
        if n > second.get(stack, 0)
    }
    one, two = "first half", "second half"
    return (one, Named(Side(first, half), one)), (two, Named(Side(second, half), two))


def _changes(material: Material, before: str, after: str, one: Side, two: Side) -> Table:
    changed = [
        change
        for change in diff_symbols(material.table, one, two, fold_glue=has_python(material))
        if change.own.significant(BAND)
    ]
    rows = tuple(_change_row(change) for change in changed[:_CHANGES])
    head = ("Function", f"Self, {before}", f"Self, {after}", "Points", "z", "Where")
    caption = (
        "Greatest changes of self time that are no noise (99 %)"
        if rows
        else "No function's self time changed by more than noise (99 %)"
    )
    return Table(head, "crrrrc", rows, caption)


def _change_row(change: SymbolChange) -> tuple[str, ...]:
    own = change.own
    return (
        change.frame.symbol,
        percent(own.before_rate),
        percent(own.after_rate),
        f"{100 * own.delta:+.1f}",
        f"{own.z:+.1f}",
        place(change.frame),
    )
