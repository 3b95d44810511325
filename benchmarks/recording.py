"""What a recording costs: bytes a sample, MB an hour, CPU to write it, seconds to open it.

python benchmarks/recording.py              ten minutes, five busy processes at 99 Hz, made up
python benchmarks/recording.py FILE         a recording of one's own
python benchmarks/recording.py --containers the same text in other containers

The made-up run has 495 samples a second over 20,000 stacks in the shape of real ones, and besides
them what a cluster of three nodes emits: some 70 figures, statuses and lines a second.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import lzma
import random
import sqlite3
import subprocess
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from kvtop.bench.profile_data import make_fold
from kvtop.events import (
    CounterReading,
    Event,
    NodeState,
    NodeStatus,
    PipelineStats,
    ProcessUsage,
    Role,
    SampleBatch,
    SpiedBatch,
    StackSample,
    StressStats,
    WaitBatch,
)
from kvtop.profile.stacks import StackTable
from kvtop.recording.meta import RecordingMeta
from kvtop.recording.player import Player
from kvtop.recording.reader import Recording
from kvtop.recording.writer import RecordingWriter
from kvtop.store import RunInfo

SECONDS, RATE, STACKS = 600, 5 * 99, 20_000
START = 10_000.0
LABELS = ("node0", "node1", "node2", "client0", "client1")
COUNTED = (
    "task-clock", "context-switches", "cpu-migrations", "page-faults", "cycles", "instructions",
    "cache-references", "cache-misses", "branches", "branch-misses",
)  # fmt: skip
RUN = RunInfo("made up", "host", "6.1.0", "6.1.1", "on", START, 1.7e9, has_cluster=True)
META = RecordingMeta(
    "0.1.0", "host", "6.1.0", "6.1.1", "CPU", 8, "", 99, "fp", ("kvtop",), (), 1.7e9, RUN
)


def made_up(table: StackTable) -> Iterator[Event]:
    """Ten minutes of events in the order of a live run."""
    chance = random.Random(4)
    fold = make_fold(table, STACKS)
    stacks, weights = list(fold), list(fold.values())
    count = 0
    for second in range(SECONDS):
        for half in (0.0, 0.5):
            now = START + second + half
            times = sorted(now + chance.random() / 2 for _ in range(RATE // 2))
            chosen = chance.choices(stacks, weights, k=len(times))
            samples = []
            for at, stack in zip(times, chosen, strict=True):
                pid = 4100 + chance.randrange(5)
                weight = chance.randrange(20_000_000, 40_000_000)
                ns = round(at * 1e9) / 1e9
                samples.append(StackSample(ns, pid, pid, "python3.13", "cycles:P", weight, stack))
            count += len(samples)
            yield SampleBatch(tuple(samples))
            yield PipelineStats(
                now,
                count,
                0,
                count // 50,
                count // 90,
                0.3,
                "cycles:P",
                99,
                "fp",
                copied=count * 90,
            )
            for n in range(3):
                index = second * 40 + chance.randrange(40)
                buckets = tuple((k, chance.randrange(90)) for k in range(7, 15))
                yield NodeStatus(
                    *(now, f"node{n}", 4100 + n, NodeState.UP, Role.FOLLOWER, 7, "node1"),
                    commit=index,
                    applied=index,
                    last_index=index + 2,
                    lag=1,
                    fdatasync_p99=chance.random() / 50,
                    fdatasyncs=index * 2,
                    fdatasync_buckets=buckets,
                    keys=9000,
                )
        yield from figures(START + second + 0.9 + chance.random() / 50, chance)


def figures(now: float, chance: random.Random) -> Iterator[Event]:
    """What comes once a second."""
    for label in LABELS:
        for event in COUNTED:
            value = float(chance.randrange(10**6, 10**9))
            yield CounterReading(now, 1.0 + chance.random() / 1e4, label, event, value, "")
        usage = chance.random() * 90
        yield ProcessUsage(now, label, 4100, usage, 41_000_000 + chance.randrange(10**6), 7, "S")
    p50 = chance.random() / 500
    counts = (chance.randrange(4000), 0, 2000, 2000)
    yield StressStats(now, 1.0, *counts, p50, p50 * 7, p50 * 20, 8, chance.randrange(10**6), 0)


def read(path: Path) -> tuple[StackTable, RecordingMeta, list[Event]]:
    """The events of a recording of one's own."""
    recording = Recording.open(path)
    events = list(recording.events())
    return recording.table, recording.meta, events


