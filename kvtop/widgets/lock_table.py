"""Waits for locks by who asked for them."""

from __future__ import annotations

from typing import ClassVar

from kvtop.tool_events import LockRow, Tool
from kvtop.widgets.base import Help
from kvtop.widgets.frame_table import object_name
from kvtop.widgets.table import Column
from kvtop.widgets.tool_table import FIGURES, Line, ToolTable

_KIND = Column("kind", "lock", 11, 0, right=False, descending=False)
_WHO = Column("who", "process", 12, 3, right=False, descending=False)
_CALLER = Column("caller", "caller", 24, 0, right=False, grow=2, middle=True, descending=False)
_OBJECT = Column("object", "object", 14, 4, right=False, grow=1, middle=True, descending=False)


class LockTable(ToolTable[LockRow]):
    """Contention of the kernel's locks, and waits of programs on futexes."""

    NAME = "Locks"
    TOOL = Tool.LOCKS
    COLLECTORS = (str(Tool.LOCKS),)
    GROUPINGS: ClassVar[tuple[tuple[str, tuple[Column, ...]], ...]] = (
        ("caller", (_KIND, _CALLER, _OBJECT)),
        ("process and caller", (_WHO, _KIND, _CALLER)),
        ("lock", (_KIND,)),
    )
    NUMBERS: ClassVar[tuple[Column, ...]] = (Column("rate", "waits/s", 7, 1), *FIGURES)
    EMPTY = "no wait for a lock is over yet"
    KEYS_HELP: ClassVar[list[Help]] = [
        ("g", "merge by caller, process and caller, or kind of lock"),
        (
            "",
            "futex: a program's lock, condition variable or semaphore (the kernel knows no more);",
        ),
        ("", "all other kinds: locks in the kernel, taken on the program's behalf"),
        ("", "a wait is counted when it is over"),
    ]

    def texts(self, row: LockRow) -> dict[str, str]:
        return {
            "kind": row.kind,
            "who": self.label(row.pid, row.comm),
            "caller": row.caller,
            "object": object_name(row.object),
        }

    def merge(self, line: Line, row: LockRow) -> None:
        line.add(row.waits)
