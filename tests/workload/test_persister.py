"""Durability: what was reported durable is there after a restart, whatever the crash left."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvtop.workload import wal
from kvtop.workload.entries import pack_entries
from kvtop.workload.persister import (
    DiskFailed,
    Durable,
    LogWrite,
    Persister,
    Recovered,
    Report,
    SnapshotSaved,
    log_failed,
)
from kvtop.workload.raft.types import (
    Configuration,
    Entry,
    EntryKind,
    HardState,
    Snapshot,
    SnapshotMeta,
)
from kvtop.workload.snapshots import DamagedSnapshot
from kvtop.workload.wal_records import (
    entries_record,
    hard_state_record,
    truncate_record,
)

CONFIG = Configuration(frozenset({0, 1, 2}), frozenset({3}))
SEGMENT = 64 << 10


class _Log:
    """A persister driven from a test, each write waited for."""

    def __init__(self, directory: Path, segment_size: int = SEGMENT) -> None:
        self.persister = Persister(directory, segment_size)
        self.recovered: Recovered = self.persister.recover()
        self.reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self.persister.start(self.reports.put)
        self._number = 0

    def write(
        self,
        records: bytes = b"",
        last: int = 0,
        state: HardState | None = None,
        snapshot: Snapshot | None = None,
    ) -> Report:
        self._number += 1
        write = LogWrite(self._number, records, last, state, snapshot)
        if snapshot is None and self._number % 2:
            # Every other write as the replica's loop does it, if it can.
            try:
                durable = self.persister.write_now(write)
            except OSError as error:
                return DiskFailed(log_failed(error))
            if durable is not None:
                return durable
        self.persister.write(write)
        return self.reports.get(timeout=20)

    def append(self, first: int, datas: list[bytes], term: int = 1) -> Report:
        batch = _entries(first, datas, term)
        last = first + len(datas) - 1
        return self.write(entries_record(first, len(batch), pack_entries(batch)), last)

    def vote(self, state: HardState) -> Report:
        return self.write(hard_state_record(state), 0, state)

    def snapshot(self, index: int, data: bytes) -> Report:
        self.persister.save_snapshot(SnapshotMeta(index, 1, CONFIG), [data])
        return self.reports.get(timeout=20)


def _entries(first: int, datas: list[bytes], term: int = 1) -> tuple[Entry, ...]:
    return tuple(
        Entry(index, term, EntryKind.NORMAL, data) for index, data in enumerate(datas, first)
    )


def _reopen(directory: Path) -> Recovered:
    log = _Log(directory)
    log.persister.stop()
    return log.recovered


def test_term_vote_and_entries_survive(tmp_path: Path) -> None:
    log = _Log(tmp_path)
    assert log.recovered.entries == []
    assert log.recovered.hard_state == HardState()
    log.vote(HardState(4, 2))
    report = log.append(1, [b"a", b"b"], term=4)
    assert isinstance(report, Durable)
    assert report.seconds > 0
    log.persister.stop()
    recovered = _reopen(tmp_path)
    assert recovered.hard_state == HardState(4, 2)
    assert tuple(recovered.entries) == _entries(1, [b"a", b"b"], 4)
    assert recovered.torn_bytes == 0


def test_a_new_tail_replaces_the_old_one(tmp_path: Path) -> None:
    log = _Log(tmp_path)
    log.append(1, [b"a", b"b", b"c"])
    log.write(truncate_record(2))
    log.append(2, [b"B"], term=2)
    log.append(2, [b"BB"], term=3)
    log.persister.stop()
    assert [(e.term, e.data) for e in _reopen(tmp_path).entries] == [(1, b"a"), (3, b"BB")]


def test_the_log_goes_on_over_segments_and_restarts(tmp_path: Path) -> None:
    written: list[bytes] = []
    for start in range(3):
        log = _Log(tmp_path)
        assert [entry.data for entry in log.recovered.entries] == written
        for number in range(60):
            data = bytes([start]) * (1000 + number)
            log.append(len(written) + 1, [data, b"small"])
            written += [data, b"small"]
        log.vote(HardState(start + 1, None))
        log.persister.stop()
    assert len(list((tmp_path / "log").glob("*.wal"))) > 2
    recovered = _reopen(tmp_path)
    assert [entry.data for entry in recovered.entries] == written
    assert recovered.hard_state == HardState(3, None)


def test_a_batch_larger_than_a_segment_gets_its_own(tmp_path: Path) -> None:
    log = _Log(tmp_path)
    log.append(1, [b"x" * (3 * SEGMENT)])
    log.append(2, [b"after"])
    log.persister.stop()
    assert [len(e.data) for e in _reopen(tmp_path).entries] == [3 * SEGMENT, 5]


def test_a_snapshot_replaces_the_log_before_it(tmp_path: Path) -> None:
    log = _Log(tmp_path)
    for index in range(1, 201):
        log.append(index, [bytes(2000)])
    before = log.persister.segment_count
    report = log.snapshot(190, b"state at 190")
    assert isinstance(report, SnapshotSaved)
    assert report.file.read(6, 100) == b"at 190"
    log.append(201, [b"last"])
    log.vote(HardState(9, 1))
    log.persister.stop()
    assert log.persister.segment_count < before
    recovered = _reopen(tmp_path)
    assert recovered.snapshot is not None
    assert recovered.snapshot.meta == SnapshotMeta(190, 1, CONFIG)
    assert recovered.snapshot.read(0, 100) == b"state at 190"
    assert [entry.index for entry in recovered.entries] == list(range(191, 202))
    assert recovered.hard_state == HardState(9, 1)


def test_only_the_newest_snapshot_stays(tmp_path: Path) -> None:
    log = _Log(tmp_path)
    log.append(1, [b"a", b"b", b"c"])
    log.snapshot(1, b"one")
    log.snapshot(3, b"three")
    log.persister.stop()
    assert len(list((tmp_path / "snapshots").iterdir())) == 1
    recovered = _reopen(tmp_path)
    assert recovered.snapshot is not None
    assert recovered.snapshot.meta.index == 3
    assert recovered.entries == []


def test_a_received_snapshot_voids_the_log(tmp_path: Path) -> None:
    log = _Log(tmp_path)
    log.append(1, [b"stale"] * 5)
    meta = SnapshotMeta(3, 7, CONFIG)
    assert isinstance(log.write(snapshot=Snapshot(meta, b"received")), Durable)
    log.append(4, [b"new"], term=7)
    log.persister.stop()
    for _ in range(2):
        recovered = _reopen(tmp_path)
        assert recovered.snapshot is not None
        assert recovered.snapshot.meta == meta
        assert [(e.index, e.data) for e in recovered.entries] == [(4, b"new")]


def test_a_crash_between_a_received_snapshot_and_the_log(tmp_path: Path) -> None:
    log = _Log(tmp_path)
    log.append(1, [b"stale"] * 5)
    log.write(snapshot=Snapshot(SnapshotMeta(3, 7, CONFIG), b"received"))
    log.persister.stop()
    path = next((tmp_path / "log").glob("*.wal"))
    data = bytearray(path.read_bytes())
    last = data.rindex(wal._BATCH_MAGIC.to_bytes(4, "little"))
    data[last:] = bytes(len(data) - last)  # the restart record never reached the disk
    path.write_bytes(data)
    log = _Log(tmp_path)
    assert log.recovered.entries == []
    log.append(4, [b"new"], term=7)
    log.persister.stop()
    assert [(e.index, e.data) for e in _reopen(tmp_path).entries] == [(4, b"new")]


def _only_segment(directory: Path) -> Path:
    (path,) = (directory / "log").glob("*.wal")
    return path


def _batch_positions(data: bytes | bytearray) -> list[int]:
    magic = wal._BATCH_MAGIC.to_bytes(4, "little")
    return [at for at in range(wal.FIRST_BATCH, len(data), 8) if data[at : at + 4] == magic]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_torn_last_batch_is_cut(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("torn")
    log = _Log(directory)
    log.append(1, [b"kept"])
    log.append(2, [b"torn" * 40])
    log.persister.stop()
    path = _only_segment(directory)
    content = bytearray(path.read_bytes())
    start = _batch_positions(content)[-1]
    end = len(content.rstrip(b"\0"))
    torn_at = data.draw(st.integers(start, end - 1))
    garbage = data.draw(st.binary(max_size=end - torn_at))
    whole = bytes(content)
    content[torn_at:end] = garbage.ljust(end - torn_at, b"\0")
    path.write_bytes(content)
    recovered = _reopen(directory)
    if bytes(content) == whole:
        return
    assert [entry.data for entry in recovered.entries] == [b"kept"]
    log = _Log(directory)
    log.append(2, [b"next"])
    log.persister.stop()
    assert [entry.data for entry in _reopen(directory).entries] == [b"kept", b"next"]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_damage_in_the_middle_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("damaged")
    log = _Log(directory)
    for index in range(1, 6):
        log.append(index, [b"acknowledged" * 10])
    log.persister.stop()
    path = _only_segment(directory)
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(wal.FIRST_BATCH, _batch_positions(content)[-1] - 1))
    padding = not content[at]
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        recovered = _reopen(directory)
    except wal.DamagedLog as error:
        assert str(path) in str(error)
        assert "join again" in str(error)
    else:
        assert padding  # a byte between batches that no checksum needs to cover
        assert len(recovered.entries) == 5


def test_a_lost_segment_is_refused(tmp_path: Path) -> None:
    log = _Log(tmp_path)
    for index in range(1, 150):
        log.append(index, [bytes(2000)])
    log.persister.stop()
    paths = sorted((tmp_path / "log").glob("*.wal"))
    assert len(paths) > 3
    paths[1].unlink()
    with pytest.raises(wal.DamagedLog, match=paths[2].name):
        _reopen(tmp_path)


def test_a_damaged_segment_before_the_last_is_refused(tmp_path: Path) -> None:
    log = _Log(tmp_path)
    for index in range(1, 60):
        log.append(index, [bytes(2000)])
    log.persister.stop()
    first = min((tmp_path / "log").glob("*.wal"))
    content = bytearray(first.read_bytes())
    content[_batch_positions(content)[-1] + 40] ^= 1
    first.write_bytes(content)
    with pytest.raises(wal.DamagedLog, match=first.name):
        _reopen(tmp_path)


def test_a_damaged_header_is_refused(tmp_path: Path) -> None:
    log = _Log(tmp_path)
    log.append(1, [b"a"])
    log.persister.stop()
    path = _only_segment(tmp_path)
    path.write_bytes(b"XX" + path.read_bytes()[2:])
    with pytest.raises(wal.DamagedLog, match="header"):
        _reopen(tmp_path)


def test_a_value_cannot_forge_a_batch(tmp_path: Path) -> None:
    log = _Log(tmp_path)
    log.append(1, [b"kept"])
    forged = wal.encode_batch(0, 4, b"")
    for padding in range(8):
        log.append(2 + padding, [bytes(padding) + forged * 3])
    log.persister.stop()
    path = _only_segment(tmp_path)
    content = bytearray(path.read_bytes())
    last = len(content.rstrip(b"\0")) - 1
    content[last] ^= 1
    path.write_bytes(content)
    assert len(_reopen(tmp_path).entries) == 8


@pytest.mark.parametrize("at", [0, 30, -10])
def test_a_damaged_snapshot_is_refused(tmp_path: Path, at: int) -> None:
    log = _Log(tmp_path)
    log.append(1, [b"a"])
    log.snapshot(1, b"the state" * 100)
    log.persister.stop()
    path = next((tmp_path / "snapshots").iterdir())
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedSnapshot, match=path.name):
        _reopen(tmp_path)


def test_a_lost_snapshot_is_refused(tmp_path: Path) -> None:
    log = _Log(tmp_path)
    log.write(snapshot=Snapshot(SnapshotMeta(30, 7, CONFIG), b"received"))
    log.persister.stop()
    next((tmp_path / "snapshots").iterdir()).unlink()
    with pytest.raises(wal.DamagedLog, match="snapshot at 30"):
        _reopen(tmp_path)


def test_a_half_written_snapshot_is_ignored(tmp_path: Path) -> None:
    log = _Log(tmp_path)
    log.append(1, [b"a"])
    log.persister.stop()
    (tmp_path / "snapshots" / "0-0.tmp").write_bytes(b"half")
    assert _reopen(tmp_path).snapshot is None
    assert not list((tmp_path / "snapshots").iterdir())


def test_stopping_gives_up_an_unfinished_snapshot_and_leaves_no_thread(tmp_path: Path) -> None:
    log = _Log(tmp_path)
    log.append(1, [b"a"])
    asked, go_on = threading.Event(), threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b"begun"
        asked.set()
        go_on.wait(20)
        yield b"never needed"

    log.persister.save_snapshot(SnapshotMeta(1, 1, CONFIG), pieces())
    assert asked.wait(20)
    stopping = threading.Thread(target=log.persister.stop)
    stopping.start()
    while not log.persister._stopping:
        pass
    go_on.set()
    stopping.join(20)
    assert not [thread for thread in threading.enumerate() if thread.name == "snapshot"]
    assert not list((tmp_path / "snapshots").iterdir())
    assert _reopen(tmp_path).snapshot is None


def test_a_write_of_the_callers_thread_is_durable(tmp_path: Path) -> None:
    log = _Log(tmp_path)
    entries = _entries(1, [b"a"])
    records = entries_record(1, 1, pack_entries(entries))
    durable = log.persister.write_now(LogWrite(1, records, 1))
    assert durable is not None and durable.number == 1
    assert log.reports.empty()
    log.persister.stop()
    assert tuple(_reopen(tmp_path).entries) == entries


def test_the_callers_thread_never_waits_for_the_writers(tmp_path: Path) -> None:
    log = _Log(tmp_path)
    small = LogWrite(1, b"x", 1)
    # Too large for what is left of the segment: a new one would have to be filled first.
    assert log.persister.write_now(LogWrite(1, bytes(2 * SEGMENT), 1)) is None
    with log.persister._log_lock:
        assert log.persister.write_now(small) is None
        log.persister.write(small)
        assert log.persister.write_now(LogWrite(2, b"y", 2)) is None
    assert isinstance(log.reports.get(timeout=20), Durable)
    log.persister.stop()


@pytest.mark.parametrize(
    "breaking",
    [
        lambda log: log.append(1, [b"x" * 200]),
        lambda log: log.snapshot(0, b"state"),
    ],
)
def test_an_io_error_is_reported_once_and_for_all(
    tmp_path: Path, breaking: Callable[[_Log], Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> int:
        raise OSError(28, "No space left on device")

    log = _Log(tmp_path)
    monkeypatch.setattr("os.pwrite", full)
    monkeypatch.setattr("os.write", full)
    report = breaking(log)
    assert isinstance(report, DiskFailed)
    assert "No space left" in report.text


def test_nothing_is_written_after_a_failed_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    log = _Log(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("os.fdatasync", broken)
        with pytest.raises(OSError, match="Input/output"):
            log.persister.write_now(LogWrite(1, b"x", 1))
    with pytest.raises(OSError, match="earlier"):
        log.persister.write_now(LogWrite(2, b"y", 2))
    log.persister.write(LogWrite(2, b"y", 2))
    assert isinstance(log.reports.get(timeout=20), DiskFailed)
    log.persister.stop()
