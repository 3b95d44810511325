"""Which columns of time are in view, where the cursor is and what is selected. No drawing."""

from __future__ import annotations

from collections.abc import Callable

from kvtop.profile.heat import Axis
from kvtop.profile.ring import Filter, GroupKey
from kvtop.profile.scope import TimeRange
from kvtop.profile.spikes import Spike, spikes
from kvtop.store import Store
from kvtop.widgets.figures import count, duration
from kvtop.widgets.plots import newest_time

STEPS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds a column, from which one chooses."""
Bounds = tuple[float, float]


class TimeView:
    """A window of ``cells`` columns over the store's time, the last of which is the newest.

    Once the cursor is there the window holds still. A selection is kept in seconds, so it stays
    where it is whatever the columns are.
    """

    def __init__(self, store: Store, label: str | None = None) -> None:
        self.store = store
        self.label = label
        self.step = 1.0
        self.slots = 1
        self.cells = 1
        self.column: int | None = None
        """The cursor's column; there is no cursor while None."""
        self.slot: int | None = None
        """The part of the column under the cursor; None is all of it."""
        self.selection: TimeRange | None = None
        self.anchor: Bounds | None = None
        """What the selection was begun with, as long as it follows the cursor."""
        self._last: int | None = None
        self._spike = 0

    # Columns

    @property
    def axis(self) -> Axis:
        """Columns and their parts."""
        return Axis(self.step, self.slots, self.store.info.wall_offset)

    @property
    def newest(self) -> int:
        """The column of the present."""
        return self.axis.column(newest_time(self.store))

    @property
    def oldest(self) -> int:
        """The first column that can hold anything."""
        first = self.store.ring.first_time
        start = self.store.info.started if first is None else first
        return min(self.axis.column(start), self.newest)

    @property
    def following(self) -> bool:
        """Whether the newest column stays at the right edge."""
        return self._last is None

    @property
    def last(self) -> int:
        """The column at the right edge."""
        return self.newest if self._last is None else self._last

    @property
    def first(self) -> int:
        """The column at the left edge."""
        return self.last - self.cells + 1

    @property
    def bounds(self) -> Bounds:
        """Begin and end of what is in view."""
        return self.axis.start(self.first), self.axis.start(self.last + 1)

    def follow(self) -> None:
        """Drop the cursor and keep the newest column in view."""
        self.column = self.slot = self._last = self.anchor = None

    def scroll(self, columns: int) -> None:
        """Look further back, or on; beyond the newest it follows."""
        last = self.last + columns
        least = min(self.newest, self.oldest + self.cells - 1)
        self._last = None if last >= self.newest and self.column is None else max(least, last)
        if self._last is not None:
            self._last = min(self._last, self.newest)

    def scale(self, step: int) -> None:
        """Narrower (-1) or wider (1) columns around the cursor, or up to the newest."""
        at = STEPS.index(self.step) + step
        if not 0 <= at < len(STEPS):
            return
        axis = self.axis
        middle = None if self.column is None else axis.start(self.column) + axis.step / 2
        edge = None if self._last is None else axis.start(self._last + 1)
        share = 0.0 if self.column is None else (self.last - self.column) / self.cells
        self.step = STEPS[at]
        self.slot = None
        if middle is not None:
            self.column = self.axis.column(middle)
            self._last = min(self.newest, self.column + round(share * self.cells))
        elif edge is not None:
            self._last = min(self.newest, self.axis.column(edge - self.step / 2))

    # Cursor

    def move(self, columns: int) -> None:
        """Move the cursor; the first time it comes up at the right edge."""
        if self.column is None:
            self._last = self.last
            self.column = self.last
        else:
            self.column = max(self.oldest, min(self.newest, self.column + columns))
        self._show_cursor()
        self._stretch()

    def go_to(self, column: int, stretch: bool = True) -> None:
        """Put the cursor on a column, in the middle where it was out of view.

        A selection that was begun stretches to it, unless told not to.
        """
        column = max(self.oldest, min(self.newest, column))
        if self._last is None:
            self._last = self.last
        if not self.first <= column <= self.last:
            self._last = min(self.newest, column + self.cells // 2)
        self.column, self.slot = column, None
        self._show_cursor()
        if stretch:
            self._stretch()

    def _show_cursor(self) -> None:
        if self.column is not None:
            self._last = min(max(self.last, self.column), self.column + self.cells - 1)

    def move_slot(self, step: int) -> None:
        """Move inside the column: all of it, then its parts from the first on."""
        if self.column is None:
            self.move(0)
        at = -1 if self.slot is None else self.slot
        at = max(-1, min(self.slots - 1, at + step))
        self.slot = None if at < 0 else at
        self._stretch()

    @property
    def cell(self) -> Bounds | None:
        """Begin and end of what is under the cursor."""
        return None if self.column is None else self.axis.bounds(self.column, self.slot)

    # Selection

    def toggle_anchor(self) -> None:
        """Begin a selection at the cursor, or end the one that was begun."""
        if self.anchor is not None:
            self.anchor = None
            return
        if self.column is None:
            self.move(0)
        self.begin(self.cell)

    def begin(self, cell: Bounds | None) -> None:
        """Select a cell, from which the selection can be stretched."""
        if cell is not None:
            self.anchor = cell
            self.selection = TimeRange(*cell)

    def stretch_to(self, cell: Bounds) -> None:
        """Select from where the selection was begun to a cell, both included."""
        if self.anchor is not None:
            start, end = min(self.anchor[0], cell[0]), max(self.anchor[1], cell[1])
            self.selection = TimeRange(start, end)

    def _stretch(self) -> None:
        if self.cell is not None:
            self.stretch_to(self.cell)

    def select(self, chosen: TimeRange | None) -> None:
        """Select a range, or nothing."""
        self.anchor = None
        self.selection = chosen

    def select_spike(self) -> bool:
        """Select the worst p99 spike, then the next worst, and so on; False where there is none.

        Without latencies it is where the most samples were.
        """
        stress = self.store.stress
        text: Callable[[float | None], str] = count
        name = "most samples"
        if stress.last is not None:
            name, text = "p99 spike", duration
            points = stress.p99.since(self.axis.start(self.oldest))
            found = spikes(points, stress.last.interval, latency=True)
        else:
            found = self._busiest()
        begin = self.axis.start(self.oldest)
        found = [spike for spike in found if spike.end > begin]
        if not found:
            return False
        spike = found[self._spike % len(found)]
        self._spike += 1
        start = max(spike.start, begin)
        self.select(TimeRange(start, spike.end, f"{name} {text(spike.peak)}"))
        self.go_to(self.axis.column(spike.end - 1e-6))
        return True

    def _busiest(self) -> list[Spike]:
        first, last = self.oldest, self.newest
        if last <= first:
            return []
        axis = self.axis
        start, end = axis.start(first), axis.start(last)
        labels = None if self.label is None else frozenset((self.label,))
        counts = self.store.ring.histogram(start, end, last - first, Filter(labels=labels))
        points = [(axis.start(first + at + 1), float(n)) for at, n in enumerate(counts)]
        return spikes(points, self.step)

    def to_marker(self, step: int) -> bool:
        """Put the cursor on the next marker, or the one before; False where there is none."""
        columns = sorted({self.axis.column(m.time) for m in self.store.markers.items})
        columns = [column for column in columns if column >= self.oldest]
        at = self.last + 1 if self.column is None else self.column
        if step > 0:
            found = next((c for c in columns if c > at), None)
        else:
            found = next((c for c in reversed(columns) if c < at), None)
        if found is None:
            return False
        self.go_to(found)
        return True

    def samples(self, start: float, end: float) -> int:
        """Samples of [start, end), of the one target if there is one."""
        ring = self.store.ring
        if self.label is None:
            return ring.count(start, end)
        return sum(ring.histogram_by(start, end, 1, GroupKey.LABEL).get(self.label, ()))
