"""Reads the gzipped or plain protobuf files of ``pprof``, from any program that writes them."""

from __future__ import annotations

import gzip
import zlib
from collections import defaultdict
from collections.abc import Iterator

from kvtop.profile.frames import Frame, Kind, make_frame, short_source
from kvtop.profile.stacks import StackTable
from kvtop.profile.text import safe_text

Fields = dict[int, list[int | bytes]]
LARGEST = 1 << 30
"""Bytes after decompression; a file that grows past it is refused."""


class NotPprof(ValueError):
    """The file is no profile of pprof, or a damaged one."""


def read_pprof(data: bytes, table: StackTable) -> tuple[dict[int, int], str]:
    """Fold and unit of the last sample type, which is the one that pprof shows by default."""
    try:
        profile = _fields(_unpack(data))
        strings = [_bytes(text).decode("utf-8", "replace") for text in profile[6]]
        kinds = [_fields(_bytes(kind)) for kind in profile[1]]
        kind, unit = (strings[_one(kinds[-1], field)] for field in (1, 2))
        frames = _locations(profile, strings, table)
        counts: dict[int, int] = {}
        for message in profile[2]:
            sample = _fields(_bytes(message))
            weight = _signed(_numbers(sample[2])[len(kinds) - 1])
            path = [f for at in reversed(_numbers(sample[1])) for f in frames[at]]
            stack = table.stack_id(path)
            counts[stack] = counts.get(stack, 0) + weight
    except (KeyError, IndexError, TypeError, EOFError, OSError, zlib.error) as error:
        raise NotPprof("not a profile of pprof, or a damaged one") from error
    return counts, safe_text(kind if unit == "count" else unit)


def _unpack(data: bytes) -> bytes:
    if data[:2] != b"\x1f\x8b":
        return data
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    out = unpacker.decompress(data, LARGEST)
    if not unpacker.eof:
        raise gzip.BadGzipFile("cut short, or too large")
    return out


def _locations(profile: Fields, strings: list[str], table: StackTable) -> dict[int, list[int]]:
    """Frame ids of every location, the outermost of inlined functions first."""
    functions = {_one(f, 1): f for f in map(_fields, map(_bytes, profile[5]))}
    mappings = {_one(m, 1): strings[_one(m, 5)] for m in map(_fields, map(_bytes, profile[3]))}
    found: dict[int, list[int]] = {}
    for location in map(_fields, map(_bytes, profile[4])):
        object_name = mappings.get(_one(location, 2), "")
        frames = []
        for line in map(_fields, map(_bytes, reversed(location[4]))):
            function = functions[_one(line, 1)]
            file = strings[_one(function, 4)]
            frame = _frame(strings[_one(function, 2)], file, _one(line, 2), object_name)
            frames.append(table.intern(frame))
        found[_one(location, 1)] = frames or [table.frame_id("[unknown]", object_name)]
    return found


def _frame(name: str, file: str, line: int, object_name: str) -> Frame:
    if file.endswith((".py", ".pyx")):
        where = safe_text(file)
        return Frame(safe_text(name), short_source(where), Kind.PYTHON, where, line)
    made = make_frame(name, object_name)
    return Frame(made.symbol, made.object, made.kind, safe_text(file), line)


def _fields(message: bytes) -> Fields:
    """Values by field number; absent ones are empty lists."""
    found: Fields = defaultdict(list)
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(message, at)
            found[tag >> 3].append(value)
            continue
        size = {1: 8, 5: 4}.get(kind, -1)
        if kind == 2:
            size, at = _varint(message, at)
        if size < 0 or at + size > end:
            raise EOFError("a field that does not end in its message")
        found[tag >> 3].append(message[at : at + size])
        at += size
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise EOFError("a number without an end")


def _numbers(values: list[int | bytes]) -> list[int]:
    """A repeated number, packed or not."""
    found: list[int] = []
    for value in values:
        found.extend(_packed(value) if isinstance(value, bytes) else (value,))
    return found


def _packed(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def _one(fields: Fields, number: int) -> int:
    values = fields.get(number)
    if not values:
        return 0
    value = values[-1]
    if isinstance(value, bytes):
        raise TypeError("a number was expected")
    return value


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise TypeError("a message was expected")
    return value


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
