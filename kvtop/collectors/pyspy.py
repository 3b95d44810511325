"""Python stacks of programs that were not started for perf: py-spy reads them from outside.

py-spy has a clock and samples of its own, and writes them when a recording ends. So recordings of
two seconds follow each other, and their stacks go to a ring of their own: a py-spy sample and a
perf sample are never counted together. It looks at each thread 50 times a second and counts those
that run Python or native code, not those that wait.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from kvtop.collectors.attach import python_support
from kvtop.collectors.children import Child
from kvtop.collectors.fdio import big_pipe, read_to_end
from kvtop.collectors.processes import process_exists
from kvtop.collectors.pyspy_raw import mark_torn, parse_raw
from kvtop.collectors.reporting import Reporting
from kvtop.events import Emit, Health, SpiedBatch, StackSample, Target
from kvtop.profile.stacks import StackTable
from kvtop.profile.text import safe_text

RATE = 50
"""Looks at every thread a second."""
_ROUND = 2
"""Seconds of one recording; py-spy takes whole ones."""
MOST = 8
"""Processes that are looked at: a py-spy each."""
_RETRY = 5.0
_AFTER = 1.0
"""The screen and perf have the CPU first: what py-spy tells comes after two seconds anyway."""


class PySpy(Reporting):
    """Emits SpiedBatch, a recording each, and CollectorStatus."""

    name = "py-spy"

    def __init__(self, table: StackTable, targets: Sequence[Target] = ()) -> None:
        self._table = table
        self._targets = tuple(targets)
        self._changed = asyncio.Event()
        self._children: dict[int, int] = {}
        self._left_out = 0

    @property
    def child_pids(self) -> tuple[int, ...]:
        """py-spy's processes: part of what kvtop costs."""
        return tuple(self._children.values())

    def retarget(self, targets: Sequence[Target]) -> None:
        """Look at the Python programs among these from now on."""
        self._targets = tuple(targets)
        self._changed.set()

    async def run(self, emit: Emit) -> None:
        """Look until cancelled."""
        running: dict[int, asyncio.Task[None]] = {}
        await asyncio.sleep(_AFTER)
        try:
            while True:
                self._changed.clear()
                wanted = await asyncio.to_thread(self._wanted)
                for pid in running.keys() - wanted:
                    task = running.pop(pid)
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                if wanted and self._status is None:
                    self._report(emit, Health.STARTING)
                for pid in sorted(wanted - running.keys()):
                    running[pid] = asyncio.create_task(self._follow(pid, emit))
                await self._changed.wait()
        finally:
            for task in running.values():
                task.cancel()
            await asyncio.gather(*running.values(), return_exceptions=True)

    def _wanted(self) -> set[int]:
        """The Python programs whose functions perf has no names for."""
        wanted: list[int] = []
        for target in self._targets:
            support = python_support(target.pid)
            if support.is_python and not (support.jit_dump or support.perf_map):
                wanted.append(target.pid)
        self._left_out = max(0, len(wanted) - MOST)
        return set(wanted[:MOST])

    async def _follow(self, pid: int, emit: Emit) -> None:
        """Record one process again and again until it ends."""
        first = True
        while process_exists(pid):
            try:
                error = await self._record(pid, 1 if first else _ROUND, emit)
            except FileNotFoundError:
                self._report(emit, Health.UNAVAILABLE, _MISSING)
                return
            first = False
            if error and process_exists(pid):
                self._report(emit, Health.DEGRADED, error)
                await asyncio.sleep(_RETRY)

    async def _record(self, pid: int, seconds: int, emit: Emit) -> str:
        """One recording; a sentence on why there is none, '' where there is."""
        source, sink = big_pipe()
        args = [_program(), "record", "--pid", str(pid), "--nonblocking", "--threads"]
        args += ["--full-filenames", "--nolineno", "--format", "raw", "--rate", str(RATE)]
        args += ["--duration", str(seconds), "--output", "/dev/stdout"]
        began = time.monotonic()
        try:
            try:
                child = await Child.spawn(args, stdout=sink, graceful=True)
            finally:
                os.close(sink)
            async with child:
                self._children[pid] = child.pid
                text = (await read_to_end(source)).decode(errors="replace")
                if await child.wait():
                    return explain(child.stderr)
        finally:
            os.close(source)
            self._children.pop(pid, None)
        self._deliver(pid, text, (began + time.monotonic()) / 2, emit)
        return ""

    def _deliver(self, pid: int, text: str, at: float, emit: Emit) -> None:
        """Every sample of a recording gets its middle as its time: more is not known."""
        table, samples = self._table, []
        for stack in mark_torn(parse_raw(text)):
            frames = [table.intern(frame) for frame in stack.frames]
            sample = StackSample(
                *(at, pid, stack.tid or pid, stack.thread or "thread", self.name),
                *(1_000_000_000 // RATE, table.stack_id(frames)),
            )
            samples += [sample] * stack.samples
        reason = ""
        if self._left_out:
            reason = (
                f"py-spy looks at {MOST} Python programs, at {self._left_out} more it does not."
            )
        self._report(emit, Health.OK, reason)
        emit(SpiedBatch(tuple(samples)))


_MISSING = f"py-spy is not installed: {sys.executable} -m pip install py-spy."


def _program() -> str:
    """FileNotFoundError where it is not installed."""
    found = _find()
    if found is None:
        raise FileNotFoundError("py-spy")
    return found


def _find() -> str | None:
    """Beside this interpreter, as pip puts it, or in PATH."""
    beside = Path(sys.executable).parent / "py-spy"
    return str(beside) if beside.exists() else shutil.which("py-spy")


def installed() -> bool:
    """Whether there is a py-spy to be run."""
    return _find() is not None


def explain(stderr: str) -> str:
    """py-spy's own words as one sentence with the remedy."""
    if re.search(r"Permission [Dd]enied|Operation not permitted|EPERM", stderr):
        return (
            "py-spy may not read the program's memory: start kvtop with sudo, "
            "or run sudo sysctl kernel.yama.ptrace_scope=0."
        )
    if re.search(r"Failed to find python version|Unsupported (version|Python)", stderr):
        return "py-spy does not know this version of Python: update it with pip install -U py-spy."
    lines = [line for line in stderr.splitlines() if line.startswith("Error")]
    last = lines[0] if lines else stderr.strip().rpartition("\n")[2]
    return f"py-spy failed: {safe_text(last.removeprefix('Error: '), 120)}."
