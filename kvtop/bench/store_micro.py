"""Micro benchmarks of the store: ordered map, codecs, write-ahead log, state machine, Raft core."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from queue import SimpleQueue

from kvtop.bench.micro import Micro, Timer, repeat
from kvtop.workload.entries import EntryCodec, pack_entries, unpack_entries
from kvtop.workload.persister import Durable, LogWrite, Persister, Report
from kvtop.workload.raft.core import Config, Raft, bootstrap
from kvtop.workload.raft.types import AppendEntries, Entry, EntryKind, HardState, Message, Role
from kvtop.workload.raft_messages import MessageCodec
from kvtop.workload.rpc.frames import FrameReader, pack_frame
from kvtop.workload.rpc.kv_pb2 import PUT, Command
from kvtop.workload.skiplist import SkipList
from kvtop.workload.statemachine import StateMachine
from kvtop.workload.wal import Scan, encode_batch, read_batches
from kvtop.workload.wal_records import Replay, entries_record

KEYS = 20_000
SCANNED = 1000
BATCH = 64
"""Entries of one AppendEntries and of one batch of the log; values have 256 bytes."""
REPLAYED = 100
"""Batches of the log that is read back."""
_SEGMENT = 4 << 20
_LOG = 4096
"""Entries of a log before a snapshot takes their place."""


def shuffled_keys() -> list[bytes]:
    """``KEYS`` keys in an order that is the same in every run."""
    keys = [b"key%08d" % number for number in range(KEYS)]
    random.Random(1).shuffle(keys)
    return keys


def _insert() -> Timer:
    keys = shuffled_keys()

    def insert() -> None:
        made = SkipList()
        for key in keys:
            made.set(key, key)

    return repeat(insert)


def _update() -> Timer:
    keys = shuffled_keys()
    known, some = SkipList.from_items((key, key) for key in keys), keys[:SCANNED]

    def update() -> None:
        for key in some:
            known.set(key, key)

    return repeat(update)


def _get() -> Timer:
    keys = shuffled_keys()
    known, some = SkipList.from_items((key, key) for key in keys), keys[:SCANNED]

    def get() -> None:
        for key in some:
            known.get(key)

    return repeat(get)


def _scan() -> Timer:
    known = SkipList.from_items((key, key) for key in shuffled_keys())
    first, last = b"key%08d" % (KEYS // 2), b"key%08d" % (KEYS // 2 + SCANNED)
    return repeat(lambda: sum(1 for _ in known.scan(first, last)))


def _put(number: int) -> bytes:
    command = Command(operation=PUT, key=b"key%013d" % number, value=b"v" * 256)
    return command.SerializeToString()


def _entries(first: int = 1) -> tuple[Entry, ...]:
    return tuple(
        Entry(index, 1, EntryKind.NORMAL, _put(index)) for index in range(first, first + BATCH)
    )


def _frames() -> Timer:
    stream = b"".join(pack_frame(number, _put(number)) for number in range(BATCH))

    def both_ways() -> None:
        for number, payload in FrameReader().feed(stream):
            pack_frame(number, payload)

    return repeat(both_ways)


def _pack() -> Timer:
    entries = _entries()
    return repeat(lambda: unpack_entries(1, BATCH, pack_entries(entries)))


def _append() -> Timer:
    # Two runs in turn, or the codec's memory of the last one would answer.
    messages = [AppendEntries(0, 1, 1, n * BATCH, 1, _entries(n * BATCH + 1), 0) for n in (0, 1)]
    sender, receiver = MessageCodec(1, EntryCodec()), MessageCodec(1, EntryCodec())

    def both_ways() -> None:
        for message in messages:
            receiver.decode(sender.encode(message))

    return repeat(both_ways)


def _encode() -> Timer:
    entries = _entries()
    return repeat(lambda: encode_batch(1, 1, entries_record(1, BATCH, pack_entries(entries))))


def _log(directory: Path) -> Persister:
    persister = Persister(directory, _SEGMENT)
    persister.recover()
    return persister


def _batch(number: int, packed: bytes) -> LogWrite:
    first = 1 + (number - 1) * BATCH
    return LogWrite(number, entries_record(first, BATCH, packed), first + BATCH - 1)


def _sync() -> Timer:
    directory = tempfile.TemporaryDirectory(prefix="kvtop-bench-")
    persister, done = _log(Path(directory.name)), SimpleQueue[Report]()
    persister.start(done.put)
    packed, number = pack_entries(_entries()), 0

    def write() -> None:
        nonlocal number
        number += 1
        persister.write(_batch(number, packed))
        report = done.get()
        if not isinstance(report, Durable):
            raise OSError(f"the log could not be written: {report}")

    timer = repeat(write)

    def with_directory(rounds: int, keep: object = directory) -> float:
        return timer(rounds)

    return with_directory


def _replay() -> Timer:
    directory = tempfile.TemporaryDirectory(prefix="kvtop-bench-")
    persister, done = _log(Path(directory.name)), SimpleQueue[Report]()
    persister.start(done.put)
    packed = pack_entries(_entries())
    for number in range(1, REPLAYED + 1):
        persister.write(_batch(number, packed))
    persister.stop()

    def replay() -> None:
        state = Replay()
        for batch in read_batches(Path(directory.name) / "log", Scan()):
            state.apply(batch.payload)
        if state.last_index != REPLAYED * BATCH:
            raise ValueError("not all of the log was read back")

    return repeat(replay)


def _apply() -> Timer:
    machine, commands = StateMachine(), [_put(number) for number in range(BATCH)]

    def apply() -> None:
        for command in commands:
            machine.apply_data(command)

    return repeat(apply)


class Trio:
    """Three cores that hand each other their messages at once; node 0 leads."""

    def __init__(self) -> None:
        empty = bootstrap((0, 1, 2))
        self.nodes = [
            Raft(Config(node), random.Random(node), HardState(), empty) for node in range(3)
        ]
        leader = self.nodes[0]
        while leader.role is not Role.LEADER:
            leader.tick()
            self.settle()

    def settle(self) -> None:
        """Carry out what the nodes want done, and deliver, until all are quiet."""
        waiting: list[Message] = []
        busy = True
        while busy:
            busy = False
            for node in self.nodes:
                while (ready := node.ready()) is not None:
                    busy = True
                    node.persisted(ready.number)
                    waiting += ready.messages
                    waiting += ready.messages_after_sync
                    if ready.committed:
                        node.applied(ready.committed[-1].index)
            for message in waiting:
                self.nodes[message.receiver].step(message)
            waiting.clear()

    def commit(self, batch: list[bytes]) -> None:
        """Propose a batch, and see it replicated and committed; logs stay short by snapshots."""
        self.nodes[0].propose(batch)
        self.settle()
        for node in self.nodes:
            if node.commit_index - node.log.snapshot_index > _LOG:
                node.compact(node.snapshot_meta(node.commit_index), 0)


def _core() -> Timer:
    trio, batch = Trio(), [_put(number) for number in range(BATCH)]
    return repeat(lambda: trio.commit(batch))


STORE = (
    Micro("skiplist.insert", "a new key into up to 20,000", _insert, KEYS),
    Micro("skiplist.update", "a known key of 20,000", _update, SCANNED),
    Micro("skiplist.get", "read a key of 20,000", _get, SCANNED),
    Micro("skiplist.scan", "a key of a scan over 1,000", _scan, SCANNED),
    Micro("codec.frame", "an RPC frame, cut and packed", _frames, BATCH),
    Micro("codec.entry", "a log entry of 256 bytes, packed and unpacked", _pack, BATCH),
    Micro("codec.append", "an entry of AppendEntries, both ways", _append, 2 * BATCH),
    Micro("wal.encode", "an entry of a batch of 64, with its checksum", _encode, BATCH),
    Micro("wal.sync", "a batch of 64 entries made durable (fdatasync in $TMPDIR)", _sync),
    Micro("wal.replay", "an entry read back at the start", _replay, REPLAYED * BATCH),
    Micro("statemachine.put", "apply a committed Put", _apply, BATCH),
    Micro("raft.commit", "an entry proposed, copied to three cores, committed", _core, BATCH),
)
