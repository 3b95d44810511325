"""The counters pane: what perf stat counts, per target, thread or core, and one event's history."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from kvtop.events import CountedBy, Health
from kvtop.profile.series import Series
from kvtop.profile.text import safe_text
from kvtop.store import CounterStore, Store
from kvtop.widgets.base import Help, wrap
from kvtop.widgets.chart import Line as Curve
from kvtop.widgets.chart import Points, time_axis, time_span
from kvtop.widgets.counter_rows import (
    ALL,
    RATIOS,
    Figures,
    Line,
    Measure,
    current_labels,
    show,
)
from kvtop.widgets.figures import span as span_text
from kvtop.widgets.line import clip_middle
from kvtop.widgets.plots import newest_time, titled_chart
from kvtop.widgets.table import Cell, Column, LiveTable, Row

HISTORY = 120.0
"""Seconds of history in the plot."""
_LABELS = 6
_CELL = 6
_NAME = 16
_LABEL = 12
"""Cells of a target's column, at most; where it stands alone it takes what its name needs."""
_THREAD = 22
_TITLES = {"context-switches": "switches", "cpu-migrations": "migrations", "page-faults": "faults"}
_IN_EVERY_KERNEL = ("context-switches", "cpu-migrations")
"""perf says "not supported" of these too, where an ordinary user may not count in the kernel."""


