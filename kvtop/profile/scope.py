"""Which stretch of time the profile views show: a moving window, since a mark, or a fixed range.

Pure data; times are monotonic seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, nextafter

from kvtop.profile.ring import Filter, Weight

WINDOWS = (5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Lengths of the moving window in seconds, from which keys choose; since-mark comes after them."""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """The moments from ``start`` up to, and without, ``end``; ``why`` says what it was chosen for.

    ``ValueError`` where it is empty.
    """

    start: float
    end: float
    why: str = ""

    def __post_init__(self) -> None:
        if not self.start < self.end:
            raise ValueError(f"a range from {self.start} to {self.end} holds no moment")

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.start

    @property
    def last(self) -> float:
        """The last moment inside, for filters whose end counts."""
        return nextafter(self.end, -inf)


@dataclass(frozen=True, slots=True)
class Scope:
    """A fixed ``range`` if there is one, else since the mark, else the last ``window`` seconds."""

    window: float = 30.0
    mark: float | None = None
    """The moment that was marked, if any; ``since_mark`` says whether it is in use."""
    since_mark: bool = False
    range: TimeRange | None = None
    weight: Weight = "samples"
    """What samples count in it: one each, or their period."""

    @property
    def marked(self) -> float | None:
        """Where the samples begin because of the mark; None where something else decides."""
        return self.mark if self.since_mark and self.range is None else None

    def bounds(self, newest: float | None) -> tuple[float | None, float | None]:
        """First and last moment (both count), given the newest sample's time; None is open."""
        if self.range is not None:
            return self.range.start, self.range.last
        if newest is None:
            return None, None
        if self.marked is not None:
            return self.marked, max(newest, self.marked)
        return newest - self.window, newest

    def filter(self, newest: float | None, label: str | None = None) -> Filter:
        """The samples in it, of one target where ``label`` is not None."""
        start, end = self.bounds(newest)
        return Filter(start, end, None if label is None else frozenset((label,)))

    def seconds(self, newest: float | None) -> float:
        """The length that is shown, given the newest sample's time."""
        if self.range is not None:
            return self.range.seconds
        if self.marked is not None:
            return max(0.0, (self.marked if newest is None else newest) - self.marked)
        return self.window

    def at_mark(self, time: float) -> Scope:
        """From ``time`` on."""
        return replace(self, mark=time, since_mark=True, range=None)

    def over(self, chosen: TimeRange | None) -> Scope:
        """Limited to a range; with None as before there was one."""
        return replace(self, range=chosen)

    def longer(self) -> Scope:
        """The next longer window, after the longest since the mark; the range is left."""
        if self.since_mark:
            return self.over(None)
        window = min((w for w in WINDOWS if w > self.window), default=None)
        if window is not None:
            return replace(self, window=window, range=None)
        return replace(self, since_mark=self.mark is not None, range=None)

    def shorter(self) -> Scope:
        """The next shorter window, or from since the mark to the window before; no range."""
        if self.since_mark:
            return replace(self, since_mark=False, range=None)
        window = max((w for w in WINDOWS if w < self.window), default=self.window)
        return replace(self, window=window, range=None)
