"""A recording as a store that shows any moment of it, and moves on.

Samples lie in rings that are cut at the moment; everything else is applied up to it, from the
beginning again where the moment is an earlier one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from math import inf

from kvtop.events import (
    Event,
    Marker,
    NodeStatus,
    SampleBatch,
    SpiedBatch,
    TargetsChanged,
    WaitBatch,
)
from kvtop.profile.still_ring import StillRing
from kvtop.recording.reader import MANY, Recording, times_of
from kvtop.store import Store
from kvtop.tool_events import Tool, ToolReading

_OWNERS = NodeStatus | TargetsChanged
"""What says whose a sample is."""


class Player:
    """Reads the whole recording, which takes a while; RecordingError where it cannot be read."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        whole = recording.empty_store()
        self._times: list[float] = []
        self._events: list[Event] = []
        newest = -inf
        for event in recording.events():
            if isinstance(event, SampleBatch | SpiedBatch | WaitBatch):
                whole.apply(event)
                continue
            if isinstance(event, _OWNERS):
                whole.apply(event)
            newest = max(newest, *times_of(event))
            self._times.append(newest)
            self._events.append(event)
        self._whole = whole
        self._rings = tuple(map(StillRing, (whole.ring, whole.spied, whole.waits.ring)))
        self.start, self.end = recording.span
        self._next = 0
        self._applying = False
        self.position = self.start
        self.store = self._fresh()
        """Always the same object: a widget need not know that time went back."""
        self.store.tap = self._added
        self.seek(self.start)

    def seek(self, time: float) -> None:
        """Show the moment ``time``, monotonic seconds; past an end that end."""
        time = min(max(time, self.start), self.end)
        if time < self.position:
            self._rewind()
        self.position = time
        upto = bisect_right(self._times, time)
        self._applying = True
        for event in self._events[self._next : upto]:
            self.store.apply(event)
        self._applying = False
        self._next = upto
        for ring in self._rings:
            ring.move(time)

    @property
    def waits(self) -> tuple[float, float] | None:
        """Times of the first and the last wait that was recorded; None where none was."""
        ring = self._whole.waits.ring
        first, last = ring.first_time, ring.last_time
        return None if first is None or last is None else (first, last)

    def seen_tool(self, tool: Tool) -> float | None:
        """When the first reading of a tool came, or None."""
        for time, event in zip(self._times, self._events, strict=True):
            if isinstance(event, ToolReading) and event.tool is tool:
                return time
        return None

    def _fresh(self) -> Store:
        ring, spied, waits = self._rings
        store = Store(self._whole.info, ring, MANY)
        store.spied, store.waits.ring = spied, waits
        store.markers.items = deque(maxlen=MANY)
        store.logs.items = deque(maxlen=MANY)
        return store

    def _rewind(self) -> None:
        """The store as it was before anything happened; its revisions go on all the same."""
        old, new = self.store, self._fresh()
        new.tap = old.tap
        new.revision = old.revision + 1
        for part in ("counters", "stress", "cluster", "markers", "logs"):
            getattr(new, part).revision = getattr(old, part).revision + 1
        for by, counters in new.details.items():
            counters.revision = old.details[by].revision + 1
        for name, value in vars(new).items():
            setattr(old, name, value)
        self._next = 0

    def _added(self, event: Event) -> None:
        """A marker that the screen sets stays, wherever one goes from here."""
        if isinstance(event, Marker) and not self._applying:
            self._times.insert(self._next, self.position)
            self._events.insert(self._next, event)
            self._next += 1
