"""Which of a tool's readings a report shows: each is of its last seconds, and they overlap."""

from __future__ import annotations

from dataclasses import dataclass

from kvtop.tool_events import Tool, ToolReading

_FULL = 0.9
"""A reading that has this part of the recorded time of the fullest one is as good."""


@dataclass(slots=True)
class Told:
    """What a tool told, from ``first`` to ``last`` (monotonic times)."""

    first: float
    last: float
    shown: ToolReading
    """The newest of those that are of the most recorded time."""


class ToolReadings:
    """Filled by ``add``, in the order of the recording."""

    def __init__(self) -> None:
        self.by_tool: dict[Tool, Told] = {}
        """Those that had anything to tell."""

    def add(self, reading: ToolReading) -> None:
        """Keep it, if there is anything in it and no fuller one."""
        if not reading.rows:
            return
        at, one = reading.recording.time, self.by_tool.get(reading.tool)
        if one is None:
            self.by_tool[reading.tool] = Told(at, at, reading)
            return
        one.last = max(one.last, at)
        if reading.recording.seconds >= _FULL * one.shown.recording.seconds:
            one.shown = reading
