"""Profiles for https://www.speedscope.app, one per group, as its "sampled" JSON."""

from __future__ import annotations

import json

from kvtop.profile.frames import Frame
from kvtop.profile.preorder import Groups
from kvtop.profile.stacks import StackTable
from kvtop.profile.text import safe_text

SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_UNITS = {
    "ns": "nanoseconds",
    "us": "microseconds",
    "ms": "milliseconds",
    "s": "seconds",
    "bytes": "bytes",
}


def write_speedscope(
    groups: Groups, table: StackTable, title: str, unit: str = "samples", exporter: str = "kvtop"
) -> str:
    """The file as JSON text; ``unit`` is what weights count, and is shown where it is a unit of
    time or size that speedscope knows."""
    index: dict[int, int] = {}
    frames: list[dict[str, str | int]] = []
    profiles = []
    for name, counts in groups.items():
        samples: list[tuple[list[int], int]] = []
        for stack, weight in counts.items():
            path = []
            for frame_id in table.frames(stack):
                if frame_id not in index:
                    index[frame_id] = len(frames)
                    frames.append(_frame(table.frame(frame_id)))
                path.append(index[frame_id])
            samples.append((path, weight))
        # There is no order of time in a fold; in this one the time view reads as a flamegraph.
        samples.sort()
        profiles.append(
            {
                "type": "sampled",
                "name": safe_text(name or title),
                "unit": _UNITS.get(unit, "none"),
                "startValue": 0,
                "endValue": sum(counts.values()),
                "samples": [path for path, _ in samples],
                "weights": [weight for _, weight in samples],
            }
        )
    return json.dumps(
        {
            "$schema": SCHEMA,
            "shared": {"frames": frames},
            "profiles": profiles,
            "name": safe_text(title),
            "activeProfileIndex": 0,
            "exporter": exporter,
        },
        separators=(",", ":"),
    )


def _frame(frame: Frame) -> dict[str, str | int]:
    row: dict[str, str | int] = {"name": safe_text(frame.symbol)}
    # speedscope shows one place per frame: the source file, or else the object.
    if where := frame.file or frame.object:
        row["file"] = safe_text(where)
    if frame.line:
        row["line"] = frame.line
    return row
