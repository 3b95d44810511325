"""Which collector is behind a tool."""

from __future__ import annotations

from collections.abc import Sequence

from kvtop.collectors.block_io import BlockIo
from kvtop.collectors.locks import Locks
from kvtop.collectors.mem import Memory
from kvtop.collectors.perf_jit import JitObjects
from kvtop.collectors.sched_latency import SchedLatency
from kvtop.collectors.syscalls import Syscalls
from kvtop.collectors.trace_tool import TraceTool
from kvtop.profile.stacks import StackTable
from kvtop.tool_events import Tool

ToolCollector = TraceTool | Locks | Memory


def make_tool(
    tool: Tool,
    pids: Sequence[int],
    table: StackTable,
    call_graph: str = "auto",
    objects: JitObjects | None = None,
) -> ToolCollector:
    """The collector; ``table``, ``call_graph`` and ``objects`` are for those that take stacks."""
    if tool is Tool.LOCKS:
        return Locks(table, pids, call_graph, objects)
    if tool is Tool.MEMORY:
        return Memory(pids)
    traced = {
        Tool.SYSCALLS: Syscalls,
        Tool.RUN_QUEUE: SchedLatency,
        Tool.BLOCK_IO: BlockIo,
    }
    return traced[tool](pids)
