"""Real processes to look at, and waiting for what collectors emit."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from kvtop.events import Emit, Event

SPIN = (sys.executable, "-c", "while True: pass")


class Runs(Protocol):
    async def run(self, emit: Emit) -> None: ...


@contextmanager
def processes(*commands: Sequence[str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The commands as running processes; killed, reaped, and their jit files removed."""
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for command in commands
    ]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()
            Path(f"/tmp/jit-{process.pid}.dump").unlink(missing_ok=True)


async def until(done: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for it; TimeoutError if it does not come."""
    async with asyncio.timeout(seconds):
        while not done():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def collect(collector: Runs, done: Callable[[list[Event]], bool]) -> list[Event]:
    """Run a collector until its events are enough, then cancel it as a session does."""
    events: list[Event] = []
    task = asyncio.create_task(collector.run(events.append))
    try:
        await until(lambda: done(events) or task.done())
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return events
