"""What the perf tools tell (system calls, locks, run queue, block I/O, memory); nothing here acts.

Times are seconds, sizes bytes, as in ``kvtop.events``. Rows sum up the ``Recording.seconds`` that
were recorded of the last moments.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Tool(StrEnum):
    """A tool; the value is also the name of its collector."""

    SYSCALLS = "syscalls"
    LOCKS = "locks"
    RUN_QUEUE = "run_queue"
    BLOCK_IO = "block_io"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Recording:
    """How the rows came about."""

    time: float
    seconds: float
    """Recorded time that the rows are of."""
    share: float
    """The part of the time that was recorded meanwhile, 0..1."""
    events: float
    """Events a recorded second."""
    lost: int
    """Events that the kernel dropped since the tool began."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Durations of ``count`` occurrences; None where none could be timed."""

    count: int
    """All that happened, also those that were not timed because they began before the recording."""
    timed: int
    total: float
    longest: float | None

    @property
    def average(self) -> float | None:
        """Of those that were timed."""
        return self.total / self.timed if self.timed else None


@dataclass(frozen=True, slots=True)
class SyscallRow:
    """One system call of one thread on one file; ``file`` is empty where there is none to name."""

    pid: int
    tid: int
    comm: str
    call: str
    file: str
    calls: Latency
    errors: tuple[tuple[str, int], ...]
    """Errors by name, such as EAGAIN."""


@dataclass(frozen=True, slots=True)
class LockRow:
    """Waits for a lock by who asked for it."""

    kind: str
    """futex, mutex, rwsem read, spinlock, ..."""
    caller: str
    object: str
    pid: int
    comm: str
    waits: Latency


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A thread's time on the run queue. ``longest`` needs tracepoints, the rest does not."""

    pid: int
    tid: int
    comm: str
    runs: int
    """Times that it got a CPU."""
    ran: float
    waited: float
    """Ready to run, without a CPU."""
    longest: float | None
    seconds: float
    """That runs, ran and waited are of."""


@dataclass(frozen=True, slots=True)
class BlockRow:
    """Requests of one kind to one device, from the driver's start on them to their completion.

    ``buckets`` counts them: bucket N holds those of 2**N to 2**(N+1) microseconds.
    """

    device: str
    operation: str
    comm: str
    """Who ran when the request was issued: the writer, or a kernel thread on its behalf."""
    requests: Latency
    size: int
    failed: int
    buckets: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """Sampled loads or stores by where the data came from."""

    share: float
    """Percent of the samples' weight."""
    samples: int
    access: str
    symbol: str
    object: str


Row = SyscallRow | LockRow | QueueRow | BlockRow | MemoryRow


@dataclass(frozen=True, slots=True)
class ToolReading:
    """All that a tool has to show at one moment."""

    tool: Tool
    recording: Recording
    rows: tuple[Row, ...]
