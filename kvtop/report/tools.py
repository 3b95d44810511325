"""What perf's other tools told (key y): system calls, locks, run queue, block I/O, memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from kvtop.report.blocks import Block, Table, Text
from kvtop.report.readings import Told
from kvtop.report.source import Recorded
from kvtop.report.words import latency, moment, number, percent, plural, size, span
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

_ROWS = 8
"""Rows of a table; the rest is counted."""
_WHOLE = 0.995


class Part(NamedTuple):
    """A section of a tool: its anchor, its title, and what stands under it."""

    id: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(slots=True)
class _Sum:
    """Rows that say the same of whom and what, together."""

    count: int = 0
    timed: int = 0
    total: float = 0.0
    longest: float | None = None
    size: int = 0
    failed: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    files: Counter[str] = field(default_factory=Counter)
    """Nanoseconds by file."""

    def add(self, one: Latency) -> None:
        """Another row's figures."""
        self.count += one.count
        self.timed += one.timed
        self.total += one.total
        if one.longest is not None:
            self.longest = max(self.longest or 0.0, one.longest)

    @property
    def whole(self) -> Latency:
        """All of it."""
        return Latency(self.count, self.timed, self.total, self.longest)


def tool_parts(recorded: Recorded) -> tuple[Part, ...]:
    """A section for each tool that a recording has figures of."""
    readings = recorded.readings.by_tool
    labels = {pid: label for label, pid in recorded.history.targets}
    return tuple(
        Part(
            str(tool).replace("_", ""),
            title,
            (
                Text(_how(recorded, readings[tool])),
                _table(readings[tool].shown, labels, write),
                Text(remark, quiet=True),
            ),
        )
        for tool, (title, write, remark) in _TOOLS.items()
        if tool in readings
    )


def _how(recorded: Recorded, one: Told) -> str:
    recording = one.shown.recording
    at, first, last = (
        moment(time - recorded.start) for time in (recording.time, one.first, one.last)
    )
    when = f"Told from {first} to {last}" if first != last else f"Told at {at}"
    of = f"{span(round(recording.seconds, 1))} recorded up to {at}"
    if recording.share < _WHOLE:
        of += f", {percent(recording.share, 0)} of that time"
    lost = f"; {plural(recording.lost, 'event')} lost" if recording.lost else ""
    return f"{when}; the figures are of {of}, at {number(recording.events)} events/s{lost}."


def _table(reading: ToolReading, labels: Mapping[int, str], write: _Write) -> Table:
    head, align, rows = write(reading.rows, reading.recording, labels)
    more = len(rows) - _ROWS
    caption = f"The {_ROWS} greatest; {plural(more, 'row')} more" if more > 0 else ""
    return Table(head, align, tuple(rows[:_ROWS]), caption)


# ---- the rows of each ---------------------------------------------------------------------------

_Kind = TypeVar("_Kind")
_Rows = list[tuple[str, ...]]
_Write = Callable[
    [tuple[Row, ...], Recording, Mapping[int, str]], tuple[tuple[str, ...], str, _Rows]
]


def _who(labels: Mapping[int, str], pid: int, comm: str) -> str:
    return labels.get(pid) or f"{comm}({pid})"


def _ordered(sums: Mapping[tuple[str, ...], _Sum]) -> list[tuple[tuple[str, ...], _Sum]]:
    """The longest in sum first."""
    return sorted(sums.items(), key=lambda item: (-item[1].total, -item[1].count, item[0]))


def _rate(count: float, seconds: float) -> str:
    return number(count / seconds if seconds > 0 else None)


def _times(one: Latency) -> tuple[str, str, str]:
    """Total, average and longest; nothing where none of them was timed."""
    total = one.total if one.timed else None
    return latency(total), latency(one.average), latency(one.longest)


def _syscalls(
    rows: tuple[Row, ...], recording: Recording, labels: Mapping[int, str]
) -> tuple[tuple[str, ...], str, _Rows]:
    sums: dict[tuple[str, ...], _Sum] = {}
    for row in _of(rows, SyscallRow):
        one = sums.setdefault((_who(labels, row.pid, row.comm), row.call), _Sum())
        one.add(row.calls)
        one.errors.update(dict(row.errors))
        if row.file:
            one.files[row.file] += round(row.calls.total * 1e9)
    found: _Rows = []
    for key, one in _ordered(sums):
        errors = ", ".join(f"{name} {count:,}" for name, count in one.errors.most_common(3))
        file = next((name for name, _ in one.files.most_common(1)), "")
        rate = _rate(one.count, recording.seconds)
        found.append((*key, rate, *_times(one.whole), errors, file))
    head = ("Process", "Call", "Calls/s", "Total", "Average", "Longest", "Errors", "Mostly on")
    return head, "lcrrrrlc", found


