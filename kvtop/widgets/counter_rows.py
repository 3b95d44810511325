"""What the counters pane shows, worked out of the store: rates, totals, ratios, costs per op.

Per-operation figures take counts and acknowledged operations of exactly the same stretch of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from kvtop.profile.cumulative import Cumulative
from kvtop.store import CounterStore, Store
from kvtop.widgets.figures import NONE, count, digits3, duration

ALL = "all"
"""The column that adds up the targets."""
FDATASYNCS = "fdatasyncs"
"""The row per operation that the nodes' own status gives, not perf."""
OP_SECONDS = 5.0
"""Costs per operation are of about the last so many seconds."""
_STALE = 3.5


class Measure(StrEnum):
    """What is shown of a counter."""

    RATE = "per second"
    DELTA = "last interval"
    TOTAL = "total"
    PER_OPERATION = "per operation"


@dataclass(frozen=True, slots=True)
class Ratio:
    """A row that is worked out of two counters; shown below its ``part``."""

    name: str
    part: str
    whole: str
    percent: bool = True


RATIOS = (
    Ratio("IPC", "instructions", "cycles", percent=False),
    Ratio("cache-miss rate", "cache-misses", "cache-references"),
    Ratio("branch-miss rate", "branch-misses", "branches"),
    # Intel's top-down method, level 1: pipeline slots by what became of them.
    Ratio("retiring", "topdown-retiring", "slots"),
    Ratio("bad speculation", "topdown-bad-spec", "slots"),
    Ratio("frontend bound", "topdown-fe-bound", "slots"),
    Ratio("backend bound", "topdown-be-bound", "slots"),
)
_RATIOS = {ratio.name: ratio for ratio in RATIOS}


@dataclass(frozen=True, slots=True)
class Line:
    """A row: an event over targets, or a thread or core over events.

    ``values`` has a figure, or None, per column; ``shared`` are the columns whose event was on
    the hardware for a part of the time only, so that perf scaled it.
    """

    name: str
    values: dict[str, float | None]
    shared: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Stretch:
    """The operations that were acknowledged from ``start`` to ``end``, monotonic seconds."""

    start: float
    end: float
    operations: float


