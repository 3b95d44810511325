"""A connection that is gone: since when, how that is said, and what the figures go on from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from kvtop.events import Flaw, PipelineStats

PAUSES = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
"""Seconds between two attempts to connect again; the last one for good."""


@dataclass(frozen=True, slots=True)
class Loss:
    """``time`` is monotonic, when the host was heard for the last time; ``wall`` is Unix time."""

    time: float
    wall: float
    reason: str
    """One sentence; of the newest attempt to connect again, once there was one."""

    @property
    def clock(self) -> str:
        """The time of day."""
        return f"{datetime.fromtimestamp(self.wall):%H:%M:%S}"

    @property
    def banner(self) -> str:
        """What the header says loudly."""
        return f" CONNECTION LOST {self.clock} "

    @property
    def short(self) -> str:
        """What every pane says."""
        return f"No connection since {self.clock}: what is shown is from before."

    def text(self, pause: float | None) -> str:
        """The whole of it; ``pause`` is seconds to the next attempt, None without one."""
        then = "Start kvtop again." if pause is None else f"The next attempt is in {pause:g} s."
        return f"{self.short} {then} {self.reason}"


def pause_before(attempt: int) -> float:
    """Seconds to wait before an attempt, the first one being 0."""
    return PAUSES[min(attempt, len(PAUSES) - 1)]


def continued(before: PipelineStats | None, now: PipelineStats) -> PipelineStats:
    """The counts of a stream that began anew, with those of the streams ``before`` it."""
    if before is None:
        return now
    flaws: dict[tuple[str, str], Flaw] = {}
    for flaw in (*now.flaws, *before.flaws):
        known = flaws.get((flaw.kind, flaw.object))
        samples = flaw.samples + (known.samples if known is not None else 0)
        flaws[flaw.kind, flaw.object] = replace(known or flaw, samples=samples)
    return replace(
        now,
        samples=before.samples + now.samples,
        lost=before.lost + now.lost,
        broken=before.broken + now.broken,
        unresolved=before.unresolved + now.unresolved,
        copied=before.copied + now.copied,
        throttled=before.throttled + now.throttled,
        flaws=tuple(sorted(flaws.values(), key=lambda flaw: -flaw.samples)),
    )
