"""A recording with known figures: a cluster of three, a kill, an election, 40 s at one load."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from kvtop.events import (
    CollectorStatus,
    CounterReading,
    Event,
    Flaw,
    FlawKind,
    Health,
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
    WaitBatch,
    WaitState,
    WaitStats,
)
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.stacks import StackTable
from kvtop.recording.meta import RecordingMeta
from kvtop.tool_events import (
    BlockRow,
    Latency,
    LockRow,
    MemoryRow,
    QueueRow,
    Recording,
    Row,
    SyscallRow,
    Tool,
    ToolReading,
)
from tests.recording.builders import META, STARTED, write

SECONDS = 40
KILLED = 20
"""The second in which node0, the leader, is killed; node1 leads from the next one on."""
FREQUENCY = 100
PIDS = {"node0": 100, "node1": 101, "node2": 102, "client0": 200}
HOSTILE = "</script><img src=x onerror=alert(1)>|`*"
CLIENTS = 8
COMMAND = "python -m kvtop.workload.stress --value-size 64"
META_OF_RUN: RecordingMeta = dataclasses.replace(
    META,
    cpu="Example CPU 3000",
    cpus=4,
    command=("kvtop", "run", "--duration", "40"),
    run=dataclasses.replace(META.run, title=f"cluster {HOSTILE}"),
)


def rate(second: int) -> int:
    """Operations in a second: none while nobody leads."""
    return 0 if second == KILLED else 1000 + 10 * (second % 5)


def p99(second: int) -> float | None:
    """Of that second."""
    if second == KILLED:
        return None
    return 0.250 if second == KILLED + 1 else 0.010 + 0.001 * (second % 3)


def leader(second: int) -> str:
    """Who leads."""
    return "node0" if second <= KILLED else "node1"


def role(name: str, second: int) -> Role:
    """What a process is."""
    if name == "client0":
        return Role.CLIENT
    return Role.LEADER if leader(second) == name else Role.FOLLOWER


def cpu(name: str, second: int) -> float:
    """Percent of one core."""
    if name == "client0":
        return 30.0
    return 80.0 if role(name, second) is Role.LEADER else 25.0


def lives(name: str, second: int) -> bool:
    """Whether the process was there in this second; node0 dies and stays away."""
    return name != "node0" or second < KILLED


class Stacks:
    """The stacks of the samples, and how many of each a process has in a second."""

    def __init__(self, table: StackTable) -> None:
        self.table = table
        native = ("_start", "/usr/bin/python3"), ("main", "/usr/bin/python3")

        def intern(*frames: tuple[str, str] | Frame) -> int:
            ids = [
                table.intern(f) if isinstance(f, Frame) else table.frame_id(*f)
                for f in (*native, *frames)
            ]
            return table.stack_id(ids)

        serve = Frame("KVServer.apply", "kvserver.py", Kind.PYTHON, "/x/kvserver.py", 7)
        self.encode = intern(serve, ("json_encode", "/usr/lib/_json.so"))
        self.send = intern(serve, ("tcp_sendmsg", "[kernel.kallsyms]"))
        self.hostile = intern(serve, (HOSTILE, "/usr/lib/libx.so"))
        self.nameless = intern(("[unknown]", "/usr/lib/libx.so"))
        self.broken = table.stack_id([table.frame_id("lost_caller", "/usr/lib/libx.so")])
        self.wait = intern(serve, ("do_futex", "[kernel.kallsyms]"))

    def of(self, name: str, second: int) -> dict[int, int]:
        """Samples by stack."""
        if name == "client0":
            return {self.send: 30}
        if role(name, second) is Role.LEADER:
            return {
                self.encode: 40,
                self.send: 30,
                self.hostile: 6,
                self.nameless: 3,
                self.broken: 1,
            }
        return {self.encode: 5, self.send: 20}


def events(stacks: Stacks) -> Iterator[Event]:
    """Everything, in the order of time."""
    targets = tuple(
        Target(name, pid, role(name, 0), COMMAND if name == "client0" else "python -m node", True)
        for name, pid in PIDS.items()
    )
    yield TargetsChanged(STARTED, targets)
    yield CollectorStatus(STARTED, "pyspy", Health.UNAVAILABLE, "py-spy is not installed.")
    samples = broken = unresolved = 0
    for second in range(SECONDS):
        end = STARTED + second + 1
        for name in ("node0", "node1", "node2"):
            state = NodeState.UP if lives(name, second) else NodeState.DOWN
            pid = PIDS[name] if lives(name, second) else None
            kind = role(name, second) if lives(name, second) else Role.UNKNOWN
            term = 1 if second <= KILLED else 2
            sync = 0.004 if name == "node1" else 0.002
            yield NodeStatus(
                end - 0.9, name, pid, state, kind, term, leader(second), fdatasync_p99=sync, keys=7
            )
        batch = []
        for name, pid in PIDS.items():
            if lives(name, second):
                for stack, count in stacks.of(name, second).items():
                    samples += count
                    broken += count * stacks.table.is_broken(stack)
                    unresolved += count * stacks.table.leaf_unresolved(stack)
                    batch += [(pid, stack)] * count
        if second == KILLED:
            yield Marker(STARTED + KILLED, MarkerKind.KILL, "node0 was killed", "node0")
        step = 0.8 / len(batch)
        yield SampleBatch(
            tuple(
                StackSample(end - 0.9 + at * step, pid, pid, "python", "cpu-clock", 10**7, stack)
                for at, (pid, stack) in enumerate(batch)
            )
        )
        lost = second + 1
        flaw = Flaw(FlawKind.UNRESOLVED, "libx.so", unresolved, "it is stripped", "install symbols")
        yield PipelineStats(
            end, samples, lost, broken, unresolved, 0.1, "cpu-clock", FREQUENCY, "fp", (flaw,)
        )
        for name, pid in PIDS.items():
            if lives(name, second):
                first = second == 0
                usage = None if first else cpu(name, second)
                yield ProcessUsage(end, name, pid, usage, (50 + second) << 20, 4, "S")
                yield CounterReading(end, 1.0, name, "context-switches", 500.0, "")
                yield CounterReading(end, 1.0, name, "cycles", None, "", supported=False)
        done, slow = rate(second), p99(second)
        yield StressStats(
            *(end, 1.0, done, 2 if second == KILLED else 0, done // 2, done - done // 2),
            *(slow and slow / 4, slow, slow and slow * 2),
            *(CLIENTS, 0, 0),
        )
        yield OwnUsage(end, 12.0, 80 << 20, 5.0)
        nanoseconds = 300_000_000
        blocked = StackSample(
            end, 101, 101, "python", WaitState.BLOCKED.value, nanoseconds, stacks.wait
        )
        yield WaitStats(end, STARTED, 900.0, 900.0, 1, 4, 0)
        yield WaitBatch((blocked,))
    yield from tool_readings()


def tool_rows() -> dict[Tool, tuple[Row, ...]]:
    """What the tools told of ten seconds."""
    log, socket = "/data/0001.wal", "tcp 127.0.0.1:1→127.0.0.1:2"
    return {
        Tool.SYSCALLS: (
            SyscallRow(101, 101, "kv", "fdatasync", log, Latency(100, 99, 0.495, 0.02), ()),
            SyscallRow(
                101, 103, "io", "read", socket, Latency(60, 50, 0.1, 0.01), (("EAGAIN", 7),)
            ),
            SyscallRow(101, 101, "kv", "read", log, Latency(40, 40, 0.2, 0.03), (("EAGAIN", 2),)),
            SyscallRow(9, 9, HOSTILE, "futex", "", Latency(5, 0, 0.0, None), ()),
            *(
                SyscallRow(9, 9, "sh", f"call{n}", "", Latency(1, 1, 1e-6, 1e-6), ())
                for n in range(9)
            ),
        ),
        Tool.LOCKS: (
            LockRow("futex", "Queue.get", "queue.py", 102, "kv", Latency(20, 20, 2.0, 0.5)),
            LockRow("spinlock", "__schedule", "[kernel]", 102, "kv", Latency(9, 9, 0.009, 0.004)),
        ),
        Tool.RUN_QUEUE: (
            QueueRow(102, 104, "io", 400, 2.5, 1.0, 0.03, 10.0),
            QueueRow(102, 102, "kv", 0, 0.0, 0.0, None, 10.0),
        ),
        Tool.BLOCK_IO: (
            BlockRow("vda", "write sync", "kv", Latency(100, 100, 0.02, 0.004), 409_600, 3, ()),
        ),
    }


def tool_readings() -> Iterator[ToolReading]:
    """Readings at 10 and 20 s; one of nothing; and a last one, of too little, to be left out."""
    for tool, rows in tool_rows().items():
        yield ToolReading(tool, Recording(STARTED + 10, 9.0, 1.0, 500.0, 0), rows[:1])
        whole = Recording(STARTED + 20, 10.0, 0.25, 1234.0, 12)
        yield ToolReading(tool, whole, rows)
        short = Recording(STARTED + 35, 1.0, 1.0, 10.0, 12)
        yield ToolReading(tool, short, (MemoryRow(1.0, 1, "L1 hit", "f", "o"),))
    yield ToolReading(Tool.MEMORY, Recording(STARTED + 35, 10.0, 1.0, 0.0, 0), ())


def record(path: Path, meta: RecordingMeta = META_OF_RUN) -> Path:
    """Write it all."""
    stacks = Stacks(StackTable())
    return write(path, list(events(stacks)), stacks.table, meta)
