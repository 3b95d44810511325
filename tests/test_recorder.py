"""A run in a file: from the start, afterwards, on a full disk, over another file."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from pathlib import Path

import pytest

from kvtop.events import Health, MarkerKind, NodeState, NodeStatus, Role, TargetsChanged
from kvtop.profile.ring import EVERYTHING, GroupKey, SampleRing
from kvtop.recorder import Recorder
from kvtop.recording.history import History
from kvtop.recording.meta import RecordingError
from kvtop.recording.reader import Recording
from kvtop.recording.room import make_room
from kvtop.session import Session
from kvtop.store import Store
from tests.fake_session import config
from tests.widgets.made_up import START, make_store, play, targets


def named(ring: SampleRing) -> list[tuple[object, ...]]:
    """The samples of a ring, their stacks by name, in order of time."""
    table = ring.table
    return sorted(
        (
            *sample[:6],
            label,
            role,
            tuple(table.frame(f) for f in table.frames(sample.stack)),
        )
        for sample, label, role in ring.iter_samples()
    )


def assert_same(one: Store, two: Store) -> None:
    """Both stores show the same."""
    assert named(one.ring) == named(two.ring)
    assert named(one.waits.ring) == named(two.waits.ring)
    for key in (GroupKey.LABEL, GroupKey.ROLE):
        sides = [s.ring.fold_by(EVERYTHING, key) for s in (one, two)]
        assert [(g, sum(f.values())) for g, f in sides[0].items()] == [
            (g, sum(f.values())) for g, f in sides[1].items()
        ]
    assert list(one.markers.items) == list(two.markers.items)
    assert list(one.logs.items) == list(two.logs.items)
    assert one.cluster.nodes == two.cluster.nodes
    assert one.targets == two.targets
    assert one.pipeline == two.pipeline
    assert one.collectors == two.collectors
    for label in one.counters.labels:
        for event in one.counters.events:
            series = [s.counters.series(label, event) for s in (one, two)]
            points = [None if s is None else s.since(0) for s in series]
            assert points[0] == points[1]
    assert one.stress.rate.since(0) == two.stress.rate.since(0)
    assert one.stress.operations.amount == two.stress.operations.amount


def run_to(store: Store, start: float, end: float) -> None:
    """Let the made-up run go on."""
    for event in play(store, START + start, START + end):
        store.apply(event)


async def test_from_the_start(tmp_path: Path) -> None:
    """Everything that the store took in, the election that it marked by itself once."""
    store = make_store()
    recorder = Recorder(store, config())
    recorder.start(tmp_path / "a.kvtop")
    store.apply(TargetsChanged(START, targets()))
    run_to(store, 0, 20)
    status = NodeStatus(START + 21, "node2", 4103, NodeState.UP, Role.LEADER, term=99)
    store.apply(status)
    recorded = await recorder.stop()
    assert recorded is not None
    assert recorded.size == (tmp_path / "a.kvtop").stat().st_size
    recording = Recording.open(tmp_path / "a.kvtop")
    again = recording.store()
    assert not recording.cut
    assert_same(again, store)
    elections = [m for m in again.markers.items if m.kind is MarkerKind.ELECTION]
    assert len(elections) == len({m.text for m in elections})
    assert any("term 99" in m.text for m in elections)
    assert recording.meta.run == store.info
    assert recording.meta.cpus == os.cpu_count()
    assert recorder.current is None


async def test_afterwards(tmp_path: Path) -> None:
    """What is still held comes first, then what comes meanwhile, nothing twice."""
    store = make_store()
    recorder = Recorder(store, config())
    store.apply(TargetsChanged(START, targets()))
    run_to(store, 0, 30)
    recorder.start(tmp_path / "a.kvtop", past=True)
    run_to(store, 30, 32)
    await asyncio.sleep(0)
    run_to(store, 32, 40)
    await recorder.stop()
    assert_same(Recording.open(tmp_path / "a.kvtop").store(), store)


async def test_long_afterwards(tmp_path: Path) -> None:
    """Of what is older than the rings the state is kept: whose samples they are, who is well."""
    store = make_store()
    history = History(10)
    store.tap = history.add
    store.ring.seconds = 10
    store.apply(TargetsChanged(START, targets()))
    run_to(store, 0, 40)
    again = Store(store.info, SampleRing(store.table))
    told = list(history.events(store))
    for event in told:
        again.apply(event)
    assert named(again.ring) == named(store.ring)
    assert again.targets == store.targets
    assert again.cluster.nodes == store.cluster.nodes
    assert again.collectors.keys() == store.collectors.keys()
    assert all(e.time >= START + 29 for e in told if hasattr(e, "time"))


async def test_a_full_disk_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_store()
    recorder = Recorder(store, config())
    recorder.start(tmp_path / "a.kvtop")
    run_to(store, 0, 5)
    real = os.write

    def full(file: int, data: bytes) -> int:
        real(file, bytes(data)[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    await recorder.stop()
    monkeypatch.undo()
    assert recorder.problem.endswith("ended early: No space left on device.")
    assert store.health("recording").health is Health.UNAVAILABLE
    assert recorder.problem in [line.text for line in store.logs.items]
    assert recorder.current is None
    recording = Recording.open(tmp_path / "a.kvtop")
    assert sum(1 for _ in recording.events()) > 0
    assert recording.cut
    run_to(store, 5, 6)
    recorder.start(tmp_path / "b.kvtop")
    await recorder.stop()
    assert not recorder.problem


async def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    recorder = Recorder(make_store(), config())
    (tmp_path / "file").touch()
    with pytest.raises(RecordingError, match=r"cannot write .*file/a\.kvtop: File exists"):
        recorder.start(tmp_path / "file" / "a.kvtop")
    assert recorder.current is None
    assert await recorder.stop() is None


async def test_a_recording_of_that_name_is_kept_as_old(tmp_path: Path) -> None:
    path = tmp_path / "a.kvtop"
    make_room(path)
    recorder = Recorder(make_store(), config())
    recorder.start(path)
    await recorder.stop()
    before = path.read_bytes()
    make_room(path)
    assert not path.exists()
    assert (tmp_path / "a.kvtop.old").read_bytes() == before


@pytest.mark.parametrize("kind", ["text", "directory"])
def test_another_file_is_never_touched(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "thesis.txt"
    if kind == "text":
        path.write_text("years of work")
    else:
        path.mkdir()
    with pytest.raises(RecordingError, match="exists and is no recording"):
        make_room(path)
    assert path.exists()


@pytest.mark.e2e
async def test_a_live_run_and_its_recordings_are_the_same(tmp_path: Path) -> None:
    """Of a real program under perf: from the start, and afterwards from what is still held."""
    busy = "def work(n):\n    return n * n\nwhile True:\n    sum(map(work, range(1000)))\n"
    program = await asyncio.create_subprocess_exec(sys.executable, "-X", "perf", "-c", busy)
    whole, later = tmp_path / "whole.kvtop", tmp_path / "later.kvtop"
    session = Session(config("--attach", str(program.pid), "--record", str(whole)))
    try:
        await session.start()
        store = session.store
        assert session.recorder is not None
        for _ in range(600):
            if store.health("perf_record").health is Health.UNAVAILABLE:
                pytest.skip("perf does not work here")
            if len(store.ring) > 100 and store.counters.labels:
                break
            await asyncio.sleep(0.1)
        assert "REC" in session.banner
        # Nothing comes any more, so that all are of the same moment.
        for task in session._tasks:
            task.cancel()
        await asyncio.gather(*session._tasks, return_exceptions=True)
        await session.recorder.stop()
        assert session.banner == ""
        assert_same(Recording.open(whole).store(), store)
        session.recorder.start(later, past=True)
        await session.recorder.stop()
        assert_same(Recording.open(later).store(), store)
        assert len(store.ring) > 100
    finally:
        await session.stop()
        program.kill()
        await program.wait()
