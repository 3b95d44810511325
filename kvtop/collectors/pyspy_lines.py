"""The source of Python's functions with samples per line, which py-spy knows and perf does not.

Programs that py-spy looks at anyway have them at once. Others, as the nodes of kvtop's own cluster,
are recorded as long as somebody goes on asking, and no longer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from math import inf

from kvtop.collectors.annotate import AnnotateError, Span
from kvtop.collectors.attach import python_support
from kvtop.collectors.processes import process_exists
from kvtop.collectors.pyspy import PySpy
from kvtop.collectors.pyspy_history import FunctionLines, LineHistory
from kvtop.collectors.pyspy_record import (
    MOST,
    RATE,
    RETRY,
    ROUND,
    SpyError,
    SpyMissingError,
    record,
)
from kvtop.collectors.source_text import SourceError, python_function
from kvtop.profile.frames import Frame
from kvtop.profile.listing import Listing, SourceFile
from kvtop.profile.text import safe_text

SAMPLER = f"py-spy, {RATE} Hz"
LEASE = 4.0
"""Seconds after the last question for it that a process is recorded no more."""
OFF = (
    "perf does not know the lines of Python, and --python-frames off leaves py-spy out, which does."
)
_PRESENT = 2.0
"""A view whose last moment is longer ago than that does not follow the run."""


class PythonLines:
    """Answers `listing`; ``stop`` it, which ends the py-spys that run for it.

    ``spy`` is the collector that records some processes all the time, where there is one.
    """

    def __init__(self, spy: PySpy | None = None) -> None:
        self._spy = spy
        self._history = LineHistory() if spy is None else spy.history
        self._running: dict[int, asyncio.Task[None]] = {}
        self._until: dict[int, float] = {}
        self._problems: dict[int, str] = {}
        self._children: dict[int, int] = {}

    @property
    def child_pids(self) -> tuple[int, ...]:
        """py-spy's processes: part of what kvtop costs."""
        return tuple(self._children.values())

    async def listing(self, frame: Frame, span: Span) -> Listing:
        """The source of a function with what py-spy saw of it in ``span.pids``; AnnotateError.

        Recordings count whose middle is in the span. Where no process was recorded in a span that
        is past, those from then on count, and the remark says so.
        """
        source = await python_source(frame)
        pids = span.pids or frozenset()
        found = self._history.lines(frame, span.start, span.end, pids)
        past = span.end < time.monotonic() - _PRESENT
        if past and found.seconds:
            return _filled(source, found, "" if found.total else _unseen(found))
        left_out = await self._follow(pids)
        remark = ""
        if past:
            found = self._history.lines(frame, span.end, inf, pids)
            remark = "py-spy was not there at the time of the view: its samples are later ones."
        if not found.total:
            remark = self._waiting(found, pids)
        if left_out:
            remark += f" py-spy looks at {MOST} processes, at {left_out} more it does not."
        more = any(self._looks_at(pid) for pid in pids)
        return _filled(source, found, remark, more)

    async def stop(self) -> None:
        """End and reap every py-spy; safe to call twice."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        self._running.clear()

    def _looks_at(self, pid: int) -> bool:
        task = self._running.get(pid)
        spied = self._spy is not None and self._spy.looks_at(pid)
        return spied or (task is not None and not task.done())

    async def _follow(self, pids: Iterable[int]) -> int:
        """Record these Python programs for a while, but for those that are recorded anyway.

        The number of those that there is no room for.
        """
        left_out = 0
        now = time.monotonic()
        self._running = {pid: task for pid, task in self._running.items() if not task.done()}
        self._until = {pid: until for pid, until in self._until.items() if until > now}
        for pid in sorted(pids):
            self._until[pid] = now + LEASE
            if self._looks_at(pid):
                continue
            if not (await asyncio.to_thread(python_support, pid)).is_python:
                continue
            if len(self._running) < MOST:
                self._running[pid] = asyncio.create_task(self._keep_recording(pid))
            else:
                left_out += 1
        return left_out

    async def _keep_recording(self, pid: int) -> None:
        seconds = 1
        while time.monotonic() < self._until.get(pid, 0.0) and process_exists(pid):
            try:
                self._history.add(await record(pid, seconds, self._children))
                self._problems.pop(pid, None)
            except SpyMissingError as error:
                self._problems[pid] = str(error)
                return
            except SpyError as error:
                if process_exists(pid):
                    self._problems[pid] = str(error)
                    await asyncio.sleep(RETRY)
            seconds = ROUND

    def _waiting(self, found: FunctionLines, pids: frozenset[int]) -> str:
        """Why there is no sample of the function, in one sentence."""
        problems = [self._problems[pid] for pid in sorted(pids) if pid in self._problems]
        if found.seconds:
            return _unseen(found)
        if problems:
            return problems[0]
        if any(self._looks_at(pid) for pid in pids):
            return "perf does not know the lines of Python: py-spy is recording them …"
        return (
            "perf does not know the lines of Python, and no process is left that py-spy could ask."
        )


async def python_source(frame: Frame, remark: str = "") -> Listing:
    """The source of a Python function, without samples per line; AnnotateError."""
    try:
        lines, first, _ = await asyncio.to_thread(python_function, frame.file, frame.symbol)
    except SourceError as error:
        raise AnnotateError(str(error)) from None
    if not first:
        remark = f"{safe_text(frame.symbol, 80)} is not in the file as it is now. {remark}".rstrip()
    return Listing(0, (SourceFile(frame.file, lines, first),), (), remark)


def _unseen(found: FunctionLines) -> str:
    return f"py-spy looked for {found.seconds:.0f} s and did not see the function run."


def _filled(source: Listing, found: FunctionLines, remark: str, more: bool = False) -> Listing:
    """The source with its figures; py-spy's line 0 is none."""
    (file,) = source.files
    own = {line: count for line, count in found.own.items() if line}
    return Listing(
        samples=sum(found.own.values()),
        files=(SourceFile(file.name, file.lines, file.first, own, found.totals),),
        remark=f"{source.remark} {remark}".strip(),
        seconds=found.seconds if found.total else None,
        sampler=SAMPLER,
        total=found.total,
        more=more,
    )
