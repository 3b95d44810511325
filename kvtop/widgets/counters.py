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
from kvtop.widgets.base import Help
from kvtop.widgets.chart import Line, Points, time_axis, time_span
from kvtop.widgets.figures import NONE, count, digits3
from kvtop.widgets.plots import newest_time, titled_chart
from kvtop.widgets.table import Cell, Column, LiveTable, Row

HISTORY = 120.0
"""Seconds of history in the plot."""
_LABELS = 6
_CELL = 6
_ALL = "all"


@dataclass(frozen=True, slots=True)
class Counter:
    """One event: its newest reading per target label."""

    event: str
    readings: dict[str, CounterReading]

    @property
    def supported(self) -> bool:
        """Whether any target has ever counted it."""
        return any(r.supported for r in self.readings.values())

    def rate(self, label: str) -> float | None:
        """Per second of the last interval; None where it was not counted."""
        reading = self.readings.get(label)
        if reading is None or reading.value is None or reading.interval <= 0:
            return None
        return reading.value / reading.interval

    def total(self) -> float | None:
        """Sum over all targets that were counted."""
        rates = [r for label in self.readings if (r := self.rate(label)) is not None]
        return sum(rates) if rates else None


def show_rate(event: str, rate: float | None) -> str:
    """A rate in the unit of its event: task and cpu clock (ms/s) as per cent of one core."""
    if rate is None:
        return NONE
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

    def data_revision(self) -> object:
        return self.store.counters.revision, self.store.markers.revision

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
            items.append(Counter(event, readings))
        items.sort(key=lambda c: not c.supported)
        self.update_items(items)

    def describe(self) -> None:
        shown = len(self._visible_labels())
        hidden = len(self._labels) - shown
        self.set_state(f"per second · {hidden} more targets" if hidden > 0 else "per second")

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
        event = Cell(safe_text(item.event), "" if item.supported else "dim")
        row = {"event": event}
        if not item.supported:
            first = _ALL if len(self._labels) > 1 else next(iter(self._labels), _ALL)
            row[first] = Cell("not supported", "dim", wide=True)
            return row
        row[_ALL] = Cell(show_rate(item.event, item.total()), "bold")
        for label in self._labels:
            reading = item.readings.get(label)
            rate = item.rate(label)
            shared = reading is not None and reading.running < 0.99 and rate is not None
            text = ("~" if shared else "") + show_rate(item.event, rate)
            row[label] = Cell(text, "dim" if rate is None else "")
        return row

    def draw(self, width: int, height: int) -> list[Strip]:
        table = self.head_height + len(self.shown)
        plot = height - table
        if plot < 5 or not self.shown:
            return super().draw(width, height)
        plot = min(plot, max(9, height // 2))
        return super().draw(width, height - plot) + self._history(width, plot)

    def _history(self, width: int, height: int) -> list[Strip]:
        counter = self.shown[self._cursor]
        store = self.store.counters
        span = time_span(newest_time(self.store), HISTORY, width - _LABELS - 1)
        labels = self._labels if self.plotted == _ALL else [self.plotted]
        series = [s for label in labels if (s := store.series(label, counter.event)) is not None]
        style = self.paint("first")
        dim = self.paint("dim")
        name = safe_text(counter.event)
        whose = "all targets" if self.plotted == _ALL else safe_text(self.plotted)
        lines = titled_chart(
            self,
            [(f"─ {name}", style), (f" · {whose}", dim)],
            [Line(sum_of(series, span.start - 5), style)],
            span,
            height - 1,
            lambda rate: show_rate(counter.event, rate),
            _LABELS,
        )
        lines.append(self.line(time_axis(span, _LABELS, self.store.info.wall_offset, dim)))
        return lines

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
