"""In which line Python's functions begin: perf tells their files only.

The files are read as they are now, one after the other in a thread, once each.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from kvtop.collectors.source_text import function_lines
from kvtop.profile.frames import Frame, Kind

MOST_FILES = 1000
_PAUSE = 0.05
"""Between two files, so that whoever draws the screen meanwhile gets the interpreter."""


class SourceLines:
    """``changed`` is called on the event loop when lines that were asked for have become known."""

    def __init__(self, changed: Callable[[], object]) -> None:
        self._changed = changed
        self._files: dict[str, dict[str, int]] = {}
        self._pending: deque[str] = deque()
        self._reading: asyncio.Task[None] | None = None

    def line_of(self, frame: Frame) -> int:
        """The frame's line, its function's first one for Python; 0 where unknown (yet)."""
        if frame.line or frame.kind is not Kind.PYTHON or not frame.file:
            return frame.line
        known = self._files.get(frame.file)
        if known is None and len(self._files) < MOST_FILES:
            self._files[frame.file] = {}
            self._pending.append(frame.file)
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read())
        return known.get(frame.symbol, 0) if known else 0

    async def _read(self) -> None:
        while self._pending:
            name = self._pending.popleft()
            self._files[name] = await asyncio.to_thread(function_lines, name)
            if not self._pending:
                self._changed()
            await asyncio.sleep(_PAUSE)
