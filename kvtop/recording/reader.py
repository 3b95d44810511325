"""A recording as the events that it was made of. Whatever a file holds, it is read or refused."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

from kvtop.events import Event, SampleBatch, SpiedBatch, WaitBatch
from kvtop.profile.ring import SampleRing
from kvtop.profile.stacks import StackTable
from kvtop.profile.text import safe_text
from kvtop.recording.codec import DecodeError, Decoder, integer
from kvtop.recording.container import Unpacker
from kvtop.recording.meta import MAGIC, VERSION, RecordingError, RecordingMeta
from kvtop.recording.samples import KINDS, SampleDecoder
from kvtop.recording.writer import END
from kvtop.store import Store

UNBOUNDED = 1 << 62
"""Room for every sample that a recording holds."""
MANY = 1 << 20
"""Room for its figures of one kind: six days of two a second."""
_LONGEST = 1e8
"""Seconds (three years) that an event may be away from the start."""


class Recording:
    """A file that was opened. Its events are read anew by each call of `events`."""

    def __init__(self, path: Path, meta: RecordingMeta) -> None:
        self.path = path
        self.meta = meta
        self.table = StackTable()
        """What the stacks of the events read so far stand in."""
        self.cut = ""
        """A sentence where the file ends in the middle, known once it was read to the end."""
        self.skipped = 0
        """Events of the last reading that this version of kvtop does not understand."""
        self._span: tuple[float, float] | None = None

    @classmethod
    def open(cls, path: Path | str) -> Recording:
        """Look at the first line; RecordingError says in a sentence why it cannot be read."""
        path = Path(path)
        try:
            with path.open("rb") as file:
                first = next(Unpacker(file).lines(), None)
                empty = first is None and not file.tell()
        except OSError as error:
            reason = error.strerror or "it cannot be read"
            raise RecordingError(f"cannot read {_name(path)}: {reason}.") from error
        if empty:
            raise RecordingError(f"{_name(path)} is empty.")
        _, meta = _head(path, first or b"")
        return cls(path, meta)

    def events(self) -> Iterator[Event]:
        """Every event in order of arrival, with its own monotonic times.

        RecordingError where the file cannot be read any more.
        """
        first = last = None
        try:
            with self.path.open("rb") as file:
                unpacker = Unpacker(file)
                lines = unpacker.lines()
                decoder, self.meta = _head(self.path, next(lines, b""))
                reading = _Reading(decoder, self.table, self.meta.run.started)
                for event in reading.events(lines):
                    for time in times_of(event):
                        first = time if first is None else min(first, time)
                        last = time if last is None else max(last, time)
                    yield event
        except OSError as error:
            reason = error.strerror or "it cannot be read"
            raise RecordingError(f"cannot read {_name(self.path)}: {reason}.") from error
        self.skipped = reading.skipped
        why = unpacker.cut or reading.cut or ("" if reading.ended else "it has no end")
        begun = self.meta.run.started
        self._span = (begun if first is None else first, begun if last is None else last)
        self.cut = f"The recording was cut off: {why}." if why else ""

    def store(self) -> Store:
        """Everything applied to a store with room for all of it."""
        store = self.empty_store()
        for event in self.events():
            store.apply(event)
        return store

    def empty_store(self) -> Store:
        """A store over `table` with room for the whole recording."""
        store = Store(self.meta.run, SampleRing(self.table, inf, UNBOUNDED), MANY)
        store.waits.ring = SampleRing(self.table, inf, UNBOUNDED)
        store.spied = SampleRing(self.table, inf, UNBOUNDED)
        store.markers.items = deque(maxlen=MANY)
        store.logs.items = deque(maxlen=MANY)
        return store

    @property
    def span(self) -> tuple[float, float]:
        """Monotonic times of the first and the last event; reads the file where it was not yet."""
        if self._span is None:
            for _ in self.events():
                pass
        assert self._span is not None
        return self._span

    @property
    def duration(self) -> float:
        """Seconds from the first event to the last; reads the file where it was not yet."""
        first, last = self.span
        return last - first


class _Reading:
    """One pass over the lines of a file."""

    def __init__(self, decoder: Decoder, table: StackTable, started: float) -> None:
        self._decoder = decoder
        self._samples = SampleDecoder(table)
        self._started = started
        self.skipped = 0
        self.ended = False
        self.cut = ""

    def events(self, lines: Iterator[bytes]) -> Iterator[Event]:
        """The events; what an unknown line holds is skipped, after a broken one nothing is read."""
        for raw in lines:
            try:
                line = json.loads(raw)
            except (ValueError, RecursionError):
                self.cut = "a line of it is damaged"
                return
            if not isinstance(line, list) or not line or not isinstance(line[0], str):
                self.skipped += 1
                continue
            try:
                event = self._event(line)
            except DecodeError:
                self.skipped += 1
                continue
            if event is not None:
                yield event

    def _event(self, line: list[Any]) -> Event | None:
        name = line[0]
        event: Event
        if name in KINDS:
            event = self._samples.batch(line)
        elif self._samples.define(line):
            return None
        elif name == END:
            self.ended = True
            return None
        elif self._decoder.knows(name):
            event = self._decoder.event(line)
        else:
            raise DecodeError("there is no such event")
        for time in times_of(event):
            if abs(time - self._started) > _LONGEST:
                raise DecodeError("this time is not of this run")
        return event


def times_of(event: Event) -> tuple[float, ...]:
    """The time of an event; the first and the last of a batch, none of an empty one."""
    if isinstance(event, SampleBatch | SpiedBatch | WaitBatch):
        times = [sample.time for sample in event.samples]
        return (min(times), max(times)) if times else ()
    time = getattr(event, "time", None)
    if time is None:
        time = event.recording.time  # type: ignore[union-attr]
    return (time,)


def _head(path: Path, line: bytes) -> tuple[Decoder, RecordingMeta]:
    """Decoder and meta of a file's first line."""
    name = _name(path)
    try:
        head = json.loads(line)
        version = head[MAGIC]
        major, minor = map(integer, version)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise RecordingError(f"{name} is not a recording of kvtop.") from None
    if major > VERSION[0]:
        raise RecordingError(
            f"{name} is of format {major}.{minor}, this kvtop reads {VERSION[0]}.x: "
            "open it with the newer kvtop that wrote it."
        )
    try:
        return Decoder(_schema(head)), RecordingMeta.of_head(head)
    except (DecodeError, KeyError) as error:
        raise RecordingError(f"the head of {name} is damaged: {error}.") from None


def _schema(head: dict[str, Any]) -> dict[str, list[str]]:
    schema = head["schema"]
    if not isinstance(schema, dict) or not all(
        isinstance(names, list) and all(isinstance(name, str) for name in names)
        for names in schema.values()
    ):
        raise DecodeError("its schema is none")
    return schema


def _name(path: Path) -> str:
    return safe_text(str(path))
