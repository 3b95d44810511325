"""Block I/O of the whole machine: how long devices take for requests.

From block:block_rq_issue, when the driver is given the request, to block:block_rq_complete. Both
come about in whatever context, so that they cannot be told apart by process.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from kvtop.collectors.tally import Tally
from kvtop.collectors.trace_stream import GAP, TraceEvent
from kvtop.collectors.trace_tool import TraceTool
from kvtop.collectors.tracepoints import Format
from kvtop.profile.text import safe_text
from kvtop.tool_events import BlockRow, Tool

_ISSUE, _COMPLETE = "block:block_rq_issue", "block:block_rq_complete"
_MOST_PENDING = 100_000
_MOST_KEYS = 1000
_FAILED = 1000
"""The mark of a request that failed; those below are buckets."""
# Letters of rwbs, blk_fill_rwbs() in kernel/trace/blktrace.c.
_OPERATIONS = {"R": "read", "W": "write", "D": "discard", "E": "erase", "F": "flush"}


class _Key(NamedTuple):
    device: int
    operation: str
    comm: str


class _Pending(NamedTuple):
    time_ns: int
    key: _Key
    size: int


class BlockIo(TraceTool):
    """Rows by device, operation and who issued it."""

    TOOL = Tool.BLOCK_IO
    EVENTS: ClassVar[tuple[str, ...]] = (_ISSUE, _COMPLETE)
    WHOLE_MACHINE = True

    def __init__(self, pids: Sequence[int] = ()) -> None:
        super().__init__(pids)
        self._tally: Tally[_Key] = Tally()
        self._pending: dict[tuple[int, int], _Pending] = {}
        self._devices: dict[int, str] = {}

    def prepare(self, formats: dict[str, Format]) -> None:
        issue, complete = formats[_ISSUE], formats[_COMPLETE]
        self._issue_id, self._complete_id = issue.id, complete.id
        self._issue = issue.reader("dev", "sector", "bytes", "rwbs", "comm")
        self._complete = complete.reader("dev", "sector", "error")

    def take(self, events: list[TraceEvent]) -> None:
        for time_ns, kind, _, _, raw in events:
            if kind == self._issue_id and len(raw) >= self._issue.size:
                device, sector, size, rwbs, comm = self._issue.unpack_from(raw)
                if len(self._pending) >= _MOST_PENDING:
                    self._pending.clear()
                key = _Key(device, operation(_text(rwbs)), safe_text(_text(comm), 40))
                self._pending[device, sector] = _Pending(time_ns, key, size)
            elif kind == self._complete_id and len(raw) >= self._complete.size:
                device, sector, error = self._complete.unpack_from(raw)
                began = self._pending.pop((device, sector), None)
                if began is not None:
                    self._count(began, time_ns - began.time_ns, error)
            elif kind == GAP:
                self._pending.clear()

    def _count(self, began: _Pending, took: int, error: int) -> None:
        key = began.key
        if len(self._tally) >= _MOST_KEYS:
            key = key._replace(comm="(others)")
        one = self._tally.at(key)
        one.add(took)
        one.size += began.size
        one.mark(bucket_of(took))
        if error:
            one.mark(_FAILED)

    def turn(self, recorded: float, passed: float) -> None:
        self._tally.turn(recorded, passed)

    def covered(self) -> tuple[float, float]:
        return self._tally.recorded, self._tally.share

    def rows(self) -> tuple[BlockRow, ...]:
        return tuple(
            BlockRow(
                *(self._device(key.device), key.operation, key.comm, one.latency, one.size),
                one.marks.get(_FAILED, 0),
                tuple(sorted((b, n) for b, n in one.marks.items() if b != _FAILED)),
            )
            for key, one in self._tally.sums().items()
        )

    def _device(self, number: int) -> str:
        known = self._devices.get(number)
        if known is None:
            major, minor = number >> 20, number & 0xFFFFF
            try:
                known = Path(f"/sys/dev/block/{major}:{minor}").readlink().name
            except OSError:
                known = f"{major}:{minor}"
            known = self._devices[number] = safe_text(known, 40)
        return known


def bucket_of(nanoseconds: int) -> int:
    """N where it took 2**N to 2**(N+1) microseconds; 0 also for less."""
    return max(0, (nanoseconds // 1000).bit_length() - 1)


def operation(rwbs: str) -> str:
    """The kernel's letters in words: "WS" is a write that somebody waits for, "write sync"."""
    # In front of another operation an F stands for a flush before it.
    letters = rwbs[1:] if rwbs[:1] == "F" and rwbs[1:2] in _OPERATIONS else rwbs
    words = [_OPERATIONS.get(letters[:1], safe_text(rwbs, 10) or "none")]
    if letters is not rwbs and letters[0] != "F":
        words.insert(0, "flush +")
    rest = letters[1:]
    words += [
        word
        for letter, word in (("A", "ahead"), ("S", "sync"), ("M", "metadata"), ("F", "through"))
        if letter in rest
    ]
    return " ".join(words)


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode(errors="replace")
