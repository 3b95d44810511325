"""Memory accesses by where the data came from, on processors that can sample them."""

from __future__ import annotations

from typing import ClassVar

from kvtop.tool_events import Latency, MemoryRow, Tool
from kvtop.widgets.base import Help
from kvtop.widgets.figures import percent
from kvtop.widgets.frame_table import object_name
from kvtop.widgets.table import Column
from kvtop.widgets.tool_table import Line, ToolTable

_ACCESS = Column("access", "served by", 22, 0, right=False, descending=False)
_SYMBOL = Column("symbol", "function", 22, 0, right=False, grow=2, middle=True, descending=False)
_OBJECT = Column("object", "object", 14, 2, right=False, grow=1, middle=True, descending=False)


class MemoryTable(ToolTable[MemoryRow]):
    """perf mem's report of the last stretch."""

    NAME = "Memory"
    TOOL = Tool.MEMORY
    COLLECTORS = (str(Tool.MEMORY),)
    GROUPINGS: ClassVar[tuple[tuple[str, tuple[Column, ...]], ...]] = (
        ("source of the data", (_ACCESS,)),
        ("function and source", (_SYMBOL, _OBJECT, _ACCESS)),
    )
    NUMBERS: ClassVar[tuple[Column, ...]] = (
        Column("total", "weight %", 9, 0),
        Column("samples", "samples", 8, 1),
    )
    EMPTY = "no access was sampled yet"
    KEYS_HELP: ClassVar[list[Help]] = [
        ("g", "merge by source of the data, or function and source"),
        ("", "loads and stores that the processor sampled, weighted by how long they took"),
    ]

    def texts(self, row: MemoryRow) -> dict[str, str]:
        return {"access": row.access, "symbol": row.symbol, "object": object_name(row.object)}

    def merge(self, line: Line, row: MemoryRow) -> None:
        line.add(Latency(row.samples, row.samples, row.share, None))

    def number(self, line: Line, key: str, seconds: float) -> tuple[float | None, str]:
        if key == "samples":
            return line.count, f"{line.count:,}"
        return line.total, percent(line.total)
