"""Which lines of which functions py-spy's recordings of the last minutes were in.

Counts only: rows of three machine numbers per line and recording. Lines stay out of the stacks of
every other view, where a function is one frame whatever line it is in.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from kvtop.collectors.pyspy_record import Recording
from kvtop.profile.frames import Frame

SECONDS = 600.0
"""As far back as the rings of samples reach."""
MOST_ROWS = 500_000
MOST_PLACES = 200_000
_WHOLE = 0
"""The line, which is none, that stands for the whole function in whichever line it was."""


class _Round(NamedTuple):
    """One recording. ``rows`` is place, self, total, and place again."""

    time: float
    pid: int
    seconds: float
    rows: array[int]


@dataclass(frozen=True, slots=True)
class FunctionLines:
    """Samples of a function by line: as the leaf (``own``), and anywhere on the stack.

    Line 0 of ``own`` has those whose line py-spy did not know.
    A sample in which the function is on the stack several times counts once for each line, and
    once in ``total``. ``seconds`` were recorded of the process that was recorded longest, with or
    without the function.
    """

    own: dict[int, int] = field(default_factory=dict)
    totals: dict[int, int] = field(default_factory=dict)
    total: int = 0
    seconds: float = 0.0


class LineHistory:
    """The newest ``seconds``, as far as there is room."""

    def __init__(
        self, seconds: float = SECONDS, most_rows: int = MOST_ROWS, most_places: int = MOST_PLACES
    ) -> None:
        self._seconds = seconds
        self._most_rows = most_rows
        self._most_places = most_places
        self._rounds: deque[_Round] = deque()
        self._rows = 0
        self._functions: dict[tuple[str, str], dict[int, int]] = {}
        """File and name -> line -> place."""
        self._places = 0

    def add(self, recording: Recording) -> None:
        """Keep a recording's lines; those that have become too old, or too many, leave."""
        if self._places > self._most_places:
            # Code that is made anew all the time: its names would stay for ever.
            self._rounds.clear()
            self._functions.clear()
            self._rows = self._places = 0
        own: dict[int, int] = {}
        totals: dict[int, int] = {}
        for stack in recording.stacks:
            places = [
                self._place(frame, line)
                for frame, line in zip(stack.frames, stack.lines, strict=True)
            ]
            own[places[-1]] = own.get(places[-1], 0) + stack.samples
            seen = {*places, *(self._place(frame, _WHOLE) for frame in stack.frames)}
            for place in seen:
                totals[place] = totals.get(place, 0) + stack.samples
        rows = array("L")
        for place, total in totals.items():
            rows.extend((place, own.get(place, 0), total))
        self._rounds.append(_Round(recording.time, recording.pid, recording.seconds, rows))
        self._rows += len(rows) // 3
        oldest = recording.time - self._seconds
        while self._rounds and (self._rows > self._most_rows or self._rounds[0].time < oldest):
            self._rows -= len(self._rounds.popleft().rows) // 3

    def lines(
        self, frame: Frame, start: float, end: float, pids: Collection[int] | None = None
    ) -> FunctionLines:
        """Of the recordings whose middle is in this time, of these processes (None: of all)."""
        lines = {p: line for line, p in self._functions.get((frame.file, frame.symbol), {}).items()}
        own: dict[int, int] = {}
        totals: dict[int, int] = {}
        seconds: dict[int, float] = {}
        for one in self._rounds:
            if not start <= one.time <= end or (pids is not None and one.pid not in pids):
                continue
            seconds[one.pid] = seconds.get(one.pid, 0.0) + one.seconds
            rows = one.rows
            for at in range(0, len(rows), 3):
                line = lines.get(rows[at])
                if line is None:
                    continue
                totals[line] = totals.get(line, 0) + rows[at + 2]
                if rows[at + 1]:
                    own[line] = own.get(line, 0) + rows[at + 1]
        total = totals.pop(_WHOLE, 0)
        return FunctionLines(own, totals, total, max(seconds.values(), default=0.0))

    def _place(self, frame: Frame, line: int) -> int:
        lines = self._functions.setdefault((frame.file, frame.symbol), {})
        place = lines.get(line)
        if place is None:
            place = lines[line] = self._places
            self._places += 1
        return place
