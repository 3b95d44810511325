"""A store filled through ``Store.apply`` with a made-up run, the same at every call."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from kvtop.events import (
    CollectorStatus,
    CounterReading,
    Event,
    Health,
    LogLine,
    Marker,
    MarkerKind,
    NodeState,
    NodeStatus,
    OwnUsage,
    PipelineStats,
    ProcessUsage,
    Role,
    SampleBatch,
    StackSample,
    StressStats,
    Target,
    TargetsChanged,
)
from kvtop.profile.ring import SampleRing
from kvtop.profile.stacks import StackTable
from kvtop.store import RunInfo, Store

START = 1000.0
WALL = 1_700_000_000.0 - START

PYTHON = "/usr/bin/python3.13"
LIBC = "/usr/lib/x86_64-linux-gnu/libc.so.6"
KERNEL = "[kernel.kallsyms]"
_BASE = [
    ("_start", PYTHON),
    ("__libc_start_main@@GLIBC_2.34", LIBC),
    ("Py_BytesMain", PYTHON),
    ("_PyEval_EvalFrameDefault", PYTHON),
    ("py::main:/srv/kv/kvserver.py", "/tmp/jitted-1-1.so"),
    ("_PyEval_EvalFrameDefault", PYTHON),
]
_LEAVES = [
    [
        ("py::Node.step:/srv/kv/raft/node.py", ""),
        ("py::Core.append_entries:/srv/kv/raft/core.py", ""),
    ],
    [("py::Node.step:/srv/kv/raft/node.py", ""), ("py::Log.term_at:/srv/kv/raft/log.py", "")],
    [
        ("py::SkipList.insert:/srv/kv/skiplist.py", ""),
        ("py::SkipList._find:/srv/kv/skiplist.py", ""),
    ],
    [("py::SkipList.insert:/srv/kv/skiplist.py", ""), ("PyLong_FromLong", PYTHON)],
    [
        ("py::Connection.send:/srv/kv/rpc/connection.py", ""),
        (
            "google::protobuf::io::CodedOutputStream<std::vector<char>, 4096>::Write(int)",
            "/lib/_upb.so",
        ),
    ],
    [
        ("py::Persister.flush:/srv/kv/persister.py", ""),
        ("fdatasync", LIBC),
        ("entry_SYSCALL_64_after_hwframe", KERNEL),
        ("do_syscall_64", KERNEL),
        ("ext4_sync_file", KERNEL),
    ],
    [
        ("py::Connection.receive:/srv/kv/rpc/connection.py", ""),
        ("recv", LIBC),
        ("entry_SYSCALL_64_after_hwframe", KERNEL),
        ("do_syscall_64", KERNEL),
        ("tcp_recvmsg", KERNEL),
        ("copy_user_enhanced_fast_string", KERNEL),
    ],
    [("uv__io_poll", "/lib/loop.so"), ("epoll_wait", LIBC), ("do_epoll_wait", KERNEL)],
]
_WEIGHTS = [20, 9, 16, 7, 12, 14, 10, 5]
EVENTS = (
    "task-clock",
    "context-switches",
    "cpu-migrations",
    "page-faults",
    "cycles",
    "instructions",
    "branches",
)


def make_store(
    has_cluster: bool = True, python_frames: str = "on", readonly: bool = False
) -> Store:
    """An empty store."""
    info = RunInfo(
        title="3-node Raft KV cluster" if has_cluster else "worker (4242)",
        host="lab7",
        kernel="6.8.0-45",
        perf_version="6.8.12",
        python_frames=python_frames,
        started=START,
        wall_offset=WALL,
        has_cluster=has_cluster,
        readonly=readonly,
    )
    return Store(info, SampleRing(StackTable(), max_samples=200_000))


def fill(store: Store, seconds: float = 60.0) -> Store:
    """Play ``seconds`` of a run into the store."""
    for event in play(store, START, START + seconds):
        store.apply(event)
    return store


def targets() -> tuple[Target, ...]:
    """Three nodes and two clients."""
    nodes = [
        Target(f"node{n}", 4101 + n, Role.LEADER if n == 1 else Role.FOLLOWER, "kvserver", True)
        for n in range(3)
    ]
    clients = [Target(f"client{n}", 4201 + n, Role.CLIENT, "stress", True) for n in range(2)]
    return (*nodes, *clients)


def play(store: Store, start: float, end: float) -> Iterator[Event]:
    """The events of [start, end) in steps of half a second."""
    chance = random.Random(round(start))
    step = round((start - START) * 2)
    if step == 0:
        yield TargetsChanged(start, targets())
        for name in ("perf_record", "perf_script", "perf_stat", "cluster", "stress"):
            yield CollectorStatus(start, name, Health.OK)
    time = start
    while time < end:
        yield from _tick(store, chance, time, step)
        step += 1
        time = START + step / 2


def _tick(store: Store, chance: random.Random, time: float, step: int) -> Iterator[Event]:
    wave = 1 + 0.15 * math.sin(step / 9)
    index = 20_000 + step * 1750
    if store.info.has_cluster:
        for n in range(3):
            leads = n == 1
            yield NodeStatus(
                time,
                f"node{n}",
                4101 + n,
                NodeState.UP,
                Role.LEADER if leads else Role.FOLLOWER,
                7,
                "node1",
                index - 3 * n,
                index - 5 * n,
                index,
                0 if leads else 3 * n,
                0.0021 * wave + n * 0.0004,
                step * 90,
                9_875,
            )
        rate = 3400 * wave
        stalled = 60 <= step % 200 < 64
        yield StressStats(
            time,
            0.5,
            0 if stalled else round(rate / 2),
            11 if stalled else 0,
            0 if stalled else round(rate / 4),
            0 if stalled else round(rate / 4),
            None if stalled else 0.0019 / wave,
            None if stalled else 0.0064 / wave + (0.02 if step % 37 == 0 else 0),
            None if stalled else 0.0121 / wave,
            8,
            round(step * 1700),
            step // 60,
        )
        if step % 200 == 60:
            yield Marker(time, MarkerKind.KILL, "node2 killed", "node2")
            yield LogLine(time, "kvtop", "warning", "node2 (PID 4103) was killed")
        if step % 200 == 63:
            yield Marker(time, MarkerKind.ELECTION, "node1 is leader in term 7", "node1")
            yield LogLine(time, "node1", "info", "elected leader in term 7 with 2 of 3 votes")
        if step % 200 == 90:
            yield Marker(time, MarkerKind.RESTART, "node2 restarted", "node2")
    for n, target in enumerate(targets()):
        cpu = 62.0 * wave + 20 * (n == 1)
        yield ProcessUsage(time, target.label, target.pid, cpu, (61 + n) << 20, 4, "running")
        for number, event in enumerate(EVENTS):
            supported = number < 4
            value = {0: 310.0 * wave, 1: 1410 * wave, 2: 3, 3: 17}.get(number)
            yield CounterReading(time, 0.5, target.label, event, value, "msec", supported)
    batch = []
    for at in range(100):
        target = chance.choice(targets())
        leaf = chance.choices(_LEAVES, _WEIGHTS)[0]
        frames = [store.table.frame_id(*frame) for frame in _BASE + leaf]
        if chance.random() < 0.02:
            frames = frames[4:]
        stack = store.table.stack_id(frames)
        batch.append(
            StackSample(
                time + at * 0.005, target.pid, target.pid, "python3", "cpu-clock", 10101010, stack
            )
        )
    yield SampleBatch(tuple(batch))
    yield PipelineStats(time, (step + 1) * 100, 0, step * 2, step, 0.12, "cpu-clock", 99, "dwarf")
    yield OwnUsage(time, 9.4, 80 << 20, 5.1)
    if step % 8 == 0:
        yield LogLine(
            time, f"node{step % 3}", "debug", f"appended {40 + step % 9} entries up to {index}"
        )


def change(store: Store, start: float, seconds: float, leaf: int, per_second: int = 60) -> None:
    """More samples of one function (an index of the made-up leaves) on node1."""
    frames = [store.table.frame_id(*frame) for frame in _BASE + _LEAVES[leaf]]
    stack = store.table.stack_id(frames)
    every = 1 / per_second
    store.apply(
        SampleBatch(
            tuple(
                StackSample(start + n * every, 4102, 4102, "python3", "cpu-clock", 10101010, stack)
                for n in range(round(seconds * per_second))
            )
        )
    )
