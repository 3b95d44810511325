"""A session over a recording: time goes as fast as one likes, and nothing runs."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

from kvtop.cluster_run import ClusterRun, Member
from kvtop.collectors.annotate import AnnotateError
from kvtop.collectors.events_list import EventInfo, EventsError
from kvtop.config import Config
from kvtop.events import CollectorStatus, CountedBy, Health
from kvtop.moment import moment_text
from kvtop.profile.frames import Frame
from kvtop.profile.listing import Listing
from kvtop.recording.player import Player
from kvtop.recording.reader import Recording
from kvtop.session import FaultError, Session
from kvtop.tool_events import Tool

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
NO_TARGET = "this is a replay, nothing runs here"


class ReplaySession(Session):
    """Shows a recording from ``start`` seconds on; it begins to play at once."""

    def __init__(
        self, config: Config, recording: Recording, start: float = 0.0, speed: float = 1.0
    ) -> None:
        super().__init__(config)
        self.speed = speed
        self.playing = True
        self._recording = recording
        self._start = start
        self.player: Player

    async def start(self) -> None:
        """Read the recording; RecordingError where it cannot be read."""
        self.player = await asyncio.to_thread(Player, self._recording)
        self.store = self.player.store
        self._ring = self.store.ring
        self.seek(self.player.start + self._start)

    async def stop(self) -> None:
        """There is nothing to end."""

    # Time

    def advance(self, seconds: float) -> None:
        """So much time has passed in front of the screen."""
        if self.playing:
            self.seek(self.now + seconds * self.speed)
            self.playing = self.now < self.player.end

    def seek(self, time: float) -> None:
        """Go to a moment, monotonic seconds."""
        self.player.seek(time)

    def toggle(self) -> None:
        """Stand still, or go on; from the end again from the beginning."""
        if not self.playing and self.now >= self.player.end:
            self.seek(self.player.start)
        self.playing = not self.playing

    def change_speed(self, faster: bool) -> None:
        """The next of the speeds."""
        if faster:
            self.speed = min((s for s in SPEEDS if s > self.speed), default=SPEEDS[-1])
        else:
            self.speed = max((s for s in SPEEDS if s < self.speed), default=SPEEDS[0])

    @property
    def now(self) -> float:
        """The moment that is shown."""
        return self.player.position

    @property
    def banner(self) -> str:
        """Where in the recording we are."""
        state = f"▶ {self.speed:g}x" if self.playing else "⏸"
        at, whole = (moment_text(t - self.player.start) for t in (self.now, self.player.end))
        return f" REPLAY {state} {at}/{whole} · {self._clock(self.now)} "

    def _clock(self, time: float) -> str:
        return f"{datetime.fromtimestamp(self.store.wall(time)):%H:%M:%S}"

    # What needs a target

    @property
    def no_faults(self) -> str:
        """Always a sentence."""
        return NO_TARGET

    def _member(self, name: str) -> tuple[ClusterRun, Member]:
        raise FaultError(NO_TARGET)

    async def sample(self, event: str | None) -> str:
        """What was sampled was sampled."""
        return "This is a replay: another event can be sampled in a live run only."

    async def list_events(self) -> tuple[EventInfo, ...]:
        """Nothing can be sampled."""
        raise EventsError("This is a replay: another event can be sampled in a live run only.")

    def count_by(self, by: CountedBy) -> None:
        """What was counted is there."""

    async def annotate(self, frame: Frame, start: float, end: float, label: str | None) -> Listing:
        """Not in a recording."""
        raise AnnotateError("A recording has no samples per line: they are shown of a live run.")

    async def save_perf_data(self, directory: Path, window: float) -> int:
        """Not in a recording."""
        raise ValueError("a recording has no raw samples to write perf.data from")

    def follow_waits(self, on: bool) -> None:
        """The waits are those that were recorded."""
        if on and self.store.waits.ring.last_time is None:
            reason = "No waits were recorded: they are while the off-CPU screen is open (key o)."
            if (waits := self.player.waits) is not None:
                first, last = map(self._clock, waits)
                reason = f"Waits were recorded from {first} to {last}: go there with , and . keys."
            self._say("off_cpu", reason)

    def follow_wakers(self, on: bool) -> None:
        """They are among the waits where they were recorded."""

    def follow_tool(self, tool: Tool | None) -> None:
        """The newest reading is the one of that moment."""
        if tool is not None and self.store.tools.reading(tool) is None:
            reason = "Nothing of this was recorded: it is while its tab is open (key y)."
            if (first := self.player.seen_tool(tool)) is not None:
                reason = f"This was recorded from {self._clock(first)} on: go there with the . key."
            self._say(tool, reason)

    def _say(self, collector: str, reason: str) -> None:
        self.store.apply(CollectorStatus(self.now, collector, Health.UNAVAILABLE, reason))
