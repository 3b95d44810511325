"""Lines, times and listings on their way."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.events import Event, StackSample
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.listing import Instruction, Listing, SourceFile
from kvtop.recording.codec import DecodeError, dump_line, pack
from kvtop.remote.messages import (
    Lines,
    pack_frame,
    pack_listing,
    shifted,
    unpack_frame,
    unpack_listing,
)
from tests.recording.builders import EVENT_CLASSES, strategy, table_of

DEEP = b"[" * 99_999 + b"\n"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner),
    max_leaves=9,
)


@given(st.lists(st.tuples(st.text(), VALUES)), st.integers(1, 9))
def test_lines_come_whole_however_they_are_cut(messages: list[tuple[str, Any]], size: int) -> None:
    data = b"".join(dump_line(list(message)) for message in messages)
    lines, got = Lines(), []
    for at in range(0, len(data), size):
        got += lines.feed(data[at : at + size])
    assert got == [list(message) for message in messages]


@pytest.mark.parametrize("data", [b"x\n", b"{}\n", b"[]\n", b"[1]\n", b"\xff\n", DEEP])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        Lines().feed(data)


def test_a_line_without_an_end_is_not_kept() -> None:
    lines = Lines()
    with pytest.raises(DecodeError):
        for _ in range(20):
            lines.feed(b"x" * (1 << 20))


TABLE = table_of()


def parts(value: Any, name: str = "") -> tuple[list[float], list[object]]:
    """The times in an event, and all the rest of it."""
    if name in ("time", "since"):
        return [value], []
    items: list[tuple[str, Any]]
    if isinstance(value, StackSample):
        items = list(value._asdict().items())
    elif dataclasses.is_dataclass(value):
        items = [(f.name, getattr(value, f.name)) for f in dataclasses.fields(value)]
    elif isinstance(value, tuple):
        items = [("", item) for item in value]
    else:
        return [], [value]
    found = [parts(item, name) for name, item in items]
    return [t for times, _ in found for t in times], [o for _, rest in found for o in rest]


@pytest.mark.parametrize("kind", EVENT_CLASSES)
@given(st.data())
def test_all_times_of_every_event_are_moved_and_nothing_else(
    kind: type[Event], data: st.DataObject
) -> None:
    event = data.draw(strategy(kind, TABLE))
    times, rest = parts(event)
    assert parts(shifted(event, 1024.0)) == ([t + 1024.0 for t in times], rest)


LISTING = Listing(
    7,
    (SourceFile("/src/a.c", ("int f() {", "}"), 1, {1: 5, 2: 2}, {2: 9}),),
    (Instruction(4096, 5, "mov %rax,%rbx", "/src/a.c", 1), Instruction(4100, 2, "ret")),
    "no line table",
    2.5,
    "py-spy",
    9,
    True,
)


def test_listings_and_frames_come_as_they_went() -> None:
    for listing in (LISTING, Listing()):
        assert (
            unpack_listing(json.loads(json.dumps(pack_listing(listing), default=pack))) == listing
        )
    frame = Frame("f", "a.out", Kind.NATIVE, "a.c", 3)
    assert unpack_frame(json.loads(json.dumps(pack_frame(frame)))) == frame


@given(VALUES)
def test_nonsense_is_no_listing_and_no_frame(raw: object) -> None:
    for unpack in (unpack_listing, unpack_frame):
        with pytest.raises(DecodeError):
            unpack(raw)
