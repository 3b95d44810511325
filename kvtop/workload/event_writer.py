"""Lines to a reader that may be slow, stopped or dead: the writer never waits for it."""

from __future__ import annotations

import os
import select
import stat

MAX_WAITING = 4 << 20
"""Bytes kept for a reader that does not read; what comes on top is dropped."""


class EventWriter:
    """Writes whole lines to a descriptor; only a pipe or socket is made non-blocking."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting = bytearray()
        self.dropped = 0
        """Lines that were dropped."""
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            # A terminal's flag would be shared with the shell that owns it.
            os.set_blocking(descriptor, False)

    def write(self, line: bytes) -> None:
        """Send a line now or later, never half of it."""
        if len(self._waiting) + len(line) > MAX_WAITING:
            self.dropped += 1
            return
        self._waiting += line
        self.flush()

    def flush(self) -> bool:
        """Send what waits as far as the reader takes it; True if nothing waits any more."""
        while self._waiting:
            try:
                del self._waiting[: os.write(self._descriptor, self._waiting)]
            except BlockingIOError:
                return False
            except OSError:
                self._waiting.clear()  # the reader has gone
        return True

    def finish(self, seconds: float) -> None:
        """Give the reader this long to take the rest."""
        while not self.flush():
            if not select.select([], [self._descriptor], [], seconds)[1]:
                return
