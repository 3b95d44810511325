"""A supervisor with a real cluster under it, driven from a test."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from kvtop.workload.clerk import Cluster
from kvtop.workload.peers import Address
from kvtop.workload.status import NodeReport, StatusError, fetch_status
from kvtop.workload.supervisor_protocol import (
    Command,
    Event,
    Serving,
    Start,
    Started,
    Stop,
    command_to_json,
    event_from_json,
)

E = TypeVar("E", bound=Event)
PATIENCE = 40.0
"""Seconds for anything that has to come: a machine may be busy."""


class SupervisedCluster:
    """``async with SupervisedCluster(Start(...)) as cluster``: serves when the block begins."""

    def __init__(self, start: Start | None) -> None:
        self.start = start
        self.events: list[Event] = []
        self.process: asyncio.subprocess.Process
        self._news = asyncio.Condition()
        self._reader: asyncio.Task[None]

    async def __aenter__(self) -> SupervisedCluster:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "kvtop.workload.supervisor",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=1 << 20,
        )
        self._reader = asyncio.create_task(self._read())
        if self.start is not None:
            self.send(self.start)
            await self.wait_for(Serving)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.returncode is None:
            self.send(Stop())
        await asyncio.wait_for(self.process.wait(), PATIENCE)
        await self._reader

    def send(self, command: Command) -> None:
        """Give the supervisor a command."""
        assert self.process.stdin is not None
        self.process.stdin.write(command_to_json(command).encode() + b"\n")

    async def wait_for(
        self, kind: type[E], accept: Callable[[E], bool] = lambda event: True, since: int = 0
    ) -> E:
        """The first event of a kind that is accepted, at or after position ``since``."""

        def found() -> E | None:
            for event in self.events[since:]:
                if isinstance(event, kind) and accept(event):
                    return event
            return None

        async with self._news:
            await asyncio.wait_for(self._news.wait_for(lambda: found() is not None), PATIENCE)
        event = found()
        assert event is not None
        return event

    def all(self, kind: type[E]) -> list[E]:
        """Events of a kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def pids(self) -> list[int]:
        """Every process that was started."""
        return [event.pid for event in self.all(Started)]

    def started(self, name: str) -> Started:
        """The newest start of a child."""
        return [event for event in self.all(Started) if event.name == name][-1]

    def connect(self) -> Cluster:
        """Connections for clerks."""
        nodes = {e.name: e.port for e in self.all(Started) if e.port is not None}
        return Cluster({int(n[4:]): Address("127.0.0.1", port) for n, port in nodes.items()})

    async def ask(self, name: str) -> NodeReport:
        """A node's status now; StatusError where it does not answer."""
        port = self.started(name).status_port
        assert port is not None
        return await fetch_status("127.0.0.1", port, 2.0)

    async def report(self, name: str) -> NodeReport:
        """A node's status, once it answers: others may serve before it has begun to listen."""
        return await self.wait_report(name, lambda report: True)

    async def leader(self, other_than: str = "") -> NodeReport:
        """The report of the node that leads, with the newest term, once one does."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = []
                for name in {e.name for e in self.all(Started) if e.kind == "node"}:
                    with contextlib.suppress(StatusError):
                        found.append(await self.ask(name))
                leaders = [r for r in found if r.role == "leader" and r.name != other_than]
                if leaders:
                    return max(leaders, key=lambda report: report.term)
                await asyncio.sleep(0.05)

    async def wait_report(self, name: str, accept: Callable[[NodeReport], bool]) -> NodeReport:
        """A node's status, once it is accepted."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    report = await self.ask(name)
                    if accept(report):
                        return report
                except StatusError:
                    pass
                await asyncio.sleep(0.05)

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            async with self._news:
                self.events.append(event_from_json(line))
                self._news.notify_all()


def is_running(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def perf_files(pids: list[int]) -> list[Path]:
    """What perf support of these processes left in /tmp."""
    return [
        path
        for pid in pids
        for pattern in (f"jit-{pid}.dump", f"jitted-{pid}-*.so", f"perf-{pid}.map")
        for path in Path("/tmp").glob(pattern)
    ]


async def wait_all_gone(pids: list[int]) -> None:
    """Until none of the processes runs."""
    async with asyncio.timeout(PATIENCE):
        while any(is_running(pid) for pid in pids):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def send_signal(pid: int, number: int) -> None:
    """As ``kill -number pid``."""
    os.kill(pid, number)
