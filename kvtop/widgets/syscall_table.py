"""System calls: how often, how long, with which errors, on which files."""

from __future__ import annotations

from typing import ClassVar

from kvtop.tool_events import SyscallRow, Tool
from kvtop.widgets.base import Help
from kvtop.widgets.figures import count
from kvtop.widgets.table import Column
from kvtop.widgets.tool_table import FIGURES, Line, ToolTable

_CALL = Column("call", "call", 15, 0, right=False, descending=False)
_WHO = Column("who", "process", 12, 2, right=False, descending=False)
_THREAD = Column("thread", "thread", 20, 1, right=False, descending=False)
_FILE = Column("file", "file", 16, 1, right=False, grow=1, middle=True, descending=False)


class SyscallTable(ToolTable[SyscallRow]):
    """Calls that returned; merged by call, thread, thread and call, or file."""

    NAME = "System calls"
    TOOL = Tool.SYSCALLS
    COLLECTORS = (str(Tool.SYSCALLS),)
    GROUPINGS: ClassVar[tuple[tuple[str, tuple[Column, ...]], ...]] = (
        ("call", (_CALL,)),
        ("thread", (_WHO, _THREAD)),
        ("thread and call", (_WHO, _THREAD, _CALL)),
        ("call and file", (_WHO, _CALL, _FILE)),
    )
    NUMBERS: ClassVar[tuple[Column, ...]] = (
        Column("rate", "calls/s", 7, 0),
        Column("failed", "errors", 6, 2),
        *FIGURES,
        Column("errors", "which errors", 16, 5, right=False, grow=1),
    )
    EMPTY = "no system call has returned yet"
    KEYS_HELP: ClassVar[list[Help]] = [
        ("g", "merge by call, thread, thread and call, or call and file"),
        ("", "a call is counted when it returns; max and avg are of those seen from begin to end"),
        ("", "files are looked up in /proc/PID/fd a moment after the call"),
    ]

    def texts(self, row: SyscallRow) -> dict[str, str]:
        return {
            "who": self.label(row.pid, row.comm),
            "thread": f"{row.comm} {row.tid}" if row.tid else row.comm,
            "call": row.call,
            "file": row.file,
        }

    def merge(self, line: Line, row: SyscallRow) -> None:
        line.add(row.calls)
        line.errors.update(dict(row.errors))

    def number(self, line: Line, key: str, seconds: float) -> tuple[float | None, str]:
        if key == "failed":
            failed = line.errors.total()
            return failed, count(failed) if failed else ""
        if key == "errors":
            most = line.errors.most_common(3)
            return line.errors.total(), " ".join(f"{name} {count(n)}" for name, n in most)
        return super().number(line, key, seconds)
