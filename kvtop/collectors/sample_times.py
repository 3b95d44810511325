"""A guard on the times of samples, by which all that is kept of them is ordered.

A sample dated hours ahead would make the ring drop, as older than it keeps, whatever comes after.
"""

from __future__ import annotations

from kvtop.events import StackSample

_AHEAD = 1.0
"""Seconds; clock and rounding are out by far less."""


def not_ahead(samples: list[StackSample], now: float) -> list[StackSample]:
    """The samples, one that claims to be of the future dated ``now`` (CLOCK_MONOTONIC, seconds):
    it has just arrived, so it was taken no later."""
    latest = now + _AHEAD
    if all(sample.time <= latest for sample in samples):
        return samples
    return [s if s.time <= latest else s._replace(time=now) for s in samples]
