"""Events as JSON values and back, by the types of their fields.

A dataclass becomes ``[its name, field, field, ...]``, its fields in the order that the file's
schema gives; everything else is what JSON makes of it. What comes back is checked: a text cannot
reach the terminal with control characters, a number fits where it belongs.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import cache
from math import isfinite
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from kvtop import events
from kvtop.profile.text import safe_text

Decode = Callable[[object], Any]
Schema = Mapping[str, list[str]]
"""Names of the fields of every dataclass, in the order of the file."""
BATCHES = (events.SampleBatch, events.SpiedBatch, events.WaitBatch)
"""Events that are written as columns, by ``samples.py``."""
TEXT_LIMIT = 16_384
MAX_INT = (1 << 63) - 1
_MAX_FLOAT = 1e18
_MAX_BUCKET = 64


class DecodeError(ValueError):
    """A value that is not what its field wants."""


fields_of = cache(get_type_hints)
"""Name and type of every field of a dataclass."""


def _members(tp: Any) -> Iterable[Any]:
    return get_args(tp) if get_origin(tp) in (Union, UnionType, tuple) else (tp,)


@cache
def _classes() -> dict[str, type]:
    """Every dataclass that an event consists of, by name."""
    found: dict[str, type] = {}

    def visit(tp: Any) -> None:
        for member in _members(tp):
            if member is not tp:
                visit(member)
            elif dataclasses.is_dataclass(tp) and tp not in BATCHES and isinstance(tp, type):
                found[tp.__name__] = tp
                for hint in fields_of(tp).values():
                    visit(hint)

    visit(events.Event)
    return found


def schema() -> dict[str, list[str]]:
    """The fields of every class, as this version of kvtop writes them."""
    return {name: _names(cls) for name, cls in sorted(_classes().items())}


def _names(cls: type) -> list[str]:
    return [field.name for field in dataclasses.fields(cls)]


@cache
def _getter(cls: type) -> Callable[[object], tuple[object, ...]]:
    names = _names(cls)
    if len(names) == 1:
        one = attrgetter(names[0])
        return lambda value: (one(value),)
    return attrgetter(*names)


def pack(value: object) -> list[object]:
    """A dataclass as a list; json.dumps calls it for those inside too."""
    cls: Any = type(value)
    return [cls.__name__, *_getter(cls)(value)]


def dump_line(value: object) -> bytes:
    """One line of JSON, with its end."""
    return json.dumps(value, default=pack, separators=(",", ":")).encode() + b"\n"


class Decoder:
    """Decodes what a file of this schema holds; DecodeError for what makes no sense."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._decoders: dict[Any, Decode] = {}

    def knows(self, name: object) -> bool:
        """Whether there is such an event."""
        return name in _classes()

    def event(self, line: list[Any]) -> Any:
        """The event that a line holds."""
        return self.value(_classes()[line[0]], line)

    def value(self, tp: Any, raw: object) -> Any:
        """A value of some type."""
        decode = self._decoders.get(tp)
        if decode is None:
            decode = self._decoders[tp] = self._make(tp)
        return decode(raw)

    def _make(self, tp: Any) -> Decode:
        origin, arguments = get_origin(tp), get_args(tp)
        if origin in (Union, UnionType):
            return self._make_union(tuple(a for a in arguments if a is not NoneType), arguments)
        if origin is tuple:
            return self._make_tuple(arguments)
        if isinstance(tp, type):
            if dataclasses.is_dataclass(tp):
                return self._make_dataclass(tp)
            if issubclass(tp, Enum):
                return _enum(tp)
        return _PLAIN[tp]

    def _make_union(self, choices: tuple[Any, ...], arguments: tuple[Any, ...]) -> Decode:
        named = {c.__name__: c for c in choices}
        single = choices[0] if len(choices) == 1 else None
        optional = len(choices) < len(arguments)

        def decode(raw: object) -> Any:
            if raw is None and optional:
                return None
            if single is not None:
                return self.value(single, raw)
            name = raw[0] if isinstance(raw, list) and raw else None
            if not isinstance(name, str) or name not in named:
                raise DecodeError(f"{name!r} is none of {', '.join(named)}")
            return self.value(named[name], raw)

        return decode

    def _make_tuple(self, arguments: tuple[Any, ...]) -> Decode:
        def decode_all(raw: object) -> Any:
            return tuple([self.value(arguments[0], item) for item in _list(raw)])

        def decode_each(raw: object) -> Any:
            items = _list(raw)
            if len(items) != len(arguments):
                raise DecodeError(f"{len(arguments)} values belong here, not {len(items)}")
            return tuple(map(self.value, arguments, items))

        return decode_all if arguments[-1] is Ellipsis else decode_each

    def _make_dataclass(self, cls: type) -> Decode:
        hints = fields_of(cls)
        known = self._schema.get(cls.__name__, [])
        fields = [(at + 1, name, hints[name]) for at, name in enumerate(known) if name in hints]
        size = len(known) + 1

        def decode(raw: object) -> Any:
            items = _list(raw)
            if len(items) != size or items[0] != cls.__name__:
                raise DecodeError(f"this is no {cls.__name__}")
            values = {name: self.value(tp, items[at]) for at, name, tp in fields}
            for name, value in values.items():
                if name.endswith("buckets") and any(not 0 <= n <= _MAX_BUCKET for n, _ in value):
                    raise DecodeError("there is no such bucket")
            try:
                return cls(**values)
            except TypeError as error:
                raise DecodeError(f"{cls.__name__}: {error}") from None

        return decode


def _list(raw: object) -> list[Any]:
    if not isinstance(raw, list):
        raise DecodeError("this is no list")
    return raw


def _enum(tp: type[Enum]) -> Decode:
    members: dict[object, Enum] = {member.value: member for member in tp}

    def decode(raw: object) -> Enum:
        if not isinstance(raw, str | int) or raw not in members:
            raise DecodeError(f"there is no such {tp.__name__}")
        return members[raw]

    return decode


def integer(raw: object) -> int:
    """A number of at most 64 bits."""
    if type(raw) is not int or not -MAX_INT <= raw <= MAX_INT:
        raise DecodeError("this is no whole number")
    return raw


def number(raw: object) -> float:
    """A finite number."""
    if type(raw) not in (int, float):
        raise DecodeError("this is no number")
    assert isinstance(raw, int | float)
    if not abs(raw) <= _MAX_FLOAT or not isfinite(raw):
        raise DecodeError("this number is out of range")
    return float(raw)


def text(raw: object) -> str:
    """Printable text, whatever the file holds."""
    if not isinstance(raw, str):
        raise DecodeError("this is no text")
    return safe_text(raw, TEXT_LIMIT)


def _boolean(raw: object) -> bool:
    if not isinstance(raw, bool):
        raise DecodeError("this is neither true nor false")
    return raw


_PLAIN: dict[Any, Decode] = {int: integer, float: number, str: text, bool: _boolean}
