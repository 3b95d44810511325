"""The store as it was at one moment, for a screen that is paused while the collection goes on."""

from __future__ import annotations

import copy
from array import array
from collections import deque
from dataclasses import replace
from math import inf, nextafter

from kvtop.profile.ring import EVERYTHING, Filter, GroupKey, SampleRing, Weight
from kvtop.store import Store


def still(store: Store) -> Store:
    """A store that reads as this one does now, whatever the original takes in afterwards.

    Samples are shared, not copied: the ring's newest ones are only left out.
    """
    kept = copy.copy(store)
    kept.ring = StillRing(store.ring)
    kept.counters = store.counters.copy()
    kept.details = {by: counters.copy() for by, counters in store.details.items()}
    kept.stress = copy.copy(store.stress)
    for name in ("rate", "p50", "p99", "p999"):
        setattr(kept.stress, name, getattr(store.stress, name).copy())
    kept.stress.operations = store.stress.operations.copy()
    kept.sample_rate = store.sample_rate.copy()
    kept.cluster = replace(
        store.cluster,
        nodes=dict(store.cluster.nodes),
        usage=dict(store.cluster.usage),
        fdatasyncs={name: calls.copy() for name, calls in store.cluster.fdatasyncs.items()},
    )
    kept.markers = replace(store.markers, items=deque(store.markers.items))
    kept.logs = replace(store.logs, items=deque(store.logs.items))
    kept.collectors = dict(store.collectors)
    kept.targets = dict(store.targets)
    return kept


class StillRing(SampleRing):
    """The samples that a ring held at one moment; those that it has dropped since are gone."""

    def __init__(self, ring: SampleRing) -> None:
        super().__init__(ring.table, ring.seconds, ring.max_samples)
        self.revision = ring.revision
        self._ring = ring
        self._last = ring.last_time

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
