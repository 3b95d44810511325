"""What is written is read again, whatever it is, and by every version that may meet it."""

from __future__ import annotations

import dataclasses
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kvtop.events import (
    LogLine,
    Marker,
    MarkerKind,
    Role,
    SampleBatch,
    StackSample,
    Target,
    TargetsChanged,
)
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.stacks import StackTable
from kvtop.recording.meta import MAGIC, VERSION, RecordingError
from kvtop.recording.reader import Recording
from kvtop.recording.writer import RecordingWriter
from tests.recording.builders import (
    BATCHES,
    EVENT_CLASSES,
    META,
    RUN,
    STARTED,
    stacks_of,
    strategy,
    table_of,
    write,
)


@pytest.mark.parametrize("cls", EVENT_CLASSES, ids=lambda cls: cls.__name__)
@given(data=st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_every_event_comes_back(
    cls: type, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    table = table_of()
    event = data.draw(strategy(cls, table))
    path = write(tmp_path_factory.mktemp("r") / "a.kvtop", [event], table)
    recording = Recording.open(path)
    found = list(recording.events())
    if cls in BATCHES:
        if not event.samples:
            assert not found
            return
        (batch,) = found
        assert type(batch) is cls
        assert stacks_of(batch, recording.table) == stacks_of(event, table)
        plain = [[s._replace(stack=0) for s in e.samples] for e in (batch, event)]
        assert plain[0] == plain[1]
    else:
        assert found == [event]
    assert not recording.cut
    assert not recording.skipped


def test_order_meta_and_length(tmp_path: Path) -> None:
    table = table_of()
    samples = tuple(StackSample(STARTED + n, 1, 2, "c", "e", 5, n) for n in range(6))
    events = [
        TargetsChanged(STARTED, (Target("a", 1, Role.OTHER),)),
        SampleBatch(samples[:3]),
        Marker(STARTED + 1.5, MarkerKind.NOTE, "mark"),
        SampleBatch(samples[3:]),
        LogLine(STARTED + 2, "a", "info", "text"),
    ]
    recording = Recording.open(write(tmp_path / "a.kvtop", events, table))
    assert recording.meta == META
    assert [type(e) for e in recording.events()] == [type(e) for e in events]
    assert recording.duration == 5.0
    assert recording.span == (STARTED, STARTED + 5)


def test_store_holds_every_sample(tmp_path: Path) -> None:
    """Nothing leaves for its age, and what was counted is counted again."""
    table = table_of()
    times = [STARTED + 700 * n for n in range(12)]
    events = [
        SampleBatch((StackSample(t, 1, 2, "c", "e", 5, n % 12),)) for n, t in enumerate(times)
    ]
    store = Recording.open(write(tmp_path / "a.kvtop", events, table)).store()
    assert len(store.ring) == 12
    assert store.ring.dropped == 0
    assert list(store.ring.times()) == times


def test_stacks_survive_compaction_of_the_writers_table(tmp_path: Path) -> None:
    """Ids that the table has given up and frames that it made anew are the same in the file."""
    table = StackTable()

    def stack() -> int:
        return table.stack_id([table.frame_id("main", "a"), table.frame_id("work", "a")])

    writer = RecordingWriter(tmp_path / "a.kvtop", META, table)
    writer.write(SampleBatch((StackSample(STARTED, 1, 1, "c", "e", 1, stack()),)))
    for _ in range(3):
        table.compact()
    writer.write(SampleBatch((StackSample(STARTED + 1, 1, 1, "c", "e", 1, stack()),)))
    writer.close(STARTED + 2)
    recording = Recording.open(tmp_path / "a.kvtop")
    first, second = recording.events()
    assert isinstance(first, SampleBatch)
    assert isinstance(second, SampleBatch)
    assert first.samples[0].stack == second.samples[0].stack
    assert recording.table.frame_count == 2


def test_a_sample_whose_stack_is_forgotten_is_left_out(tmp_path: Path) -> None:
    table = table_of()
    samples = (
        StackSample(STARTED, 1, 1, "c", "e", 1, 999),
        StackSample(STARTED, 1, 1, "c", "e", 1, 0),
    )
    (batch,) = Recording.open(write(tmp_path / "a.kvtop", [SampleBatch(samples)], table)).events()
    assert isinstance(batch, SampleBatch)
    assert len(batch.samples) == 1


def test_nothing_unprintable_comes_back(tmp_path: Path) -> None:
    table = StackTable()
    hostile = "\x1b[31mred\u202e\n"
    stack = table.stack_id([table.intern(Frame(hostile, hostile, Kind.NATIVE, hostile))])
    batch = SampleBatch((StackSample(STARTED, 1, 1, hostile, hostile, 1, stack),))
    events = [batch, LogLine(STARTED, hostile, hostile, hostile)]
    recording = Recording.open(write(tmp_path / "a.kvtop", events, table))
    samples, line = recording.events()
    assert isinstance(samples, SampleBatch)
    assert isinstance(line, LogLine)
    frame = recording.table.frame(0)
    texts = (frame.symbol, frame.object, frame.file, *samples.samples[0][3:5], line.text)
    assert all(text.isprintable() and "red" in text for text in map(str, texts))


def test_gzip_reads_it(tmp_path: Path) -> None:
    """Lines of JSON in gzip, the first with the version."""
    path = write(tmp_path / "a.kvtop", [Marker(STARTED, MarkerKind.NOTE, "x")], table_of())
    lines = gzip.decompress(path.read_bytes()).splitlines()
    assert json.loads(lines[0])[MAGIC] == list(VERSION)
    assert json.loads(lines[1])[0] == "Marker"


def test_an_existing_file_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "a.kvtop"
    path.write_text("mine")
    with pytest.raises(RecordingError, match=r"cannot write .*: File exists"):
        RecordingWriter(path, META, table_of())
    assert path.read_text() == "mine"


# Other versions


def _edited(path: Path, edit: Any) -> Path:
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    edit(lines)
    path.write_bytes(gzip.compress(b"".join(json.dumps(one).encode() + b"\n" for one in lines)))
    return path


def test_a_newer_version_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.kvtop", [], table_of())
    _edited(path, lambda lines: lines[0].update({MAGIC: [VERSION[0] + 1, 0]}))
    with pytest.raises(RecordingError, match=r"is of format 2\.0, this kvtop reads 1\.x"):
        Recording.open(path)


def test_what_a_newer_minor_version_brings_is_skipped(tmp_path: Path) -> None:
    """New kinds of events, new fields and new values cost what is new, not the rest."""
    marker = Marker(STARTED, MarkerKind.NOTE, "x")
    path = write(tmp_path / "a.kvtop", [marker, LogLine(STARTED, "a", "info", "b")], table_of())

    def edit(lines: list[Any]) -> None:
        lines[0]["schema"]["Marker"].append("colour")
        lines[1].append("red")
        lines.insert(2, ["Marker", STARTED, "eclipse", "y", "", "black"])
        lines.insert(3, ["Eclipse", STARTED])
        lines.insert(4, {"another": "line"})

    recording = Recording.open(_edited(path, edit))
    assert list(recording.events()) == [marker, LogLine(STARTED, "a", "info", "b")]
    assert recording.skipped == 3
    assert not recording.cut


def test_a_field_that_an_older_version_lacks_has_its_default(tmp_path: Path) -> None:
    path = write(tmp_path / "a.kvtop", [Marker(STARTED, MarkerKind.NOTE, "x", "node0")], table_of())

    def edit(lines: list[Any]) -> None:
        lines[0]["schema"]["Marker"].remove("label")
        lines[1].pop()
        del lines[0]["run"]["watched"]

    recording = Recording.open(_edited(path, edit))
    assert list(recording.events()) == [Marker(STARTED, MarkerKind.NOTE, "x")]
    assert recording.meta.run == RUN


def test_the_schema_names_every_class(tmp_path: Path) -> None:
    path = write(tmp_path / "a.kvtop", [], table_of())
    schema = json.loads(gzip.decompress(path.read_bytes()).splitlines()[0])["schema"]
    for cls in set(EVENT_CLASSES) - set(BATCHES):
        assert schema[cls.__name__] == [field.name for field in dataclasses.fields(cls)]
