"""The counters pane: what perf stat counts per target, as rates, and the history of one event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.strip import Strip

from kvtop.events import CounterReading
from kvtop.profile.series import Series
from kvtop.profile.text import safe_text
from kvtop.store import Store
from kvtop.widgets.base import Help, wrap
from kvtop.widgets.chart import Line, Points, time_axis, time_span
from kvtop.widgets.figures import NONE, count, digits3
from kvtop.widgets.plots import newest_time, titled_chart
from kvtop.widgets.table import Cell, Column, LiveTable, Row

HISTORY = 120.0
"""Seconds of history in the plot."""
_LABELS = 6
IPC = "IPC"
"""The row that is worked out from cycles and instructions."""
_CELL = 6
_ALL = "all"


@dataclass(frozen=True, slots=True)
class Counter:
    """One event: its rate per second per target label, None where it was not counted.

    ``shared`` are the labels for which it was on the hardware for a part of the time only;
    ``supported`` is whether any target has ever counted it.
    """

    event: str
    rates: dict[str, float | None]
    total: float | None
    shared: frozenset[str]
    supported: bool


def counter_of(event: str, readings: dict[str, CounterReading]) -> Counter:
    """The counter of an event's newest readings."""
    rates = {
        label: r.value / r.interval if r.value is not None and r.interval > 0 else None
        for label, r in readings.items()
    }
    known = [rate for rate in rates.values() if rate is not None]
    return Counter(
        event,
        rates,
        sum(known) if known else None,
        frozenset(label for label, r in readings.items() if r.running < 0.99),
        any(r.supported for r in readings.values()),
    )


def instructions_per_cycle(cycles: Counter, instructions: Counter) -> Counter:
    """The ratio of two counters, per target and over all that have both."""
    both = {
        label: (done, spent)
        for label, done in instructions.rates.items()
        if done is not None and (spent := cycles.rates.get(label))
    }
    spent_in_all = sum(spent for _, spent in both.values())
    return Counter(
        IPC,
        {label: done / spent for label, (done, spent) in both.items()},
        sum(done for done, _ in both.values()) / spent_in_all if spent_in_all else None,
        cycles.shared | instructions.shared,
        True,
    )


def show_rate(event: str, rate: float | None) -> str:
    """A rate in the unit of its event: task and cpu clock (ms/s) as per cent of one core."""
    if rate is None:
        return NONE
    if event == IPC:
        return digits3(rate)
    if event.endswith("-clock"):
        return f"{digits3(rate / 10)}%"
    return count(rate)