class CountersPane(LiveTable[Line]):
    """Events down and targets across, or threads or cores down and events across."""

    NAME = "Counters"
    COLLECTORS = ("perf_stat",)
    SORTABLE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "plot(-1)", "plot target", show=False),
        Binding("right", "plot(1)", "plot target", show=False),
        Binding("v", "whose", "targets, threads, cores", show=False),
        Binding("u", "measure", "per second, last interval, total, per operation", show=False),
    ]
    KEYS_HELP: ClassVar[list[Help]] = [
        ("↑ ↓", "choose the row that is plotted"),
        ("← →", "choose the column that is plotted"),
        ("v", "count per target, per thread, per core of the machine"),
        ("u", "per second, last interval, total, per KV operation"),
        ("", "~ marks a count that perf scaled: its event took turns on the hardware"),
    ]

    class DetailAsked(Message):
        """Counters by thread or core are wanted from now on, or, by target, no longer."""

        def __init__(self, by: CountedBy) -> None:
            super().__init__()
            self.by = by

    def __init__(self, store: Store, *, id: str | None = None) -> None:
        super().__init__(store, id=id)
        self.by = CountedBy.TARGET
        self.measure = Measure.RATE
        self.plotted = ALL
        self._labels: list[str] = []
        self._figures = Figures(store, store.counters, (), self.measure)

    @property
    def counters(self) -> CounterStore:
        """Those of targets, threads or cores."""
        return self.store.details.get(self.by, self.store.counters)

    def data_revision(self) -> object:
        # The targets' counts come one by one: all of a second together.
        counters = self.counters
        shown = self.by, self.measure, self.store.health("stat_detail")
        return int(counters.time or 0), len(counters.labels), self.store.markers.revision, shown

    def update_data(self) -> None:
        counters = self.counters
        if self.by is CountedBy.TARGET:
            live = [label for label in self.store.targets if label in counters.labels]
            self._labels = live or counters.labels
        else:
            self._labels = current_labels(counters)
        figures = self._figures = Figures(self.store, counters, self._labels, self.measure)
        if self.by is CountedBy.TARGET:
            self.update_items([figures.event_line(event) for event in figures.events])
            return
        lines = [figures.label_line(label) for label in self._labels]
        if self.by is CountedBy.THREAD:
            lines.sort(key=lambda line: -(line.values.get("task-clock") or 0))
        self.update_items(lines)

    def complaint(self) -> str:
        """Of the collector that is behind what is shown."""
        if self.by is CountedBy.TARGET:
            return super().complaint()
        status = self.store.health("stat_detail")
        works = status.health in (Health.OK, Health.STARTING)
        return "" if works else safe_text(status.reason)

    def describe(self) -> None:
        parts = [self._measure_text()]
        columns = {column.key for column, _ in self.fitted()}
        if self.by is CountedBy.TARGET:
            hidden = sum(label not in columns for label in self._labels)
            parts.append(f"{hidden} more target{'' if hidden == 1 else 's'}" if hidden > 0 else "")
        else:
            threads = self.by is CountedBy.THREAD
            parts.insert(0, f"{len(self._labels)} threads" if threads else "whole machine")
            hidden = sum(event not in columns for event in self._figures.events)
            parts.append(f"{hidden} more events" if hidden > 0 else "")
        self.set_state(*parts)

    def _measure_text(self) -> str:
        match self.measure:
            case Measure.DELTA:
                seconds = self._interval()
                return f"in {seconds:.2f} s" if seconds is not None else "last interval"
            case Measure.TOTAL:
                return "total since the start"
            case Measure.PER_OPERATION:
                stretch = self._figures.stretch
                if stretch is None or not stretch.operations:
                    return "per operation: none was acknowledged"
                length = span_text(round(stretch.end - stretch.start, 1))
                return f"per operation, of {stretch.operations:,.0f} in {length}"
            case _:
                return "per second"

    def _interval(self) -> float | None:
        """Length of the newest interval."""
        for label in self._labels:
            for event in self.counters.events[:1]:
                if (reading := self.counters.last(label, event)) is not None:
                    return reading.interval
        return None

    def columns(self) -> Sequence[Column]:
        if self.by is not CountedBy.TARGET:
            name = "thread" if self.by is CountedBy.THREAD else "core"
            width = _THREAD if self.by is CountedBy.THREAD else 10
            columns = [Column("name", name, width, 0, right=False, grow=1, middle=True)]
            for number, event in enumerate(self._figures.events):
                title = safe_text(_TITLES.get(event, event), 12)
                columns.append(Column(event, title, max(_CELL, len(title)), 1 + number))
            return columns
        columns = [Column("name", "event", _NAME, 0, right=False, grow=1)]
        if len(self._labels) > 1:
            columns.append(Column(ALL, ALL, _CELL, 1))
        room = _LABEL if len(self._labels) > 1 else max(_LABEL, self.inner_width - _NAME - 2)
        for number, label in enumerate(self._labels):
            # Its PID, at the end, tells it from others of its name.
            name = clip_middle(safe_text(label), room)
            columns.append(Column(label, name, max(_CELL, len(name)), 2 + number))
        return columns

    def identity(self, item: Line) -> str:
        return item.name

    def filter_text(self, item: Line) -> str:
        return item.name

    def row(self, item: Line) -> Row:
        row = {"name": Cell(safe_text(item.name))}
        for column, value in item.values.items():
            event = item.name if self.by is CountedBy.TARGET else column
            mark = "~" if column in item.shared and value is not None else ""
            style = "bold" if column == ALL else "dim" if value is None else ""
            row[column] = Cell(mark + show(event, value, self.measure), style)
        return row

    def empty_text(self, width: int) -> list[str]:
        if self.by is CountedBy.TARGET or self.pattern is not None:
            return super().empty_text(width)
        return [] if self.complaint() else ["counting …"]

    def _notes(self) -> list[Strip]:
        """What this machine cannot count, in as few lines as it takes."""
        missing = self._figures.unsupported
        if not missing:
            return []
        denied = [event for event in missing if event in _IN_EVERY_KERNEL]
        absent = [safe_text(event) for event in missing if event not in denied]
        parts = ((name, found) for name, found in (("permitted", denied), ("supported", absent)))
        text = "; ".join(f"not {name}: {', '.join(found)}" for name, found in parts if found)
        width = max(8, self.inner_width)
        lines, told = wrap(text, width), wrap(f"{text}; kvtop doctor says why", width)
        dim = self.paint("dim")
        # The plot needs the line more.
        return [self.line([(p, dim)]) for p in (told if len(told) == len(lines) else lines)]

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
        line = self.shown[self._cursor]
        column = self.plotted if self.plotted in line.values else next(iter(line.values), ALL)
        if self.by is CountedBy.TARGET:
            event, labels = line.name, self._labels if column == ALL else [column]
            whose = "all targets" if column == ALL else safe_text(column)
        else:
            event, labels, whose = column, [line.name], safe_text(line.name)
        span = time_span(newest_time(self.store), HISTORY, width - _LABELS - 1)
        style = self.paint("first")
        dim = self.paint("dim")
        per_operation = self.measure is Measure.PER_OPERATION
        measure = self.measure if per_operation else Measure.RATE
        what = f"{safe_text(event)} per operation" if per_operation else safe_text(event)
        lines = titled_chart(
            self,
            [(f"─ {what}", style), (f" · {whose}", dim)],
            [Curve(self._points(event, labels, span.start - 5), style)],
            span,
            height - 1,
            lambda value: show(event, value, measure),
            _LABELS,
        )
        lines.append(self.line(time_axis(span, _LABELS, self.store.info.wall_offset, dim)))
        return lines

    def _points(self, event: str, labels: Sequence[str], start: float) -> Points:
        """History of an event for these targets, or of a thread or core."""
        if self.measure is Measure.PER_OPERATION:
            return self._figures.cost_over_time(labels, event, start)
        ratio = next((ratio for ratio in RATIOS if ratio.name == event), None)
        if ratio is not None:
            whole = dict(self._points(ratio.whole, labels, start))
            scale = 100 if ratio.percent else 1
            return [
                (time, scale * part / of if part is not None and (of := whole.get(time)) else None)
                for time, part in self._points(ratio.part, labels, start)
            ]
        counters = self.counters
        series = [s for label in labels if (s := counters.series(label, event)) is not None]
        return sum_of(series, start)

    def action_plot(self, step: int) -> None:
        """Plot the history of the next target, or of all; of a thread its next event."""
        targets = self.by is CountedBy.TARGET
        choices = [ALL, *self._labels] if targets else self._figures.events
        if choices:
            at = choices.index(self.plotted) if self.plotted in choices else 0
            self.plotted = choices[(at + step) % len(choices)]
            self.redraw()

    def action_whose(self) -> None:
        """Targets, threads, cores, and targets again."""
        order = list(CountedBy)
        self.by = order[(order.index(self.by) + 1) % len(order)]
        self.plotted = ALL
        self.post_message(self.DetailAsked(self.by))
        self.refresh_data()

    def action_measure(self) -> None:
        """The next measure; costs per operation only where operations are counted."""
        order = list(Measure)
        if self.store.stress.last is None:
            order.remove(Measure.PER_OPERATION)
        at = order.index(self.measure) if self.measure in order else -1
        self.measure = order[(at + 1) % len(order)]
        self.refresh_data()


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
