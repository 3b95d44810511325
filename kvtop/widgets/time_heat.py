"""What the cells of the time map's heatmap show: counts of its columns as shades."""

from __future__ import annotations

from collections.abc import Sequence

from kvtop.profile.heat import HeatColumns
from kvtop.store import Store
from kvtop.widgets.heat_rows import CURSOR, NO_DATA, Value, level, scale_top
from kvtop.widgets.time_view import Bounds, TimeView


def measured(store: Store) -> Bounds | None:
    """From when until when samples are known; None where there is none.

    What the newest moments held is still on its way from perf; that is not "no samples".
    """
    ring, stats = store.ring, store.pipeline
    if ring.first_time is None or ring.last_time is None:
        return None
    parsed = 0.0 if stats is None else stats.time - (stats.delay or 0.0)
    return ring.first_time, max(ring.last_time, parsed)


def outside(view: TimeView, start: float, end: float) -> bool:
    """Whether nothing of [start, end) is selected although something is."""
    chosen = view.selection
    return chosen is not None and (end <= chosen.start or start >= chosen.end)


def slot_values(
    view: TimeView, heat: HeatColumns, store: Store
) -> tuple[list[Sequence[Value]], int]:
    """A row of values per part of a column, first part first, and the greatest count."""
    axis, known = heat.axis, measured(store)
    columns = range(view.first, view.last + 1)
    counts = [heat.slots(store.ring, column) for column in columns]
    most = max(map(max, counts), default=0)
    shades = [level(number, scale_top(most)) for number in range(most + 1)]
    values: list[Sequence[Value]] = []
    for column, slots in zip(columns, counts, strict=True):
        start, end = axis.bounds(column)
        if known is None or end <= known[0] or start > known[1]:
            column_values = [(NO_DATA, outside(view, start, end))] * axis.slots
        elif start >= known[0] and end <= known[1] and _one_side(view, start, end):
            out = outside(view, start, end)
            column_values = [(shades[number], out) for number in slots]
        else:
            column_values = []
            for slot, number in enumerate(slots):
                a, b = axis.bounds(column, slot)
                there = b > known[0] and a <= known[1]
                shade = shades[number] if there else NO_DATA
                column_values.append((shade, outside(view, a, b)))
        if column == view.column and view.slot is not None:
            column_values[view.slot] = CURSOR, column_values[view.slot][1]
        values.append(column_values)
    return [list(row) for row in zip(*values, strict=True)], most


def _one_side(view: TimeView, start: float, end: float) -> bool:
    """Whether all of [start, end) is selected, or none of it."""
    chosen = view.selection
    if chosen is None or end <= chosen.start or start >= chosen.end:
        return True
    return chosen.start <= start and end <= chosen.end


def target_values(
    view: TimeView, heat: HeatColumns, store: Store
) -> tuple[dict[str, list[Value]], int]:
    """A row of values per target, by name, and the greatest count."""
    axis, known = heat.axis, measured(store)
    columns = range(view.first, view.last + 1)
    counts = [heat.labels(store.ring, column) for column in columns]
    names = {name for row in counts for name in row} | set(store.targets)
    if view.label is not None:
        names &= {view.label}
    most = max((n for row in counts for n in row.values()), default=0)
    shades = [level(number, scale_top(most)) for number in range(most + 1)]
    rows: dict[str, list[Value]] = {name: [] for name in sorted(names)}
    for column, row in zip(columns, counts, strict=True):
        start, end = axis.bounds(column)
        there = known is not None and end > known[0] and start <= known[1]
        out = outside(view, start, end)
        for name, values in rows.items():
            values.append((shades[row.get(name, 0)] if there else NO_DATA, out))
    return rows, most
