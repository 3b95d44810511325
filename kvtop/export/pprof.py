"""Profiles for ``pprof``: gzipped protobuf messages of its ``profile.proto``; `pprof_read` reads.

The few message types are encoded here, so that writing needs no generated code. Field numbers
are those of github.com/google/pprof/proto/profile.proto.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from dataclasses import dataclass

from kvtop.profile.frames import Frame
from kvtop.profile.preorder import Groups
from kvtop.profile.stacks import StackTable
from kvtop.profile.text import safe_text


@dataclass(frozen=True, slots=True)
class PprofMeta:
    """What the header says: ``time`` is Unix seconds, ``duration`` seconds, ``period`` the event
    count between two samples (ns for cpu-clock); 0 where unknown."""

    event: str = ""
    unit: str = "samples"
    time: float = 0.0
    duration: float = 0.0
    period: int = 0
    comment: str = ""


def write_pprof(groups: Groups, table: StackTable, meta: PprofMeta) -> bytes:
    """The ``.pb.gz`` file; samples of a named group carry the label ``group``."""
    strings = _Strings()
    functions: dict[int, int] = {}
    objects: dict[str, int] = {}
    samples: list[bytes] = []
    places: list[bytes] = []
    for name, counts in groups.items():
        label = b""
        if name:
            label = _message(
                3, _number(1, strings.id("group")) + _number(2, strings.id(safe_text(name)))
            )
        for stack, weight in counts.items():
            path = []
            # pprof wants the leaf first.
            for frame_id in reversed(table.frames(stack)):
                at = functions.get(frame_id)
                if at is None:
                    at = functions[frame_id] = len(functions) + 1
                    places.append(_place(at, table.frame(frame_id), objects, strings))
                path.append(at)
            samples.append(_message(2, _packed(1, path) + _packed(2, [weight]) + label))
    unit = strings.id(safe_text(meta.unit))
    event = strings.id(safe_text(meta.event or meta.unit))
    count = strings.id("count")
    # What counts samples is "samples" in "count"; time and bytes are units of their own.
    kind = _number(1, unit if meta.unit == "samples" else event)
    body = [_message(1, kind + _number(2, count if meta.unit == "samples" else unit)), *samples]
    body += [
        _message(3, _number(1, at) + _number(5, strings.id(name)) + _number(7, 1))
        for name, at in objects.items()
    ]
    body += places
    if meta.comment:
        body.append(_packed(13, [strings.id(safe_text(meta.comment))]))
    body.append(_number(9, round(meta.time * 1e9)))
    body.append(_number(10, round(meta.duration * 1e9)))
    if meta.period:
        body.append(_message(11, _number(1, event) + _number(2, count)))
        body.append(_number(12, meta.period))
    body += [_message(6, text.encode("utf-8", "replace")) for text in strings.texts]
    return gzip.compress(b"".join(body), compresslevel=6, mtime=0)


class _Strings:
    """The string table; number 0 is the empty string, as the format demands."""

    def __init__(self) -> None:
        self.texts = [""]
        self._ids = {"": 0}

    def id(self, text: str) -> int:
        known = self._ids.get(text)
        if known is None:
            known = self._ids[text] = len(self.texts)
            self.texts.append(text)
        return known


def _place(at: int, frame: Frame, objects: dict[str, int], strings: _Strings) -> bytes:
    """A function, and a location of the same number that is in it."""
    name = strings.id(safe_text(frame.symbol))
    file = strings.id(safe_text(frame.file))
    function = _number(1, at) + _number(2, name) + _number(3, name) + _number(4, file)
    mapping = 0
    if frame.object:
        mapping = objects.setdefault(safe_text(frame.object), len(objects) + 1)
    line = _number(1, at) + _number(2, frame.line)
    location = _number(1, at) + _number(2, mapping) + _message(4, line)
    return _message(5, function) + _message(4, location)


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value) if value else b""


def _message(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(body)) + body


def _packed(field: int, values: Iterable[int]) -> bytes:
    return _message(field, b"".join(map(_varint, values)))
