"""The run queue: which threads wait for a CPU, and for how long."""

from __future__ import annotations

from typing import ClassVar

from kvtop.tool_events import Latency, QueueRow, Tool
from kvtop.widgets.base import Help
from kvtop.widgets.figures import percent
from kvtop.widgets.table import Column
from kvtop.widgets.tool_table import FIGURES, Line, ToolTable

_WHO = Column("who", "process", 12, 0, right=False, grow=1, descending=False)
_THREAD = Column("thread", "thread", 20, 1, right=False, grow=1, descending=False)


class QueueTable(ToolTable[QueueRow]):
    """Scheduling latency per thread or process."""

    NAME = "Run queue"
    TOOL = Tool.RUN_QUEUE
    COLLECTORS = (str(Tool.RUN_QUEUE),)
    GROUPINGS: ClassVar[tuple[tuple[str, tuple[Column, ...]], ...]] = (
        ("thread", (_WHO, _THREAD)),
        ("process", (_WHO,)),
    )
    NUMBERS: ClassVar[tuple[Column, ...]] = (
        Column("rate", "runs/s", 7, 1),
        Column("ran", "ran %", 6, 2),
        Column("queued", "wait %", 6, 2),
        *FIGURES,
    )
    KEYS_HELP: ClassVar[list[Help]] = [
        ("g", "merge by thread or process"),
        ("", "ran: on a CPU; wait: could run, had no CPU (percent of the time)"),
        ("", "total and avg are the kernel's own sums, max comes from the wake-ups recorded"),
    ]

    def texts(self, row: QueueRow) -> dict[str, str]:
        return {"who": self.label(row.pid, row.comm), "thread": f"{row.comm} {row.tid}"}

    def merge(self, line: Line, row: QueueRow) -> None:
        line.add(Latency(row.runs, row.runs, row.waited, row.longest))
        line.size += round(row.ran * 1e9)

    def number(self, line: Line, key: str, seconds: float) -> tuple[float | None, str]:
        if key in ("ran", "queued"):
            spent = line.size / 1e9 if key == "ran" else line.total
            share = 100 * spent / seconds if seconds > 0 else None
            return share, percent(share)
        return super().number(line, key, seconds)
