"""perf mem: sampled loads and stores, where the processor can sample them.

Whether it can is asked of perf itself. Then a few seconds at a time are recorded and reported.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from kvtop.collectors.children import Child, output_of
from kvtop.collectors.doctor import explain, perf_missing
from kvtop.collectors.mem_report import SORT, parse_report
from kvtop.collectors.processes import process_exists
from kvtop.events import CollectorStatus, Emit, Health
from kvtop.profile.text import safe_text
from kvtop.tool_events import Recording, Tool, ToolReading

_SECONDS = 2
_REPORT_WITHIN = 30.0
_RATE = 997
"""Samples a second and thread at most."""


class Memory:
    """Emits ToolReading every few seconds and CollectorStatus; ends where it cannot go on."""

    TOOL: ClassVar[Tool] = Tool.MEMORY

    def __init__(self, pids: Sequence[int]) -> None:
        self.name = str(self.TOOL)
        self._pids = tuple(pids)
        self._children: tuple[int, ...] = ()

    @property
    def child_pids(self) -> tuple[int, ...]:
        """perf's processes that run for this tool: part of what kvtop costs."""
        return self._children

    def retarget(self, pids: Sequence[int]) -> None:
        """Follow these processes from the next stretch on."""
        self._pids = tuple(pids)

    async def run(self, emit: Emit) -> None:
        """Record and report until cancelled; the status says why where it cannot."""
        reason = await not_supported()
        directory = Path(tempfile.mkdtemp(prefix="kvtop-mem-"))
        try:
            while not reason:
                reason = await self._turn(directory / "perf.data", emit)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        emit(CollectorStatus(time.monotonic(), self.name, Health.UNAVAILABLE, reason))

    async def _turn(self, data: Path, emit: Emit) -> str:
        """One stretch; a sentence on why it could not be."""
        alive = [str(pid) for pid in self._pids if process_exists(pid)]
        if not alive:
            return "Every profiled process has exited."
        began = time.monotonic()
        args = ["perf", "mem", "record", "-o", str(data), "-F", str(_RATE)]
        async with await Child.spawn(
            [*args, "-p", ",".join(alive), "--", "sleep", str(_SECONDS)]
        ) as child:
            self._children = (child.pid,)
            try:
                code = await child.wait()
            finally:
                self._children = ()
        seconds = time.monotonic() - began
        if code:
            return explain(child.stderr, code)
        report = ["perf", "mem", "-i", str(data), "report", "--stdio", "-n", f"--sort={SORT}"]
        try:
            code, text, said = await output_of(report, _REPORT_WITHIN)
        except TimeoutError:
            return "perf mem report did not come to an end."
        if code:
            return explain(said)
        rows = parse_report(text)
        samples = sum(row.samples for row in rows)
        now = time.monotonic()
        emit(CollectorStatus(now, self.name, Health.OK))
        recording = Recording(now, seconds, 1.0, samples / seconds, 0)
        emit(ToolReading(self.TOOL, recording, rows))
        await asyncio.sleep(0.1)
        return ""


async def not_supported() -> str:
    """Empty, or one sentence: perf's own answer to which memory events there are."""
    try:
        code, said, error = await output_of(["perf", "mem", "record", "-e", "list"])
    except FileNotFoundError:
        return perf_missing()
    except (OSError, TimeoutError) as failed:
        return f"perf mem does not run: {safe_text(str(failed), 120)}."
    return explain_list(code, said + error)


def explain_list(code: int, said: str) -> str:
    """What ``perf mem record -e list`` said, as one sentence; empty where an event is there."""
    if re.search(r"not supported", said):
        return (
            "This machine cannot sample memory accesses, as perf mem says: that takes a processor "
            "with PEBS, IBS or SPE, and no virtual machine that hides it."
        )
    if code == 0 or re.search(r":\s*available", said):
        return ""
    return explain(said)