def measure(table: StackTable, meta: RecordingMeta, events: list[Event], folder: Path) -> Path:
    """Write as a live run does, a flush a second, then open; print what it cost."""
    path = folder / "measured.kvtop"
    begun = time.process_time()
    writer = RecordingWriter(path, meta, table)
    encode = compress = 0.0
    since = member = None
    samples = 0
    for event in events:
        if isinstance(event, SampleBatch | SpiedBatch | WaitBatch):
            samples += len(event.samples)
            now = event.samples[-1].time if event.samples else since
        else:
            now = getattr(event, "time", since)
        one = time.process_time()
        writer.write(event)
        two = time.process_time()
        encode += two - one
        since = now if since is None else since
        member = now if member is None else member
        if now is not None and since is not None and now - since >= 1.0:
            # The clock of the recorded run decides, not that of the benchmark.
            over = member is not None and now - member >= 10.0
            writer.flush(writer.take(), end=over)
            compress += time.process_time() - two
            since, member = now, now if over else member
    writer.close(0.0)
    cpu = time.process_time() - begun
    size = path.stat().st_size
    recording = Recording.open(path)
    seconds = recording.duration
    begun = time.process_time()
    recording.store()
    opened = time.process_time() - begun
    begun = time.process_time()
    player = Player(Recording.open(path))
    loaded = time.process_time() - begun
    begun = time.process_time()
    player.seek(player.end)
    player.seek(player.start + seconds / 2)
    back = time.process_time() - begun
    print(f"{samples:,} samples and {len(events):,} events in {seconds:,.0f} s")
    print(f"{size:,} bytes, {size / max(samples, 1):.1f} a sample, "
          f"{size / seconds * 3600 / 1e6:.1f} MB an hour")  # fmt: skip
    print(f"CPU to write: {100 * cpu / seconds:.2f} % of a core "
          f"(encode {encode:.2f} s, compress {compress:.2f} s)")  # fmt: skip
    print(f"CPU to read into a store: {opened:.2f} s; for the replay: {loaded:.2f} s; "
          f"to its end and half back: {back:.2f} s")  # fmt: skip
    return path


def containers(path: Path) -> None:
    """The same lines compressed by others: all in one piece, and in pieces of ten seconds."""
    text = gzip.decompress(path.read_bytes())
    lines = text.splitlines(keepends=True)
    piece = max(1, len(lines) // 60)
    pieces = [b"".join(lines[at : at + piece]) for at in range(0, len(lines), piece)]
    ways: dict[str, Callable[[bytes], bytes]] = {
        "gzip -6": lambda data: zlib.compress(data, 6),
        "gzip -9": lambda data: zlib.compress(data, 9),
        "zstd -3": lambda data: _zstd(data, 3),
        "zstd -9": lambda data: _zstd(data, 9),
        "bzip2": bz2.compress,
        "xz": lzma.compress,
    }
    print(f"{len(text):,} bytes of lines; compressed in {len(pieces)} pieces, and in one:")
    for name, compress in ways.items():
        begun = time.perf_counter()
        parts = sum(len(compress(data)) for data in pieces)
        spent = time.perf_counter() - begun
        print(f"  {name:<8} {parts:>12,} {len(compress(text)):>12,}   {spent:.2f} s")
    print(f"  sqlite   {_sqlite(lines):>12,}   (a row a line, not compressed)")


def _zstd(data: bytes, level: int) -> bytes:
    """By the program, so that the benchmark needs no package."""
    return subprocess.run(["zstd", f"-{level}", "-c"], input=data, capture_output=True).stdout


def _sqlite(lines: list[bytes]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "db"
        with sqlite3.connect(path) as db:
            db.execute("create table events (line blob)")
            db.executemany("insert into events values (?)", ((line,) for line in lines))
        db.close()
        return path.stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--containers", action="store_true")
    arguments = parser.parse_args()
    table: StackTable = StackTable()
    events: list[Event]
    if arguments.file is None:
        meta, events = META, list(made_up(table))
    else:
        table, meta, events = read(arguments.file)
    with tempfile.TemporaryDirectory() as folder:
        path = measure(table, meta, events, Path(folder))
        if arguments.containers:
            containers(path)


if __name__ == "__main__":
    main()
