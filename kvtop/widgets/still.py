"""The store as it was at one moment, for a screen that is paused while the collection goes on."""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import replace

from kvtop.profile.still_ring import StillRing
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
