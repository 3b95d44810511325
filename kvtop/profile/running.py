"""Which processes ran a function."""

from __future__ import annotations

from collections.abc import Iterable

from kvtop.profile.frames import Frame
from kvtop.profile.ring import Filter, SampleRing

_RECENT = 60.0
"""Seconds before the end that are looked at first, and alone where they have an answer."""


def processes_of(
    rings: Iterable[SampleRing], frame: Frame, start: float, end: float, label: str | None = None
) -> frozenset[int]:
    """PIDs of the samples in this time, of one target or all, with the function on the stack."""
    labels = None if label is None else frozenset((label,))
    rings = tuple(rings)
    for since in (max(start, end - _RECENT), start):
        chosen = Filter(since, end, labels)
        found = frozenset(pid for ring in rings for pid in _processes(ring, frame, chosen))
        if found:
            return found
    return frozenset()


def _processes(ring: SampleRing, frame: Frame, chosen: Filter) -> frozenset[int]:
    table = ring.table
    wanted = table.intern(frame)
    verdicts: dict[int, bool] = {}
    found: set[int] = set()
    for sample, _, _ in ring.iter_samples(chosen):
        if sample.pid in found:
            continue
        verdict = verdicts.get(sample.stack)
        if verdict is None:
            verdict = verdicts[sample.stack] = wanted in table.frames(sample.stack)
        if verdict:
            found.add(sample.pid)
    return frozenset(found)
