"""Block I/O: requests to the devices of this machine, by device, kind and issuer."""

from __future__ import annotations

from typing import ClassVar

from kvtop.tool_events import BlockRow, Tool
from kvtop.widgets.base import Help
from kvtop.widgets.figures import count, size
from kvtop.widgets.table import Column
from kvtop.widgets.tool_table import FIGURES, Line, ToolTable

_DEVICE = Column("device", "device", 9, 1, right=False, descending=False)
_OPERATION = Column("operation", "operation", 19, 0, right=False, grow=1, descending=False)
_COMM = Column("comm", "issued by", 15, 0, right=False, grow=1, descending=False)


class BlockTable(ToolTable[BlockRow]):
    """From the driver's start on a request to its completion; every process of the machine."""

    NAME = "Block I/O of this machine"
    TOOL = Tool.BLOCK_IO
    COLLECTORS = (str(Tool.BLOCK_IO),)
    GROUPINGS: ClassVar[tuple[tuple[str, tuple[Column, ...]], ...]] = (
        ("operation", (_DEVICE, _OPERATION)),
        ("operation and issuer", (_DEVICE, _OPERATION, _COMM)),
        ("device", (_DEVICE,)),
    )
    NUMBERS: ClassVar[tuple[Column, ...]] = (
        Column("rate", "reqs/s", 7, 0),
        Column("size", "bytes/s", 7, 3),
        Column("failed", "errors", 6, 4),
        *FIGURES,
    )
    EMPTY = "no request was completed yet"
    KEYS_HELP: ClassVar[list[Help]] = [
        ("g", "merge by operation, operation and issuer, or device"),
        ("", "every process of this machine: devices complete requests for nobody in particular"),
        ("", "the histogram beside: the store's own fdatasync, of all nodes that run"),
    ]

    def texts(self, row: BlockRow) -> dict[str, str]:
        return {"device": row.device, "operation": row.operation, "comm": row.comm}

    def merge(self, line: Line, row: BlockRow) -> None:
        line.add(row.requests)
        line.size += row.size
        line.errors["failed"] += row.failed

    def number(self, line: Line, key: str, seconds: float) -> tuple[float | None, str]:
        if key == "size":
            rate = line.size / seconds if seconds > 0 else None
            return rate, size(rate)
        if key == "failed":
            failed = line.errors["failed"]
            return failed, count(failed) if failed else ""
        return super().number(line, key, seconds)
