"""Real processes to look at, collectors that run, and waiting for what they emit."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Protocol

import psutil
import pytest

from kvtop.events import CollectorStatus, Emit, Event, StackSample
from kvtop.profile.stacks import StackTable

FIXTURES = Path(__file__).parent.parent / "fixtures"
SPIN = (sys.executable, "-c", "while True: pass")


class Runs(Protocol):
    async def run(self, emit: Emit) -> None: ...


class HasChildren(Runs, Protocol):
    @property
    def child_pids(self) -> tuple[int, ...]: ...


@contextmanager
def processes(
    *commands: Sequence[str], cwd: Path | None = None
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The commands as running processes; killed, reaped, and their jit files removed."""
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=cwd)
        for command in commands
    ]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()
            Path(f"/tmp/jit-{process.pid}.dump").unlink(missing_ok=True)


def order(process: subprocess.Popen[bytes], words: bytes) -> None:
    """Write a line to the standard input of one of `processes`."""
    assert process.stdin is not None
    process.stdin.write(words + b"\n")
    process.stdin.flush()


def answer(process: subprocess.Popen[bytes]) -> bytes:
    """The next line of its standard output."""
    assert process.stdout is not None
    return process.stdout.readline()


def compiled(directory: Path, source: str, *flags: str, name: str | None = None) -> Path:
    """A fixture's program; skips the test where the compiler is missing.

    Without optimisation unless ``flags`` say other: then the leaf has a frame of its own too,
    and a chain of frame pointers misses nobody.
    """
    compiler = "gcc" if source.endswith(".c") else "g++"
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}")
    program = directory / (name or Path(source).stem)
    options = ["-O0", "-fno-omit-frame-pointer", *flags]
    subprocess.run([compiler, *options, FIXTURES / source, "-o", program], check=True)
    return program


async def until(done: Callable[[], object], seconds: float = 60) -> None:
    """Wait for it; TimeoutError if it does not come. Patient: a machine may be busy."""
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


class Heard:
    """What a collector of stacks emitted so far; the names of its frames are in ``table``."""

    def __init__(self) -> None:
        self.table = StackTable()
        self.events: list[Event] = []

    @property
    def statuses(self) -> list[CollectorStatus]:
        return [e for e in self.events if isinstance(e, CollectorStatus)]

    def symbols(self, sample: StackSample) -> list[str]:
        return [self.table.frame(f).symbol for f in self.table.frames(sample.stack)]


@asynccontextmanager
async def running(collector: HasChildren, emit: Emit) -> AsyncIterator[None]:
    """A collector that runs within the block, and whose children are gone after it."""
    task = asyncio.create_task(collector.run(emit))
    try:
        yield
    finally:
        children = collector.child_pids
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not [pid for pid in children if psutil.pid_exists(pid)]
