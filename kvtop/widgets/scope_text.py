"""A scope in words: what a pane or a caption says of the time that it shows."""

from __future__ import annotations

from kvtop.profile.scope import Scope, TimeRange
from kvtop.widgets.figures import clock, span


def moment(wall: float) -> str:
    """Local time of day, with hundredths where it is not a whole second."""
    hundredths = round(wall * 100)
    rest = hundredths % 100
    return clock(hundredths // 100) + (f".{rest:02d}" if rest else "")


def range_text(chosen: TimeRange, wall_offset: float) -> str:
    """The clock at both ends of a range."""
    return f"{moment(chosen.start + wall_offset)}–{moment(chosen.end + wall_offset)}"


def length(scope: Scope, newest: float | None) -> str:
    """How much time is shown."""
    return span(round(scope.seconds(newest), 1 if scope.marked is not None else 3))


def remarks(scope: Scope, wall_offset: float) -> list[str]:
    """What is special about it: a range or a mark; nothing to say of a moving window."""
    if scope.range is not None:
        return [f"RANGE {range_text(scope.range, wall_offset)}", scope.range.why]
    if scope.marked is not None:
        return [f"since the mark at {moment(scope.marked + wall_offset)}"]
    return []
