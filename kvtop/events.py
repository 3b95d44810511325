"""Frozen data that travels from collectors to the stores; nothing here acts.

All times are ``CLOCK_MONOTONIC`` seconds (``time.monotonic()``, ``perf -k CLOCK_MONOTONIC``);
latencies are seconds; sizes are bytes. A figure that could not be measured is ``None``, never 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from kvtop.tool_events import ToolReading


class Role(StrEnum):
    """What a profiled process is at one moment. ``OTHER`` is any process of ``--attach``."""

    LEADER = "leader"
    FOLLOWER = "follower"
    CANDIDATE = "candidate"
    CLIENT = "client"
    OTHER = "other"
    UNKNOWN = "unknown"


class NodeState(StrEnum):
    """The life of a node's process as its supervisor sees it."""

    STARTING = "starting"
    UP = "up"
    PAUSED = "paused"
    DOWN = "down"
    SILENT = "silent"
    """It does not answer, and nobody here knows more of it."""


class MarkerKind(StrEnum):
    """What happened at a moment that the timelines mark."""

    ELECTION = "election"
    KILL = "kill"
    PAUSE = "pause"
    RESUME = "resume"
    RESTART = "restart"
    EXIT = "exit"
    GAP = "gap"
    NOTE = "note"


class Health(StrEnum):
    """How well a collector does its work."""

    STARTING = "starting"
    OK = "ok"
    DEGRADED = "degraded"
    UNAVAILABLE = "unavailable"


class StackSample(NamedTuple):
    """One sample of ``perf record``: who ran, when, and the interned stack it ran in.

    ``stack`` is an id of the ``profile.stacks.StackTable`` that parser and ring share;
    ``period`` is the event count the sample stands for (ns for cpu-clock, cycles for cycles).
    A tuple, because a frozen dataclass takes four times as long to make.
    """

    time: float
    pid: int
    tid: int
    comm: str
    event: str
    period: int
    stack: int


@dataclass(frozen=True, slots=True)
class SampleBatch:
    """The samples that one read of the pipe completed, in time order."""

    samples: tuple[StackSample, ...]


class FlawKind(StrEnum):
    """What a sample's stack lacks."""

    BROKEN = "broken"
    """It does not reach its thread's start."""
    UNRESOLVED = "unresolved"
    """Its leaf has no name."""
    LOST = "lost"
    """It never came: the kernel had no room for it."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """Samples with one flaw by one object since the stream started, and what is to be done."""

    kind: FlawKind
    object: str
    samples: int
    cause: str
    remedy: str


@dataclass(frozen=True, slots=True)
class PipelineStats:
    """State of the sample stream since it started (cumulative counts).

    ``unresolved`` counts leaf frames without a name; ``broken`` counts stacks that do not reach
    a thread's start; ``flaws`` says why, the most frequent first. ``delay`` is the newest
    sample's age when it was parsed, in seconds.
    """

    time: float
    samples: int
    lost: int
    broken: int
    unresolved: int
    delay: float | None
    event: str
    frequency: int
    call_graph: str
    flaws: tuple[Flaw, ...] = ()
    copied: int = 0
    """Bytes of samples that the kernel made, stacks included: time that the targets do not run."""
    throttled: int = 0
    """How often the kernel stopped the sampling for a moment to spare the machine."""
    events: tuple[str, ...] = ()
    """What the present stream samples, as its samples name it; ``event`` is all of it in a line."""
    period: int = 0
    """Every so many events (or ns of a clock) one sample; 0 where ``frequency`` decides."""

    @property
    def rate_text(self) -> str:
        """How often a sample is taken: "99 Hz", "every 1,000"."""
        return f"every {self.period:,}" if self.period else f"{self.frequency} Hz"


@dataclass(frozen=True, slots=True)
class SpiedBatch:
    """Samples of Python stacks by py-spy; their time is the middle of its recording."""

    samples: tuple[StackSample, ...]


class WaitState(StrEnum):
    """Why a thread is not on a CPU; the ``event`` of the samples in a WaitBatch."""

    BLOCKED = "blocked"
    """It waits for something: input, a lock, a timer."""
    READY = "ready"
    """It could run and waits for a CPU."""


@dataclass(frozen=True, slots=True)
class WaitBatch:
    """Waits that are over, or go on: samples whose ``period`` is nanoseconds off the CPU.

    ``time`` is the end of the wait, or of the piece of it that is told.
    """

    samples: tuple[StackSample, ...]


@dataclass(frozen=True, slots=True)
class WaitStats:
    """How waits are followed; rates are a second's, over the last one."""

    time: float
    since: float
    """The first wait that was told."""
    switches: float
    """Times that a thread left a CPU."""
    stacks: float
    """Stacks recorded of them."""
    every: int
    """Of the busy threads' switches one in so many is recorded with its stack."""
    threads: int
    lost: int
    """Records that the kernel dropped since then."""
    told: int = 0
    """Waits that were told with their stacks, since perf last began; ``flaws`` are of these."""
    flaws: tuple[Flaw, ...] = ()


