"""Profiles for https://www.speedscope.app, one per group, as its "sampled" JSON; and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from kvtop.profile.frames import Frame, Kind, make_frame, short_source
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


def read_speedscope(text: str, table: StackTable) -> tuple[dict[str, dict[int, int]], str]:
    """Folds by profile name, and the unit ("samples" where the file says none).

    Reads "sampled" and "evented" profiles of any program; weights are rounded to whole numbers.
    Raises ValueError where the file is not speedscope's, or is damaged.
    """
    try:
        data = json.loads(text)
        frames = [table.intern(_read_frame(row)) for row in data["shared"]["frames"]]
        groups: dict[str, dict[int, int]] = {}
        unit = "none"
        for number, profile in enumerate(data["profiles"], 1):
            unit = profile.get("unit", unit)
            name = safe_text(str(profile.get("name") or f"profile {number}"))
            counts = groups.setdefault(name, {})
            for path, weight in _stacks(profile):
                stack = table.stack_id([frames[at] for at in path])
                counts[stack] = counts.get(stack, 0) + round(weight)
    except (AttributeError, KeyError, TypeError, IndexError, RecursionError, ValueError) as error:
        raise ValueError("not a speedscope profile, or a damaged one") from error
    return groups, next((ours for ours, name in _UNITS.items() if name == unit), "samples")


def _read_frame(row: dict[str, Any]) -> Frame:
    name, file = str(row["name"]), str(row.get("file") or "")
    line = int(row.get("line") or 0)
    if file.endswith((".py", ".pyx")):
        where = safe_text(file)
        return Frame(safe_text(name), short_source(where), Kind.PYTHON, where, line)
    return make_frame(name, file)


def _stacks(profile: dict[str, Any]) -> Iterator[tuple[list[int], float]]:
    if profile["type"] == "sampled":
        yield from zip(profile["samples"], profile["weights"], strict=True)
        return
    open_frames: list[int] = []
    last = profile["startValue"]
    for event in profile["events"]:
        if event["at"] > last and open_frames:
            yield open_frames, event["at"] - last
        last = event["at"]
        if event["type"] == "O":
            open_frames.append(event["frame"])
        elif open_frames.pop() != event["frame"]:
            raise ValueError("frames close in another order than they open")
