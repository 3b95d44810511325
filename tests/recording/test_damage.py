"""A file that was cut off, damaged or made by hand is read as far as it goes, or refused."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvtop.events import Event, LogLine, SampleBatch, StackSample
from kvtop.recording.meta import MAGIC, RecordingError
from kvtop.recording.reader import Recording
from kvtop.recording.writer import RecordingWriter
from tests.recording.builders import META, STARTED, stacks_of, table_of


def _members(path: Path) -> tuple[list[Event], int]:
    """A recording of several members, flushed often; its events and where its head ends."""
    table = table_of()
    writer = RecordingWriter(path, META, table)
    head = writer.size
    events: list[Event] = []
    for n in range(12):
        samples = tuple(
            StackSample(STARTED + n + i / 10, 1, 2, "c", "e", 5 + i, (n + i) % 12) for i in range(5)
        )
        events += [SampleBatch(samples), LogLine(STARTED + n, "node0", "info", f"line {n}")]
        for event in events[-2:]:
            writer.write(event)
        writer.flush(writer.take(), end=n % 4 == 3)
    writer.close(STARTED + 12)
    return events, head


def _seen(path: Path) -> tuple[list[object], str]:
    recording = Recording.open(path)
    seen: list[object] = []
    for event in recording.events():
        if isinstance(event, SampleBatch):
            seen.append((stacks_of(event, recording.table), [s[:6] for s in event.samples]))
        else:
            seen.append(event)
    return seen, recording.cut


def test_cut_at_every_byte(tmp_path: Path) -> None:
    """What is read is the beginning of what was written, and a sentence says that it is."""
    whole = tmp_path / "whole.kvtop"
    events, head = _members(whole)
    data = whole.read_bytes()
    everything, cut = _seen(whole)
    assert len(everything) == len(events)
    assert not cut
    part = tmp_path / "part.kvtop"
    longest = 0
    for size in range(len(data)):
        part.write_bytes(data[:size])
        if size < head:
            try:
                Recording.open(part)
            except RecordingError as error:
                assert str(error).endswith(".")
                continue
        seen, cut = _seen(part)
        assert seen == everything[: len(seen)], size
        assert cut.startswith("The recording was cut off: ")
        assert len(seen) >= longest, size
        longest = len(seen)
    assert longest == len(events)


def test_flipped_bytes_never_fail(tmp_path: Path) -> None:
    """What is before the damage is read."""
    whole = tmp_path / "whole.kvtop"
    _, head = _members(whole)
    data = whole.read_bytes()
    everything, _ = _seen(whole)
    chance = random.Random(1)
    part = tmp_path / "part.kvtop"
    for _ in range(400):
        damaged = bytearray(data)
        damaged[chance.randrange(head, len(data))] ^= 1 << chance.randrange(8)
        part.write_bytes(damaged)
        seen, cut = _seen(part)
        assert cut or seen == everything


@given(st.binary(max_size=300))
def test_garbage_is_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("g") / "a.kvtop"
    path.write_bytes(data)
    with pytest.raises(RecordingError, match=r"\.$"):
        Recording.open(path)
    path.write_bytes(gzip.compress(data))
    with pytest.raises(RecordingError, match=r"\.$"):
        Recording.open(path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = (
    "frames",
    "stacks",
    "origins",
    "SampleBatch",
    "WaitBatch",
    "Marker",
    "NodeStatus",
    "ToolReading",
    "TargetsChanged",
    "end",
)
columns = st.lists(
    st.lists(st.integers(-3, 20) | st.integers(), max_size=4), min_size=2, max_size=4
)
hand_made = st.lists(
    st.one_of(
        json_values,
        st.tuples(st.sampled_from(NAMES), json_values).map(lambda t: [t[0], t[1]]),
        st.tuples(st.sampled_from(NAMES), st.lists(json_values, max_size=14)).map(
            lambda t: [t[0], *t[1]]
        ),
        st.tuples(st.sampled_from(NAMES), columns).map(lambda t: [t[0], *t[1]]),
        st.just(["frames", ["f", "o", "native", "", 0]]),
        st.just(["stacks", [1], [1]]),
        st.just(["origins", [1, 2, "c", "e"]]),
    ),
    max_size=12,
)


@given(lines=hand_made)
@settings(max_examples=200)
def test_hand_made_lines_never_fail(
    tmp_path_factory: pytest.TempPathFactory, lines: list[object]
) -> None:
    """Nonsense after a good head is skipped; what is understood can be kept in a store."""
    folder = tmp_path_factory.mktemp("h")
    path = folder / "a.kvtop"
    RecordingWriter(path, META, table_of()).abandon()
    text = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    path.write_bytes(path.read_bytes() + gzip.compress(text))
    Recording.open(path).store()


@given(head=json_values, meta=json_values, run=json_values, schema=json_values)
def test_a_hand_made_head_never_fails(
    tmp_path_factory: pytest.TempPathFactory,
    head: object,
    meta: object,
    run: object,
    schema: object,
) -> None:
    path = tmp_path_factory.mktemp("h") / "a.kvtop"
    for line in (head, {MAGIC: head}, {MAGIC: [1, 0], "meta": meta, "run": run, "schema": schema}):
        path.write_bytes(gzip.compress(json.dumps(line).encode() + b"\n"))
        with pytest.raises(RecordingError, match=r"\.$"):
            Recording.open(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"cannot read .*nothing: No such file"):
        Recording.open(tmp_path / "nothing")
    with pytest.raises(RecordingError, match=r"cannot read .*: Is a directory"):
        Recording.open(tmp_path)
    (tmp_path / "empty").touch()
    with pytest.raises(RecordingError, match="is empty"):
        Recording.open(tmp_path / "empty")
    (tmp_path / "text").write_text("a;b 1\n")
    with pytest.raises(RecordingError, match="is not a recording of kvtop"):
        Recording.open(tmp_path / "text")


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """A member of more than a writer ever makes is damage, not a way to fill the memory."""
    path = tmp_path / "bomb.kvtop"
    path.write_bytes(gzip.compress(b" " * (80 << 20), compresslevel=1))
    with pytest.raises(RecordingError):
        Recording.open(path)
