"""A ring as it was at one moment, which may be moved; the samples are shared, not copied."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import replace
from math import inf, nextafter

from kvtop.events import Role, StackSample
from kvtop.profile.ring import EVERYTHING, Filter, GroupKey, Origin, SampleRing, Weight


class StillRing(SampleRing):
    """The samples that a ring held at one moment; those that it has dropped since are gone."""

    def __init__(self, ring: SampleRing) -> None:
        super().__init__(ring.table, ring.seconds, ring.max_samples)
        self.revision = ring.revision
        self._ring = ring
        self._last = ring.last_time

    def move(self, time: float) -> None:
        """Show the samples up to another moment, monotonic seconds."""
        self._last = self._ring.newest(time)
        self.revision = len(self)

    def __len__(self) -> int:
        last = self._last
        return 0 if last is None else self._ring.count(-inf, nextafter(last, inf))

    @property
    def origins(self) -> list[Origin]:
        """Whose samples the ring holds now."""
        return self._ring.origins

    @property
    def events(self) -> list[str]:
        """The events of the samples that the ring holds now."""
        return self._ring.events

    @property
    def event(self) -> str | None:
        """As the ring's."""
        return self._ring.event

    def show_event(self, event: str | None) -> None:
        """As the ring's, which shows it too."""
        self._ring.show_event(event)
        self.revision += 1

    @property
    def last_time(self) -> float | None:
        """Time of the newest sample of that moment."""
        return self._last

    def fold(self, filter: Filter = EVERYTHING, weight: Weight = "samples") -> dict[int, int]:
        """As the ring's, up to that moment."""
        return self._ring.fold(self._until(filter), weight)

    def fold_by(
        self, filter: Filter, key: GroupKey, weight: Weight = "samples"
    ) -> dict[str, dict[int, int]]:
        """As the ring's, up to that moment."""
        return self._ring.fold_by(self._until(filter), key, weight)

    def times(self, filter: Filter = EVERYTHING) -> array[float]:
        """As the ring's, up to that moment."""
        return self._ring.times(self._until(filter))

    def histogram_by(
        self, start: float, end: float, buckets: int, key: GroupKey, filter: Filter = EVERYTHING
    ) -> dict[str, list[int]]:
        """As the ring's, up to that moment."""
        return self._ring.histogram_by(start, end, buckets, key, self._until(filter))

    def iter_samples(self, filter: Filter = EVERYTHING) -> Iterator[tuple[StackSample, str, Role]]:
        """As the ring's, up to that moment."""
        return self._ring.iter_samples(self._until(filter))

    def count(self, start: float, end: float) -> int:
        """As the ring's, up to that moment."""
        if self._last is None or start > self._last:
            return 0
        return self._ring.count(start, min(end, nextafter(self._last, inf)))

    @property
    def first_time(self) -> float | None:
        """Time of the oldest sample that is left."""
        first = self._ring.first_time
        return None if first is None or self._last is None or first > self._last else first

    def _until(self, filter: Filter) -> Filter:
        last = -inf if self._last is None else self._last
        return replace(filter, end=last if filter.end is None else min(last, filter.end))