class CountersPane(LiveTable[Counter]):
    """Events down, targets across; left and right choose whose history is plotted."""

    NAME = "Counters"
    COLLECTORS = ("perf_stat",)
    SORTABLE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "plot(-1)", "plot target", show=False),
        Binding("right", "plot(1)", "plot target", show=False),
    ]
    KEYS_HELP: ClassVar[list[Help]] = [
        ("↑ ↓", "choose the event that is plotted"),
        ("← →", "choose the target that is plotted"),
    ]

    def __init__(self, store: Store, *, id: str | None = None) -> None:
        super().__init__(store, id=id)
        self.plotted = _ALL
        self._labels: list[str] = []
        self._unsupported: list[str] = []

    def data_revision(self) -> object:
        # The targets' counts come one by one: all of a second together.
        counters = self.store.counters
        return int(counters.time or 0), len(counters.labels), self.store.markers.revision

    def update_data(self) -> None:
        counters = self.store.counters
        live = [label for label in self.store.targets if label in counters.labels]
        self._labels = live or counters.labels
        items = []
        for event in counters.events:
            readings = {
                label: reading
                for label in self._labels
                if (reading := counters.last(label, event)) is not None
            }
            items.append(counter_of(event, readings))
        by_name = {item.event: item for item in items if item.supported}
        if "cycles" in by_name and "instructions" in by_name:
            ratio = instructions_per_cycle(by_name["cycles"], by_name["instructions"])
            items.insert(items.index(by_name["instructions"]) + 1, ratio)
        self._unsupported = [safe_text(item.event) for item in items if not item.supported]
        self.update_items([item for item in items if item.supported])

    def describe(self) -> None:
        shown = len(self._visible_labels())
        hidden = len(self._labels) - shown
        self.set_state(
            "per second", f"{hidden} more target{'' if hidden == 1 else 's'}" if hidden > 0 else ""
        )

    def _visible_labels(self) -> list[str]:
        keys = {column.key for column, _ in self.fitted()}
        return [label for label in self._labels if label in keys]

    def columns(self) -> Sequence[Column]:
        columns = [Column("event", "event", 16, 0, right=False, grow=1)]
        if len(self._labels) > 1:
            columns.append(Column(_ALL, _ALL, _CELL, 1))
        for number, label in enumerate(self._labels):
            name = safe_text(label, 12)
            columns.append(Column(label, name, max(_CELL, len(name)), 2 + number))
        return columns

    def identity(self, item: Counter) -> str:
        return item.event

    def filter_text(self, item: Counter) -> str:
        return item.event

    def row(self, item: Counter) -> Row:
        row = {"event": Cell(safe_text(item.event))}
        row[_ALL] = Cell(show_rate(item.event, item.total), "bold")
        for label in self._labels:
            rate = item.rates.get(label)
            shared = label in item.shared and rate is not None
            text = ("~" if shared else "") + show_rate(item.event, rate)
            row[label] = Cell(text, "dim" if rate is None else "")
        return row

    def _notes(self) -> list[Strip]:
        """What this machine cannot count, in as few lines as it takes."""
        if not self._unsupported:
            return []
        text = f"not supported: {', '.join(self._unsupported)}"
        dim = self.paint("dim")
        return [self.line([(part, dim)]) for part in wrap(text, max(8, self.inner_width))]

    def draw(self, width: int, height: int) -> list[Strip]:
        notes = self._notes()
        table = self.head_height + len(self.shown)
        if table + len(notes) > height:
            return super().draw(width, height)
        plot = height - table - len(notes)
        lines = super().draw(width, table) + notes
        if plot < 5 or not self.shown:
            return lines
        return lines + self._history(width, min(plot, max(9, height // 2)))

    def _history(self, width: int, height: int) -> list[Strip]:
        counter = self.shown[self._cursor]
        span = time_span(newest_time(self.store), HISTORY, width - _LABELS - 1)
        style = self.paint("first")
        dim = self.paint("dim")
        name = safe_text(counter.event)
        whose = "all targets" if self.plotted == _ALL else safe_text(self.plotted)
        lines = titled_chart(
            self,
            [(f"─ {name}", style), (f" · {whose}", dim)],
            [Line(self._points(counter.event, span.start - 5), style)],
            span,
            height - 1,
            lambda rate: show_rate(counter.event, rate),
            _LABELS,
        )
        lines.append(self.line(time_axis(span, _LABELS, self.store.info.wall_offset, dim)))
        return lines

    def _points(self, event: str, start: float) -> Points:
        """History of an event for the targets that are plotted."""
        if event == IPC:
            spent = dict(self._points("cycles", start))
            return [
                (time, done / cycles if done is not None and (cycles := spent.get(time)) else None)
                for time, done in self._points("instructions", start)
            ]
        labels = self._labels if self.plotted == _ALL else [self.plotted]
        store = self.store.counters
        series = [s for label in labels if (s := store.series(label, event)) is not None]
        return sum_of(series, start)

    def action_plot(self, step: int) -> None:
        """Plot the history of the next target, or of all."""
        choices = [_ALL, *self._labels]
        at = choices.index(self.plotted) if self.plotted in choices else 0
        self.plotted = choices[(at + step) % len(choices)]
        self.redraw()


def sum_of(series: Sequence[Series], start: float) -> Points:
    """Several series added up: at each time, the newest value of each that is not stale.

    Readings of different targets never fall on the same instant; a target's value holds for
    two and a half of its own intervals and then no longer counts.
    """
    if len(series) == 1:
        return series[0].since(start)
    merged = sorted(
        (
            (time, number, value)
            for number, s in enumerate(series)
            for time, value in s.since(start)
        ),
        key=lambda point: point[0],
    )
    longest = max((s.since(start) for s in series), key=len, default=[])
    steps = sorted(b[0] - a[0] for a, b in pairwise(longest))
    step = steps[len(steps) // 2] if steps else 0.0
    newest: dict[int, tuple[float, float | None]] = {}
    result: list[tuple[float, float | None]] = []
    for index, (time, number, value) in enumerate(merged):
        newest[number] = time, value
        last = index + 1 == len(merged)
        # One point per interval, once the readings that belong together are all in.
        if last or merged[index + 1][0] - time > step / 2:
            fresh = [v for t, v in newest.values() if v is not None and time - t <= 2.5 * step]
            result.append((time, sum(fresh) if fresh else None))
    return result
