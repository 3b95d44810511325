"""Keeps a run in a file while it goes on: from the start, or from a key on with what is still held.

Events are encoded where they come; a thread compresses and writes once a second, so that a slow
disk holds nothing up.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kvtop.config import Config
from kvtop.events import CollectorStatus, Event, Health, LogLine
from kvtop.profile.text import safe_text
from kvtop.recording.history import History
from kvtop.store import Store

if TYPE_CHECKING:
    from kvtop.recording.writer import RecordingWriter

NAME = "recording"
"""What a failure's status is called."""
FLUSH_SECONDS = 1.0
_AT_ONCE = 500
"""Events of the past that are written before anything else has its turn."""
_log = logging.getLogger("kvtop.recorder")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording that has ended, or goes on: where it is, and how large it is in bytes."""

    path: Path
    size: int

    @property
    def size_text(self) -> str:
        """Its size as people read it: 480 kB, 1.3 MB."""
        return f"{self.size / 1e6:.1f} MB" if self.size >= 1e6 else f"{self.size / 1e3:.0f} kB"


class Recorder:
    """Listens to one store from its beginning; records at most one file at a time."""

    def __init__(self, store: Store, config: Config) -> None:
        self.problem = ""
        """Why the last recording ended early: one sentence; '' where it did not."""
        self._store = store
        self._config = config
        self._history = History(store.ring.seconds)
        self._writer: RecordingWriter | None = None
        self._put: Callable[[Event], object] = self._nowhere
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        store.tap = self._note

    @property
    def current(self) -> Recorded | None:
        """What is being written, or None."""
        if self._writer is None:
            return None
        return Recorded(self._writer.path, self._writer.size)

    def start(self, path: Path, past: bool = False) -> None:
        """Record into a new file from now on, with ``past`` what is still held of before too.

        RecordingError where the file cannot be made; one that is recorded already goes on.
        """
        if self._task is not None:
            return
        # Loaded when something is recorded: --attach has data the sooner for it.
        from kvtop.recording.writer import RecordingWriter
        from kvtop.run_facts import run_facts

        self.problem = ""
        meta = run_facts(self._store, self._config)
        writer = self._writer = RecordingWriter(path, meta, self._store.table)
        self._stop.clear()
        if past:
            # What comes until the past is written waits; the rings keep its stacks alive.
            waiting: list[Event] = []
            self._put = waiting.append
            self._task = asyncio.create_task(
                self._record(writer, self._history.events(self._store), waiting)
            )
        else:
            self._put = writer.write
            self._task = asyncio.create_task(self._record(writer, iter(()), []))

    async def stop(self) -> Recorded | None:
        """End the file as a whole one; what was recorded, or None where nothing was.

        What happens from the call on is not recorded.
        """
        if self._task is None or self._writer is None:
            return None
        self._put = self._nowhere
        writer, task = self._writer, self._task
        self._stop.set()
        with suppress(asyncio.CancelledError):
            await task
        return Recorded(writer.path, writer.size)

    def _nowhere(self, event: Event) -> None:
        """Nothing is recorded."""

    def _note(self, event: Event) -> None:
        self._history.add(event)
        self._put(event)

    async def _record(
        self, writer: RecordingWriter, past: Iterator[Event], waiting: list[Event]
    ) -> None:
        try:
            for number, event in enumerate(past):
                writer.write(event)
                if number % _AT_ONCE == _AT_ONCE - 1:
                    await asyncio.to_thread(writer.flush, writer.take())
            for event in waiting:
                writer.write(event)
            self._put = writer.write
            while not self._stop.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), FLUSH_SECONDS)
                await asyncio.to_thread(writer.flush, writer.take())
            self._put = self._nowhere
            await asyncio.to_thread(writer.close, time.monotonic())
        except OSError as error:
            self._failed(writer, error.strerror or str(error))
        finally:
            self._put = self._nowhere
            self._writer = self._task = None
            writer.abandon()

    def _failed(self, writer: RecordingWriter, reason: str) -> None:
        """The recording is over; the run goes on, and the file can be read as far as it goes."""
        self._put = self._nowhere
        name = safe_text(str(writer.path))
        self.problem = f"The recording into {name} ended early: {reason}."
        _log.error("%s", self.problem)
        now = time.monotonic()
        self._store.apply(CollectorStatus(now, NAME, Health.UNAVAILABLE, self.problem))
        self._store.apply(LogLine(now, NAME, "error", self.problem))
