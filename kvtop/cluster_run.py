"""kvtop's own cluster: its supervisor process, and what that says turned into events.

The supervisor is the parent of all nodes and stress clients, so a ``perf record`` attached to it
before it starts them follows every one of them, restarted ones included. It is the janitor too:
when its standard input closes, however kvtop ended, it ends them and removes their files.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from kvtop.config import Config
from kvtop.events import (
    CollectorStatus,
    Emit,
    Health,
    LogLine,
    Marker,
    MarkerKind,
    NodeState,
    Role,
    StressStats,
    Target,
    TargetsChanged,
)
from kvtop.profile.text import safe_text
from kvtop.workload import supervisor_protocol as protocol
from kvtop.workload.children import Leftovers

_log = logging.getLogger("kvtop.cluster")
STOP_WAIT = 10.0
_LONGEST_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """A node or a stress client as the supervisor last described it."""

    name: str
    kind: str
    pid: int
    state: NodeState
    status_port: int | None


class ClusterRun:
    """The supervisor as a child process. ``changed`` is called with each member that changed."""

    def __init__(self, emit: Emit, changed: Callable[[Member], None], python_frames: bool) -> None:
        self.members: dict[str, Member] = {}
        self.serving = asyncio.Event()
        """Set once a leader has committed an entry of its term."""
        self.gone = asyncio.Event()
        """Set once the supervisor has ended."""
        self.errors: list[str] = []
        self._emit = emit
        self._changed = changed
        self._python_frames = python_frames
        self._process: asyncio.subprocess.Process | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._stopping = False
        self._leftovers = Leftovers()
        """The janitor's work, in case that the supervisor is killed before it."""

    async def spawn(self) -> int:
        """Start the supervisor, which waits; returns its PID."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "kvtop.workload.supervisor"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=_LONGEST_LINE,
        )
        _log.info("PID %d started: the supervisor of the cluster", process.pid)
        self._process = process
        self._readers = [
            asyncio.create_task(self._read_events(process)),
            asyncio.create_task(self._read_errors(process)),
        ]
        return process.pid

    def start(self, config: Config) -> None:
        """Let the supervisor start nodes and clients; OSError where no directory can be made."""
        directory = config.dir
        if directory is None:
            directory = Path(tempfile.mkdtemp(prefix="kvtop-"))
            self._leftovers.add_path(directory)
            self._send(protocol.RemoveOnExit((str(directory),)))
        self._send(
            protocol.Start(
                nodes=config.nodes,
                clients=config.clients,
                mix=config.mix,
                value_size=config.value_size,
                keys=config.keys,
                rate=config.rate,
                dir=str(directory.absolute()),
                python_frames="jit" if self._python_frames else "off",
                no_stress=config.no_stress,
                cluster=config.cluster,
            )
        )

    def kill(self, name: str) -> None:
        """SIGKILL a node."""
        self._send(protocol.Kill(name))

    def pause(self, name: str) -> None:
        """SIGSTOP a node."""
        self._send(protocol.Pause(name))

    def resume(self, name: str) -> None:
        """SIGCONT a node."""
        self._send(protocol.Resume(name))

    def restart(self, name: str) -> None:
        """Start a node again on its data."""
        self._send(protocol.Restart(name))

    async def stop(self) -> None:
        """End the cluster; returns when its processes are dead and its files removed."""
        process = self._process
        if process is None:
            return
        self._stopping = True
        self._send(protocol.Stop())
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), STOP_WAIT)
        except TimeoutError:
            # Its children die with it (PR_SET_PDEATHSIG); only files may stay.
            process.kill()
            await process.wait()
        await asyncio.gather(*self._readers, return_exceptions=True)
        _log.info("PID %d (the supervisor) ended: %s", process.pid, process.returncode)
        self._process = None
        for member in self.members.values():
            self._leftovers.add_dead(member.pid)
        self._leftovers.remove_all()

    def _send(self, command: protocol.Command) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(protocol.command_to_json(command).encode() + b"\n")

    async def _read_events(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            with contextlib.suppress(protocol.ProtocolError):
                self._take(protocol.event_from_json(line))
        self.gone.set()
        if not self._stopping:
            self._lost()

    async def _read_errors(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        loop = asyncio.get_running_loop()
        while line := await process.stderr.readline():
            text = safe_text(line.decode(errors="replace").rstrip())
            self._emit(LogLine(loop.time(), "supervisor", "error", text))
            self.errors.append(text)
            del self.errors[:-20]

    def _lost(self) -> None:
        """The supervisor died; its children died with it."""
        now = asyncio.get_running_loop().time()
        text = "The supervisor has ended unexpectedly, and the cluster with it: start kvtop again."
        self._emit(LogLine(now, "supervisor", "error", text))
        self._emit(CollectorStatus(now, "supervisor", Health.UNAVAILABLE, text))
        self._emit(Marker(now, MarkerKind.EXIT, text))
        for member in list(self.members.values()):
            self._set(replace(member, state=NodeState.DOWN))
        self._announce(now)

    def _take(self, event: protocol.Event) -> None:
        match event:
            case protocol.Started():
                _log.info("PID %d started: %s", event.pid, event.name)
                self._started(event)
            case protocol.Exited():
                self._exited(event)
            case protocol.Paused():
                self._set_state(event.name, NodeState.PAUSED)
                self._mark(event.time, MarkerKind.PAUSE, f"{event.name} paused", event.name)
            case protocol.Resumed():
                self._set_state(event.name, NodeState.UP)
                self._mark(event.time, MarkerKind.RESUME, f"{event.name} resumed", event.name)
            case protocol.Serving():
                self.serving.set()
                text = f"{event.leader} serves as leader in term {event.term}"
                self._emit(LogLine(event.time, event.leader, "info", text))
            case protocol.Stress():
                self._stress(event)
            case protocol.Log():
                text = safe_text(event.text)
                self._emit(LogLine(event.time, event.source, event.level, text))
            case protocol.Error():
                text = safe_text(event.message)
                self.errors.append(text)
                self._emit(LogLine(event.time, "supervisor", "error", text))
            case protocol.RoleChanged():
                text = f"{event.role} in term {event.term}"
                self._emit(LogLine(event.time, event.name, "info", text))
            case protocol.Stopped():
                pass

    def _started(self, event: protocol.Started) -> None:
        before = self.members.get(event.name)
        self._set(Member(event.name, event.kind, event.pid, NodeState.STARTING, event.status_port))
        if before is not None and event.kind == "node":
            text = f"{event.name} restarted (PID {event.pid})"
            self._mark(event.time, MarkerKind.RESTART, text, event.name)
        self._announce(event.time)

    def _exited(self, event: protocol.Exited) -> None:
        member = self.members.get(event.name)
        if member is None or member.pid != event.pid:
            return
        self._set(replace(member, state=NodeState.DOWN))
        if event.signal is not None:
            text = f"{event.name} killed by signal {event.signal}"
            self._mark(event.time, MarkerKind.KILL, text, event.name)
        else:
            text = f"{event.name} exited with code {event.returncode}"
            self._mark(event.time, MarkerKind.EXIT, text, event.name)
        self._announce(event.time)

    def _stress(self, event: protocol.Stress) -> None:
        self._emit(
            StressStats(
                time=event.time,
                interval=event.interval,
                operations=event.operations,
                errors=event.errors,
                reads=event.reads,
                writes=event.writes,
                p50=event.p50,
                p99=event.p99,
                p999=event.p999,
                clients=event.clients,
                total_operations=event.total_operations,
                total_errors=event.total_errors,
            )
        )

    def _set_state(self, name: str, state: NodeState) -> None:
        member = self.members.get(name)
        if member is not None:
            self._set(replace(member, state=state))

    def _set(self, member: Member) -> None:
        self.members[member.name] = member
        self._changed(member)

    def _mark(self, time: float, kind: MarkerKind, text: str, label: str) -> None:
        self._emit(Marker(time, kind, text, label))
        self._emit(LogLine(time, label, "warning", text))

    def _announce(self, time: float) -> None:
        targets = tuple(
            Target(
                member.name,
                member.pid,
                Role.CLIENT if member.kind == "client" else Role.UNKNOWN,
                python_frames=self._python_frames,
            )
            for member in self.members.values()
            if member.state is not NodeState.DOWN
        )
        self._emit(TargetsChanged(time, targets))
