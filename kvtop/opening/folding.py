"""Folds samples by event and thread as they are read, and says which of the events is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from operator import itemgetter

from kvtop.events import StackSample
from kvtop.opening.model import ProfileError, Sink, Thread, Wanted
from kvtop.profile.text import safe_text

Folds = dict[Thread, dict[int, int]]
"""Stack id -> weight, by thread."""
_CLOCKS = ("cpu-clock", "task-clock")


class Folding:
    """All samples that the time range of ``wanted`` has; ``sink`` is given them as they come.

    ``origin`` is the moment from which the range counts, None for the first sample's.
    """

    def __init__(self, wanted: Wanted, sink: Sink | None, origin: float | None = None) -> None:
        self.events: dict[str, Folds] = {}
        self.first = self.last = 0.0
        self._wanted = wanted
        self._sink = sink
        self._origin = origin

    def add(self, samples: Sequence[StackSample]) -> None:
        """Take the next ones."""
        if not samples:
            return
        if self._origin is None:
            self._origin = samples[0].time
        if self._wanted.has_range:
            low, high = self._origin + self._wanted.start, self._origin + self._wanted.end
            samples = [sample for sample in samples if low <= sample.time <= high]
            if not samples:
                return
        times = list(map(itemgetter(0), samples))
        first, last = min(times), max(times)
        self.first = min(self.first, first) if self.events else first
        self.last = max(self.last, last) if self.events else last
        if self._sink is not None:
            self._sink(list(samples))
        key = itemgetter(4, 3, 1, 2, 6)  # event, comm, pid, tid, stack
        counts: dict[tuple[str, str, int, int, int], int] = {}
        if self._wanted.weight_by_period:
            for sample in samples:
                counts[key(sample)] = counts.get(key(sample), 0) + sample.period
        else:
            counts = Counter(map(key, samples))
        for (event, comm, pid, tid, stack), weight in counts.items():
            fold = self.events.setdefault(event, {}).setdefault(Thread(comm, pid, tid), {})
            fold[stack] = fold.get(stack, 0) + weight

    @property
    def seconds(self) -> float:
        """From the first sample to the last."""
        return self.last - self.first

    @property
    def window(self) -> str:
        """The same as a text, empty where it is nothing."""
        return f"{self.seconds:.3g} s" if self.seconds > 0 else ""

    def chosen(self) -> tuple[str, Folds]:
        """The event that is wanted, or the first one; ProfileError where there is no such."""
        if not self.events:
            return "", {}
        wanted = self._wanted.event
        if wanted is None:
            return next(iter(self.events.items()))
        for event, folds in self.events.items():
            if wanted in (event, event.partition(":")[0]):
                return event, folds
        there = safe_text(", ".join(self.events), 400)
        raise ProfileError(f"There is no event {safe_text(wanted, 80)!r} in it; it has {there}.")

    def unit(self, event: str) -> str:
        """What the weights of this event count."""
        if not self._wanted.weight_by_period:
            return "samples"
        return "ns" if event.partition(":")[0] in _CLOCKS else event

    def notes(self, event: str) -> list[str]:
        """What is left out."""
        others = ", ".join(other for other in self.events if other != event)
        if not others:
            return []
        return [f"only the event {event} is shown; --event chooses another ({others})"]