class CountedBy(StrEnum):
    """Whose counts a CounterReading is; its label names one of them."""

    TARGET = "target"
    THREAD = "thread"
    CORE = "core"
    """Of the whole machine, whatever runs there."""


@dataclass(frozen=True, slots=True)
class CounterReading:
    """One event of ``perf stat`` over one interval for one target, thread or core.

    ``value`` is the count (ms for task-clock) in the interval; ``None`` with ``supported`` True
    means "not counted this time", with False "this machine has no such event".
    ``running`` is the share of the interval that the event was on the hardware, 0..1.
    """

    time: float
    interval: float
    label: str
    event: str
    value: float | None
    unit: str
    supported: bool = True
    running: float = 1.0
    by: CountedBy = CountedBy.TARGET


@dataclass(frozen=True, slots=True)
class Target:
    """A process under study: its label is the node's name ("node0"), "client0" or "comm(pid)"."""

    label: str
    pid: int
    role: Role
    command: str = ""
    python_frames: bool = False
    parent: int | None = None
    """PID of the target whose counters hold this one's too, because it was there before."""


@dataclass(frozen=True, slots=True)
class ListedProcess:
    """A process that may be picked; its names are raw, ``cpu_percent`` is of one core."""

    pid: int
    user: str
    cpu_percent: float | None
    rss: int | None
    name: str
    command: str


@dataclass(frozen=True, slots=True)
class TargetsChanged:
    """The whole set of live targets, after a start, an exit, a restart or an election."""

    time: float
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What one Raft node said of itself, or, with ``state`` DOWN or PAUSED, what is known of it."""

    time: float
    name: str
    pid: int | None
    state: NodeState
    role: Role = Role.UNKNOWN
    term: int | None = None
    leader: str | None = None
    commit: int | None = None
    applied: int | None = None
    last_index: int | None = None
    lag: int | None = None
    """Entries behind the leader's commit index."""
    fdatasync_p99: float | None = None
    fdatasyncs: int | None = None
    """Cumulative number of fdatasync calls."""
    keys: int | None = None
    error: str = ""
    db_size: int | None = None
    """Bytes of the state machine's file, of stores that keep one (etcd)."""
    fdatasync_buckets: tuple[tuple[int, int], ...] = ()
    """fdatasyncs of the last 5 to 10 s: bucket N counts what took 2**N to 2**(N+1) microseconds."""


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """One reading of /proc for a target; ``cpu_percent`` is of one core since the last reading."""

    time: float
    label: str
    pid: int
    cpu_percent: float | None
    rss: int
    threads: int
    status: str


@dataclass(frozen=True, slots=True)
class OwnUsage:
    """What kvtop itself costs, perf's processes included; percent of one core."""

    time: float
    cpu_percent: float
    rss: int
    perf_cpu_percent: float


@dataclass(frozen=True, slots=True)
class StressStats:
    """All stress clients together over one interval; latencies of acknowledged operations."""

    time: float
    interval: float
    operations: int
    errors: int
    reads: int
    writes: int
    p50: float | None
    p99: float | None
    p999: float | None
    clients: int
    total_operations: int
    total_errors: int

    @property
    def rate(self) -> float:
        """Acknowledged operations a second."""
        return self.operations / self.interval if self.interval > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Marker:
    """A moment worth seeing on every timeline."""

    time: float
    kind: MarkerKind
    text: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line for the logs pane; ``level`` is debug, info, warning or error."""

    time: float
    source: str
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class CollectorStatus:
    """Whether a collector works; ``reason`` is one sentence with the remedy when it does not."""

    time: float
    collector: str
    health: Health
    reason: str = ""


Event = (
    SampleBatch
    | PipelineStats
    | SpiedBatch
    | WaitBatch
    | WaitStats
    | ToolReading
    | CounterReading
    | TargetsChanged
    | NodeStatus
    | ProcessUsage
    | OwnUsage
    | StressStats
    | Marker
    | LogLine
    | CollectorStatus
)
Emit = Callable[[Event], None]