class Figures:
    """The figures of one CounterStore under one measure, as they are now."""

    def __init__(
        self, store: Store, counters: CounterStore, labels: Sequence[str], measure: Measure
    ) -> None:
        self._store = store
        self._counters = counters
        self.labels = labels
        self.measure = measure
        self.stretch: Stretch | None = None
        """What costs per operation are of; None where no operation can be told."""
        if measure is Measure.PER_OPERATION:
            self.stretch = self._newest_stretch()
        present = [event for event in counters.events if self._supported(event)]
        self.unsupported = [event for event in counters.events if event not in present]
        self.events = self._with_ratios(present)

    def _supported(self, event: str) -> bool:
        last = self._counters.last
        return any((r := last(label, event)) is not None and r.supported for label in self.labels)

    def _with_ratios(self, present: list[str]) -> list[str]:
        names = list(present)
        if self.measure is Measure.PER_OPERATION:
            if self._store.cluster.fdatasyncs and self._counters is self._store.counters:
                names.append(FDATASYNCS)
            return names
        for ratio in RATIOS:
            if ratio.part in present and ratio.whole in present:
                names.insert(names.index(ratio.part) + 1, ratio.name)
        return names

    def event_line(self, event: str) -> Line:
        """One event over the targets and all of them."""
        values = {label: self.value(label, event) for label in self.labels}
        shared = frozenset(label for label in self.labels if self.shared(label, event))
        return Line(event, {ALL: self._all(event, values), **values}, shared)

    def label_line(self, label: str) -> Line:
        """One thread or core over the events."""
        values = {event: self.value(label, event) for event in self.events}
        return Line(label, values, frozenset(e for e in self.events if self.shared(label, e)))

    def value(self, label: str, event: str) -> float | None:
        """The figure, or None where there is none."""
        if (ratio := _RATIOS.get(event)) is not None:
            return self._quotient(ratio, [label])
        if self.measure is Measure.PER_OPERATION:
            return self._per_operation(label, event)
        reading = self._counters.last(label, event)
        if reading is None:
            return None
        if self.measure is Measure.TOTAL:
            total = self._counters.total(label, event)
            return None if total is None else total.amount
        if reading.value is None or self.measure is Measure.DELTA:
            return reading.value
        return reading.value / reading.interval if reading.interval > 0 else None

    def shared(self, label: str, event: str) -> bool:
        """Whether perf scaled the figure, because the event took turns with others."""
        ratio = _RATIOS.get(event)
        if ratio is not None:
            return self.shared(label, ratio.part) or self.shared(label, ratio.whole)
        if self.measure is Measure.TOTAL:
            return self._counters.was_shared(label, event)
        reading = self._counters.last(label, event)
        return reading is not None and reading.running < 0.99

    def _all(self, event: str, values: dict[str, float | None]) -> float | None:
        if (ratio := _RATIOS.get(event)) is not None:
            return self._quotient(ratio, self.labels)
        if event == FDATASYNCS:
            nodes = self._store.cluster.fdatasyncs
            values = {name: value for name, value in values.items() if name in nodes}
        known = [value for value in values.values() if value is not None]
        if self.measure is Measure.PER_OPERATION and len(known) < len(values):
            # A sum that leaves somebody out would pass for the cost of an operation.
            return None
        return sum(known) if known else None

    def _quotient(self, ratio: Ratio, labels: Sequence[str]) -> float | None:
        both = [(self.value(label, ratio.part), self.value(label, ratio.whole)) for label in labels]
        pairs = [(a, b) for a, b in both if a is not None and b]
        whole = sum(b for _, b in pairs)
        return sum(a for a, _ in pairs) / whole * (100 if ratio.percent else 1) if whole else None

    # Per operation

    def _newest_stretch(self) -> Stretch | None:
        """The newest seconds for which both counts and operations are known."""
        operations = self._store.stress.operations
        newest = [
            total.last_time
            for label in self.labels
            for event in self._counters.events[:1]
            if (total := self._counters.total(label, event)) is not None
        ]
        until = min((time for time in newest if time is not None), default=None)
        if until is None:
            return None
        ends = operations.ends(until - OP_SECONDS - 1, until)
        for start in ends[:-1]:
            number = operations.between(start, ends[-1])
            if number is not None and ends[-1] - start <= OP_SECONDS + 0.1:
                return Stretch(start, ends[-1], number)
        return None

    def source(self, label: str, event: str) -> Cumulative | None:
        """The running total behind a figure."""
        if event == FDATASYNCS:
            return self._store.cluster.fdatasyncs.get(label)
        return self._counters.total(label, event)

    def _per_operation(self, label: str, event: str) -> float | None:
        if self.stretch is None or not self.stretch.operations:
            return None
        total = self.source(label, event)
        spent = None if total is None else total.between(self.stretch.start, self.stretch.end)
        return None if spent is None else spent / self.stretch.operations

    def cost_over_time(
        self, labels: Sequence[str], event: str, start: float
    ) -> list[tuple[float, float | None]]:
        """Cost per operation at the end of each interval of the stress clients; None is a gap."""
        operations = self._store.stress.operations
        totals = [t for label in labels if (t := self.source(label, event)) is not None]
        ends = operations.ends(start, float("inf"))
        points: list[tuple[float, float | None]] = []
        for one, two in pairwise(ends):
            number = operations.between(one, two)
            parts = [total.between(one, two) for total in totals]
            known = [part for part in parts if part is not None]
            whole = number and known and len(known) == len(parts)
            points.append((two, sum(known) / number if whole and number else None))
        return points


def current_labels(counters: CounterStore) -> list[str]:
    """Threads or cores that were counted in the newest interval."""
    first = counters.events[:1]
    return [
        label
        for label in counters.labels
        for event in first
        if (reading := counters.last(label, event)) is not None
        and counters.time is not None
        and counters.time - reading.time < _STALE * reading.interval
    ]


def show(event: str, value: float | None, measure: Measure) -> str:
    """A figure in the unit of its event; clocks are counted in ms, their rate is of one core."""
    if value is None:
        return NONE
    if (ratio := _RATIOS.get(event)) is not None:
        return f"{digits3(value)}%" if ratio.percent else digits3(value)
    if event.endswith("-clock"):
        rate = measure is Measure.RATE
        return f"{digits3(value / 10)}%" if rate else duration(value / 1000)
    return f"{value:.4f}" if 0 < value < 0.01 else count(value)
