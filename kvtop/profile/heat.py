"""Samples over time as columns: of equal lengths, aligned to the wall clock, each counted once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kvtop.profile.ring import EVERYTHING, Filter, GroupKey, SampleRing

_Counted = TypeVar("_Counted")

_KEPT = 4000
"""Columns that are remembered before those of an earlier view are forgotten."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Time in columns of ``step`` seconds, each of ``slots`` parts.

    Column n begins where the wall clock (monotonic time plus ``offset``) is n times ``step``, so
    that a column of one second is a second as clocks show it.
    """

    step: float
    slots: int
    offset: float

    def column(self, time: float) -> int:
        """The column that a moment falls into."""
        return math.floor((time + self.offset) / self.step)

    def start(self, column: int) -> float:
        """When a column begins."""
        return column * self.step - self.offset

    def bounds(self, column: int, slot: int | None = None, slots: int = 1) -> tuple[float, float]:
        """Begin and end of a column, or of so many of its slots from ``slot`` on."""
        if slot is None:
            return self.start(column), self.start(column + 1)
        part = self.step / self.slots
        first = self.start(column) + slot * part
        last = slot + slots
        end = self.start(column + 1) if last >= self.slots else first + slots * part
        return first, end


class HeatColumns:
    """Samples per column of an axis, of one target or of all; only new columns are counted anew.

    A column is counted again when the ring holds more or fewer samples of it than before: late
    ones came in, or the oldest left.
    """

    def __init__(self, axis: Axis, label: str | None = None) -> None:
        self.axis = axis
        labels = None if label is None else frozenset((label,))
        self._filter = EVERYTHING if label is None else Filter(labels=labels)
        self._slots: dict[int, tuple[int, Sequence[int]]] = {}
        self._labels: dict[int, tuple[int, Mapping[str, int]]] = {}
        self._event: str | None = None

    def slots(self, ring: SampleRing, column: int) -> Sequence[int]:
        """Samples per slot of a column."""
        self._forget_other(ring)
        start, end = self.axis.bounds(column)
        held = ring.count(start, end)
        known = self._slots.get(column)
        if known is None or known[0] != held:
            rows = ring.histogram_by(
                start, end, self.axis.slots, GroupKey.LABEL, self._filter
            ).values()
            counts = [sum(slot) for slot in zip(*rows, strict=True)] or [0] * self.axis.slots
            known = _keep(self._slots, column, (held, counts))
        return known[1]

    def labels(self, ring: SampleRing, column: int) -> Mapping[str, int]:
        """Samples per target of a column."""
        self._forget_other(ring)
        start, end = self.axis.bounds(column)
        held = ring.count(start, end)
        known = self._labels.get(column)
        if known is None or known[0] != held:
            rows = ring.histogram_by(start, end, 1, GroupKey.LABEL, self._filter)
            counts = {label: row[0] for label, row in rows.items()}
            known = _keep(self._labels, column, (held, counts))
        return known[1]

    def _forget_other(self, ring: SampleRing) -> None:
        """Another event is counted than before."""
        if ring.event != self._event:
            self._event = ring.event
            self._slots.clear()
            self._labels.clear()


def _keep(cache: dict[int, _Counted], column: int, value: _Counted) -> _Counted:
    if len(cache) >= _KEPT:
        cache.clear()
    cache[column] = value
    return value
