"""What the kernel says of its tracepoints: how an event's fields lie in its raw data.

Source: the files events/SYSTEM/NAME/format in tracefs (kernel documentation, trace/events.rst).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kvtop.collectors.doctor import tracepoints_unreadable

TRACEFS = (Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/tracing"))
_ID = re.compile(r"^ID: (\d{1,9})$", re.MULTILINE)
_FIELD = re.compile(
    r"^\s*field:(?P<declared>[^;\n]{1,200});\s*offset:(?P<offset>\d{1,6});"
    r"\s*size:(?P<size>\d{1,6});\s*signed:(?P<signed>[01]);",
    re.MULTILINE,
)
_NAME = re.compile(r"(\w+)(?:\[\w*\])?\s*$", re.ASCII)
_CODES = {1: "b", 2: "h", 4: "i", 8: "q"}


class TracepointError(Exception):
    """A tracepoint that cannot be read; the text is one sentence with the remedy."""


@dataclass(frozen=True, slots=True)
class Field:
    """Where a field lies in the raw data, in bytes."""

    offset: int
    size: int
    signed: bool


@dataclass(frozen=True, slots=True)
class Format:
    """One tracepoint. ``id`` is the first u16 of its raw data (common_type)."""

    id: int
    fields: dict[str, Field]

    def reader(self, *names: str) -> struct.Struct:
        """Unpacks these fields, in the order they lie in; of an array the first element.

        Text (char arrays) comes as bytes. TracepointError for a field that there is not.
        """
        code, at = "=", 0
        for name in names:
            field = self.fields.get(name)
            if field is None or field.offset < at:
                raise TracepointError(f"The kernel's tracepoints have no field {name} any more.")
            code += f"{field.offset - at}x"
            one = _CODES.get(field.size)
            if one is None:
                # An array: of numbers the first, of characters all.
                text = f"{field.size}s"
                one = text if field.size % 8 or name in ("rwbs", "comm") else _CODES[8]
            code += one if field.signed or one.endswith("s") else one.upper()
            at = field.offset + struct.calcsize(f"={one}")
        return struct.Struct(code)


def parse_format(text: str) -> Format | None:
    """Read a format file; None where it is none."""
    found = _ID.search(text)
    if found is None:
        return None
    fields = {}
    for match in _FIELD.finditer(text):
        name = _NAME.search(match["declared"])
        if name is not None:
            fields[name[1]] = Field(
                int(match["offset"]), int(match["size"]), match["signed"] == "1"
            )
    return Format(int(found[1]), fields)


def read_formats(events: Sequence[str]) -> dict[str, Format]:
    """The formats of tracepoints such as ``block:block_rq_issue``, by that name.

    TracepointError where tracefs is not mounted or not readable, or has no such event.
    """
    formats = {}
    for event in events:
        system, _, name = event.partition(":")
        found = parse_format(_read(f"events/{system}/{name}/format", event))
        if found is None:
            raise TracepointError(f"The kernel's description of {event} cannot be read.")
        formats[event] = found
    return formats


def _read(path: str, event: str) -> str:
    denied = mounted = False
    for root in TRACEFS:
        try:
            return (root / path).read_text(errors="replace")
        except PermissionError:
            denied = True
        except OSError:
            mounted = mounted or (root / "events").is_dir()
    if mounted and not denied:
        raise TracepointError(f"This kernel has no tracepoint {event}.")
    raise TracepointError(tracepoints_unreadable(denied))
