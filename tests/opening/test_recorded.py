"""Recordings opened as profiles: the whole time or a part, by target, and damaged ones."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from kvtop.events import (
    Event,
    NodeState,
    NodeStatus,
    PipelineStats,
    Role,
    SampleBatch,
    SpiedBatch,
    StackSample,
    Target,
    TargetsChanged,
)
from kvtop.export.detect import Format, UnknownFormat, detect
from kvtop.opening.files import STDIN, open_profile
from kvtop.opening.model import ProfileError, Split, Wanted
from kvtop.profile.stacks import StackTable
from tests.opening.test_files import symbols
from tests.recording.builders import META, RUN, STARTED, write

APPLY, SEND, PYTHON = ("main", "apply"), ("main", "send"), ("<module>", "loop")


def sample(at: float, pid: int, event: str, stack: int) -> StackSample:
    return StackSample(STARTED + at, pid, pid + 1, f"thread{pid}", event, 250, stack)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Ten seconds: node0 applies in the first half, node1 sends in the second."""
    table = StackTable()

    def stack(names: tuple[str, ...]) -> int:
        return table.stack_id([table.frame_id(name, "/bin/x") for name in names])

    apply, send, spied = stack(APPLY), stack(SEND), stack(PYTHON)
    target = Target("node0", 10, Role.LEADER, "node", True)
    node = NodeStatus(STARTED + 5, "node1", 20, NodeState.UP, Role.FOLLOWER, 1, "node0")
    events: list[Event] = [
        TargetsChanged(STARTED, (target,)),
        SpiedBatch((sample(0.5, 10, "py-spy", spied),)),
        SampleBatch(tuple(sample(1 + n, 10, "cycles", apply) for n in range(4))),
        PipelineStats(STARTED + 5, 4, 0, 0, 0, 0.1, "cycles", 99, "fp"),
        node,
        SampleBatch(tuple(sample(6 + n, 20, "cycles", send) for n in range(3))),
        SampleBatch((sample(9, 30, "faults", send),)),
    ]
    return write(tmp_path / "misleading.svg", events, table)


def test_the_whole_time_is_shown_by_target(file: Path) -> None:
    profile = open_profile(str(file))
    assert symbols(profile) == {"": {APPLY: 4, SEND: 3}}
    assert symbols(profile, Split.COMMAND) == {"node0": {APPLY: 4}, "node1": {SEND: 3}}
    assert list(symbols(profile, Split.PROCESS)) == ["node0 (10)", "node1 (20)"]
    assert list(symbols(profile, Split.THREAD)) == ["thread10 (11)", "thread20 (21)"]
    assert profile.called(Split.COMMAND) == "target"
    meta = profile.meta
    assert (meta.title, meta.host, meta.event) == (RUN.title, META.host, "cycles")
    assert (meta.frequency, meta.command) == ("99 Hz", "kvtop --attach 1")
    # From the page fault, which is not shown, back to the first sample.
    assert (profile.duration, profile.start) == (8, RUN.wall_offset + STARTED + 1)


def test_another_event_and_pyspys_stacks_are_shown_where_asked_for(file: Path) -> None:
    (note,) = open_profile(str(file)).notes
    assert "--event" in note and "faults, py-spy" in note
    other = open_profile(str(file), Wanted(event="faults"))
    assert symbols(other, Split.COMMAND) == {"thread30": {SEND: 1}}
    assert symbols(open_profile(str(file), Wanted(event="py-spy"))) == {"": {PYTHON: 1}}
    by_period = open_profile(str(file), Wanted(weight_by_period=True))
    assert symbols(by_period) == {"": {APPLY: 1000, SEND: 750}}
    assert by_period.meta.unit == "cycles"


def test_without_perf_pyspys_stacks_are_the_profile(tmp_path: Path) -> None:
    table = StackTable()
    stack = table.stack_id([table.frame_id(name, "a.py") for name in PYTHON])
    path = write(tmp_path / "a", [SpiedBatch((sample(1, 10, "py-spy", stack),))], table)
    profile = open_profile(str(path))
    assert symbols(profile) == {"": {PYTHON: 1}}
    assert (profile.meta.event, profile.notes) == ("py-spy", [])


def test_a_part_of_the_time(file: Path) -> None:
    # Seconds count from the first event, as the replay's do, which is before the first sample.
    assert symbols(open_profile(str(file), Wanted(end=2))) == {"": {APPLY: 2}}
    assert symbols(open_profile(str(file), Wanted(start=4, end=7))) == {"": {APPLY: 1, SEND: 2}}
    seen: list[StackSample] = []
    open_profile(str(file), Wanted(start=7.5), seen.extend)
    assert [one.time - STARTED for one in seen] == [8, 9]
    with pytest.raises(ProfileError, match="no samples in that time"):
        open_profile(str(file), Wanted(start=60))


def test_it_comes_through_a_pipe(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(file.read_bytes())))
    assert symbols(open_profile(STDIN)) == {"": {APPLY: 4, SEND: 3}}
    broken = file.read_bytes()[:300]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(broken)))
    with pytest.raises(ProfileError, match="standard input is not a recording"):
        open_profile(STDIN)


def test_what_was_cut_off_is_shown_as_far_as_it_goes(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[:-12])
    profile = open_profile(str(file))
    assert symbols(profile) == {"": {APPLY: 4, SEND: 3}}
    assert any("cut off" in note for note in profile.notes)
    assert not any(note.endswith(".") for note in profile.notes)


def test_it_is_told_by_its_content(file: Path) -> None:
    data = file.read_bytes()
    assert detect(data) is Format.RECORDING
    # pprof's is gzip, too.
    assert detect(gzip.compress(b"\x0a\x04\x08\x01\x10\x02")) is Format.PPROF
    with pytest.raises(UnknownFormat, match="unpacked"):
        detect(gzip.decompress(data))


def test_a_part_of_what_has_no_times_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.folded"
    path.write_text("main;work 3\n")
    with pytest.raises(ProfileError, match="is folded, which has no times"):
        open_profile(str(path), Wanted(start=1))
