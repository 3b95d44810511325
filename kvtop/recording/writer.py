"""Events to bytes on a file descriptor: every line is encoded at once, written in a while."""

from __future__ import annotations

import os
import time
from pathlib import Path

from kvtop.events import Event, SampleBatch, SpiedBatch, WaitBatch
from kvtop.profile.stacks import StackTable
from kvtop.recording.codec import dump_line, pack, schema
from kvtop.recording.container import Packer
from kvtop.recording.meta import RecordingError, RecordingMeta
from kvtop.recording.samples import SampleEncoder

MEMBER_SECONDS = 10.0
"""A member ends after so long: damage costs what comes after it, and this much before."""
END = "end"


class RecordingWriter:
    """One new file. ``write`` encodes, ``flush`` (in any one thread) brings it to the disk.

    RecordingError where the file cannot be made. ``size`` is in bytes.
    """

    def __init__(self, path: Path, meta: RecordingMeta, table: StackTable) -> None:
        self.path = path
        self.size = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Never over another file; what it tells is its owner's business alone.
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(path, flags, 0o600)
        except OSError as error:
            raise RecordingError(f"cannot write {path}: {error.strerror}") from error
        self._packer = Packer()
        self._samples = SampleEncoder(table)
        self._member_since = time.monotonic()
        self._lines: list[bytes] = []
        try:
            # In a member of its own, which damage to what follows does not touch.
            self.flush(dump_line({**meta.head(), "schema": schema()}), end=True)
        except OSError as error:
            self.abandon()
            raise RecordingError(f"cannot write {path}: {error.strerror}") from error

    def write(self, event: Event) -> None:
        """Take an event. Its stacks must be known to the table now, not later."""
        if isinstance(event, SampleBatch | SpiedBatch | WaitBatch):
            self._samples.put(type(event).__name__, event.samples, self._put)
        else:
            self._put(pack(event))

    def _put(self, line: list[object]) -> None:
        self._lines.append(dump_line(line))

    def take(self) -> bytes:
        """The lines since the last call, for `flush`."""
        lines, self._lines = self._lines, []
        return b"".join(lines)

    def flush(self, lines: bytes, end: bool = False) -> None:
        """Compress and write; OSError where the disk does not take it."""
        now = time.monotonic()
        over = end or now - self._member_since >= MEMBER_SECONDS
        if over:
            self._member_since = now
        data = memoryview(self._packer.pack(lines, over))
        while data:
            written = os.write(self._file, data)
            self.size += written
            data = data[written:]

    def close(self, at: float) -> None:
        """Write the rest and the mark of a whole file; ``at`` is the monotonic time of the end."""
        try:
            self._put([END, at])
            self.flush(self.take(), end=True)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close the file as it is."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
