"""What agent and session say to each other: one JSON array a line, its first item says what it is.

Events, frames and stacks are written as in a recording (``kvtop.recording``). Besides them:

- session to agent: ``["call", id, method, argument, ...]`` and ``["ping", time]``,
- agent to session: ``["hello", {...}]`` at first, ``["result", id, value]``,
  ``["error", id, kind, sentence]``, ``["pong", the ping's time, time there]``, and ``["anew"]``
  where frames, stacks and origins are numbered from 1 again.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from kvtop.collectors.fdio import write_all
from kvtop.events import Event, SampleBatch, SpiedBatch, WaitBatch, WaitStats
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.listing import Instruction, Listing, SourceFile
from kvtop.recording.codec import DecodeError, Decoder, dump_line
from kvtop.recording.samples import KINDS
from kvtop.tool_events import ToolReading

HELLO = "hello"
ANEW = "anew"
BATCHES = tuple(KINDS.values())
_LONGEST = 1 << 24
"""Bytes of a line; the source of a large file is one of the longest."""


class Lines:
    """Bytes to messages."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[list[Any]]:
        """The messages that ``data`` completed; DecodeError for what is none."""
        self._rest += data
        if b"\n" not in data:
            if len(self._rest) > _LONGEST:
                raise DecodeError("a line does not end")
            return []
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        return [_message(line) for line in lines]


def _message(line: bytes) -> list[Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise DecodeError("a line is no JSON") from None
    if not isinstance(message, list) or not message or not isinstance(message[0], str):
        raise DecodeError("a line is no message")
    return message


class Outbox:
    """Messages on their way into a pipe; ``backlog`` is the bytes that have not gone yet."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._lines: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self.backlog = 0

    def put(self, message: Iterable[object]) -> None:
        """Send it as soon as there is room."""
        self.put_bytes(dump_line(list(message)))

    def put_bytes(self, data: bytes) -> None:
        """Send what is no message."""
        self._lines.append(data)
        self.backlog += len(data)
        self._wake.set()

    async def run(self) -> None:
        """Write until cancelled; BrokenPipeError where nobody reads it any more."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            data = b"".join(self._lines)
            self._lines.clear()
            await write_all(self.fd, data)
            self.backlog -= len(data)


def shifted(event: Event, offset: float) -> Event:
    """The event with its times moved by ``offset`` seconds."""
    match event:
        case SampleBatch() | SpiedBatch() | WaitBatch():
            return type(event)(tuple([s._replace(time=s.time + offset) for s in event.samples]))
        case ToolReading():
            recording = event.recording
            return replace(event, recording=replace(recording, time=recording.time + offset))
        case WaitStats():
            return replace(event, time=event.time + offset, since=event.since + offset)
        case _:
            return replace(event, time=event.time + offset)


# Functions line by line

_FRAME = tuple[str, str, int, str, int]
_COUNTS = tuple[tuple[int, int], ...]
_FILE = tuple[str, tuple[str, ...], int, _COUNTS, _COUNTS]
_LISTING = tuple[int, tuple[_FILE, ...], tuple[Instruction, ...], str, float | None, str, int, bool]
_SCHEMA = {"Instruction": ["address", "samples", "text", "file", "line"]}


def pack_frame(frame: Frame) -> list[object]:
    """A frame as JSON values."""
    return [frame.symbol, frame.object, int(frame.kind), frame.file, frame.line]


def unpack_frame(raw: object) -> Frame:
    """The other way round; DecodeError for nonsense."""
    symbol, name, kind, file, line = Decoder({}).value(_FRAME, raw)
    if kind not in list(Kind):
        raise DecodeError("there is no such kind of frame")
    return Frame(symbol, name, Kind(kind), file, line)


def pack_listing(listing: Listing) -> list[object]:
    """A listing as JSON values."""
    files = [
        [f.name, f.lines, f.first, list(f.samples.items()), list(f.totals.items())]
        for f in listing.files
    ]
    head = [listing.samples, files, listing.instructions, listing.remark, listing.seconds]
    return [*head, listing.sampler, listing.total, listing.more]


def unpack_listing(raw: object) -> Listing:
    """The other way round; DecodeError for nonsense."""
    samples, files, *rest = Decoder(_SCHEMA).value(_LISTING, raw)
    sources = tuple(
        SourceFile(name, lines, first, dict(own), dict(totals))
        for name, lines, first, own, totals in files
    )
    return Listing(samples, sources, *rest)