def _locks(
    rows: tuple[Row, ...], recording: Recording, labels: Mapping[int, str]
) -> tuple[tuple[str, ...], str, _Rows]:
    sums: dict[tuple[str, ...], _Sum] = {}
    for row in _of(rows, LockRow):
        key = _who(labels, row.pid, row.comm), row.kind, row.caller, row.object
        sums.setdefault(key, _Sum()).add(row.waits)
    found: _Rows = [
        (*key[:3], _rate(one.count, recording.seconds), *_times(one.whole), key[3])
        for key, one in _ordered(sums)
    ]
    head = ("Process", "Lock", "Caller", "Waits/s", "Total", "Average", "Longest", "Object")
    return head, "llcrrrrc", found


def _queue(
    rows: tuple[Row, ...], recording: Recording, labels: Mapping[int, str]
) -> tuple[tuple[str, ...], str, _Rows]:
    threads = sorted(_of(rows, QueueRow), key=lambda row: (-row.waited, -row.ran, row.tid))
    found: _Rows = []
    for row in threads:
        ran, waited = (
            percent(spent / row.seconds if row.seconds > 0 else None)
            for spent in (row.ran, row.waited)
        )
        average = row.waited / row.runs if row.runs else None
        found.append(
            (
                *(_who(labels, row.pid, row.comm), f"{row.comm} {row.tid}"),
                *(_rate(row.runs, row.seconds), ran, waited, latency(average)),
                latency(row.longest),
            )
        )
    head = ("Process", "Thread", "Runs/s", "Ran", "Waited", "Average wait", "Longest wait")
    return head, "llrrrrr", found


def _block_io(
    rows: tuple[Row, ...], recording: Recording, labels: Mapping[int, str]
) -> tuple[tuple[str, ...], str, _Rows]:
    sums: dict[tuple[str, ...], _Sum] = {}
    for row in _of(rows, BlockRow):
        one = sums.setdefault((row.device, row.operation, row.comm), _Sum())
        one.add(row.requests)
        one.size += row.size
        one.failed += row.failed
    found: _Rows = []
    for key, one in _ordered(sums):
        _, average, longest = _times(one.whole)
        bytes_rate = one.size / recording.seconds if recording.seconds > 0 else None
        failed = f"{one.failed:,}" if one.failed else ""
        rate = _rate(one.count, recording.seconds)
        found.append((*key, rate, f"{size(bytes_rate)}/s", average, longest, failed))
    head = ("Device", "Operation", "Issued by", "Requests/s", "Bytes", "Average", "Longest")
    return (*head, "Failed"), "lllrrrrr", found


def _memory(
    rows: tuple[Row, ...], recording: Recording, labels: Mapping[int, str]
) -> tuple[tuple[str, ...], str, _Rows]:
    accesses = sorted(_of(rows, MemoryRow), key=lambda row: (-row.share, row.symbol, row.access))
    found: _Rows = [
        (row.symbol, row.access, percent(row.share / 100), f"{row.samples:,}", row.object)
        for row in accesses
    ]
    return ("Function", "Served by", "Weight", "Samples", "Object"), "clrrc", found


def _of(rows: tuple[Row, ...], kind: type[_Kind]) -> list[_Kind]:
    return [row for row in rows if isinstance(row, kind)]


_TOOLS: dict[Tool, tuple[str, _Write, str]] = {
    Tool.SYSCALLS: (
        "System calls",
        _syscalls,
        "A call is counted when it returns; times are of those that were seen from begin to end.",
    ),
    Tool.LOCKS: (
        "Locks",
        _locks,
        "futex: a program's lock, condition variable or semaphore, or a wait for work; other "
        "kinds are locks in the kernel. A wait is counted when it is over.",
    ),
    Tool.RUN_QUEUE: (
        "Run queue",
        _queue,
        "Waited: ready to run, without a CPU. The kernel's own sums; the longest is of the "
        "wake-ups that were recorded.",
    ),
    Tool.BLOCK_IO: (
        "Block I/O",
        _block_io,
        "Every process of the machine; from the driver's start on a request to its completion.",
    ),
    Tool.MEMORY: (
        "Memory accesses",
        _memory,
        "Loads and stores that the processor sampled, weighted by how long they took.",
    ),
}
