"""System calls of the targets, as strace -c would tell but without stopping anybody.

A call is counted when it returns (raw_syscalls:sys_exit); it took the time since the same thread's
raw_syscalls:sys_enter. One that does not return, such as exit_group, is not counted.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from kvtop.collectors.open_files import OpenFiles
from kvtop.collectors.syscall_names import name_of, names
from kvtop.collectors.tally import Tally
from kvtop.collectors.thread_names import ThreadNames
from kvtop.collectors.trace_stream import GAP, TraceEvent
from kvtop.collectors.trace_tool import TraceTool
from kvtop.collectors.tracepoints import Format, TracepointError, read_formats
from kvtop.profile.text import safe_text
from kvtop.tool_events import SyscallRow, Tool

_ENTER, _EXIT = "raw_syscalls:sys_enter", "raw_syscalls:sys_exit"
_MOST_NAMED = 3000
"""Keys of a turn from which on the files of calls are not told apart."""
_MOST_KEYS = 20_000
_LARGEST_ERROR = 4095
# The kernel's own, which it turns into EINTR or a repetition (include/linux/errno.h).
_RESTARTS = {
    512: "ERESTARTSYS",
    513: "ERESTARTNOINTR",
    514: "ERESTARTNOHAND",
    516: "ERESTART_RESTARTBLOCK",
}
_FD_NAMES = ("fd", "epfd", "sockfd", "fildes", "ufd", "mqdes")


class _Key(NamedTuple):
    pid: int
    tid: int
    number: int
    file: str


class Syscalls(TraceTool):
    """Rows by thread, call and file."""

    TOOL = Tool.SYSCALLS
    EVENTS: ClassVar[tuple[str, ...]] = (_ENTER, _EXIT)

    def __init__(self, pids: Sequence[int]) -> None:
        super().__init__(pids)
        self._tally: Tally[_Key] = Tally()
        self._pending: dict[int, tuple[int, int, int]] = {}
        self._names = names()
        self._threads = ThreadNames()
        self._files = OpenFiles()
        self._takes_fd: dict[int, bool] = {}
        self._narrow: dict[int, bool] = {}

    def prepare(self, formats: dict[str, Format]) -> None:
        enter, leave = formats[_ENTER], formats[_EXIT]
        self._enter_id, self._exit_id = enter.id, leave.id
        self._enter = enter.reader("id", "args")
        self._exit = leave.reader("id", "ret")

    def take(self, events: list[TraceEvent]) -> None:
        pending, enter_id, exit_id = self._pending, self._enter_id, self._exit_id
        for time_ns, kind, pid, tid, raw in events:
            if kind == enter_id and len(raw) >= self._enter.size:
                number, argument = self._enter.unpack_from(raw)
                pending[tid] = time_ns, number, argument
            elif kind == exit_id and len(raw) >= self._exit.size:
                number, returned = self._exit.unpack_from(raw)
                began = pending.pop(tid, None)
                if began is not None and began[1] != number:
                    began = None
                if number >= 0:
                    self._count(pid, tid, number, returned, time_ns, began)
            elif kind == GAP:
                pending.clear()

    def _count(
        self,
        pid: int,
        tid: int,
        number: int,
        returned: int,
        time_ns: int,
        began: tuple[int, int, int] | None,
    ) -> None:
        file = ""
        if began is not None and len(self._tally) < _MOST_NAMED and self._has_file(number):
            fd = began[2] & 0xFFFFFFFF
            if fd < 1 << 31:
                file = self._files.name(pid, fd)
                if self._names.get(number) == "close":
                    self._files.closed(pid, fd)
        if len(self._tally) >= _MOST_KEYS:
            tid = 0
        found = self._tally.at(_Key(pid, tid, number, file))
        found.add(None if began is None else time_ns - began[0])
        if -_LARGEST_ERROR <= returned < 0:
            found.mark(-returned)

    def _has_file(self, number: int) -> bool:
        """Whether the call's first argument is a file descriptor: the kernel says so."""
        known = self._takes_fd.get(number)
        if known is None:
            known = False
            if name := self._names.get(number):
                try:
                    event = f"syscalls:sys_enter_{name}"
                    # The first field is the call's number, the second its first argument.
                    fields = [
                        field
                        for field in read_formats([event])[event].fields
                        if not field.startswith("common_")
                    ]
                    known = len(fields) > 1 and fields[1] in _FD_NAMES
                except TracepointError:
                    pass
            self._takes_fd[number] = known
        return known

    def turn(self, recorded: float, passed: float) -> None:
        self._tally.turn(recorded, passed)

    def covered(self) -> tuple[float, float]:
        return self._tally.recorded, self._tally.share

    def rows(self) -> tuple[SyscallRow, ...]:
        rows = []
        for key, one in self._tally.sums().items():
            comm = self._threads.name(key.pid, key.tid) if key.tid else "(other threads)"
            errors = sorted(one.marks.items(), key=lambda pair: -pair[1])
            told = tuple((error_name(number), n) for number, n in errors)
            call = self._call(key.pid, key.number)
            rows.append(SyscallRow(key.pid, key.tid, comm, call, key.file, one.latency, told))
        return tuple(rows)

    def _call(self, pid: int, number: int) -> str:
        narrow = self._narrow.get(pid)
        if narrow is None:
            narrow = self._narrow[pid] = _is_32_bit(pid)
        if narrow:
            # A 32-bit program's calls have other numbers.
            return f"nr {number} (32-bit)"
        return safe_text(name_of(number, self._names), 40)


def error_name(number: int) -> str:
    """As in errno(3), or the kernel's name of one that never reaches a program."""
    return errno.errorcode.get(number) or _RESTARTS.get(number) or str(number)


def _is_32_bit(pid: int) -> bool:
    try:
        with Path(f"/proc/{pid}/exe").open("rb") as file:
            return file.read(5) == b"\x7fELF\x01"
    except OSError:
        return False
