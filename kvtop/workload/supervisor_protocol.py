"""Commands to the supervisor and its events: one JSON object a line, typed. Light to import.

Commands go to its standard input, events come from its standard output. ``time`` is
CLOCK_MONOTONIC seconds, latencies are seconds.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar


class ProtocolError(ValueError):
    """A line that is no command or no event; the text says why."""


@dataclass(frozen=True, slots=True)
class Start:
    """Start the cluster, and the stress clients unless ``no_stress``.

    ``mix`` is shares of reads and writes; ``rate`` operations a second of all clients, 0 flat
    out. ``python_frames`` is "jit" (run the children under -X perf_jit) or "off". ``dir`` None:
    a temporary directory that is removed. ``ports`` empty: free ones, else one RPC port a node.
    ``duration``: seconds after which the stress clients are ended, None for never. ``cluster``
    is "raft", our own store, or "etcd".
    """

    cmd: ClassVar[str] = "start"
    nodes: int = 3
    clients: int = 8
    client_processes: int | None = None
    mix: tuple[int, int] = (50, 50)
    value_size: int = 256
    keys: int = 10_000
    rate: float = 0.0
    dir: str | None = None
    python_frames: str = "off"
    python: str | None = None
    ports: tuple[int, ...] = ()
    no_stress: bool = False
    duration: float | None = None
    cluster: str = "raft"


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL a node by name, or the "leader"."""

    cmd: ClassVar[str] = "kill"
    name: str


@dataclass(frozen=True, slots=True)
class Pause:
    """SIGSTOP a node by name, or the "leader"."""

    cmd: ClassVar[str] = "pause"
    name: str


@dataclass(frozen=True, slots=True)
class Resume:
    """SIGCONT a node."""

    cmd: ClassVar[str] = "resume"
    name: str


@dataclass(frozen=True, slots=True)
class Restart:
    """Start a node that is dead; kill it first if it is not."""

    cmd: ClassVar[str] = "restart"
    name: str


@dataclass(frozen=True, slots=True)
class RemoveOnExit:
    """Remove these files and directories when the supervisor ends, however that comes."""

    cmd: ClassVar[str] = "remove_on_exit"
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """End everything and exit."""

    cmd: ClassVar[str] = "stop"


Command = Start | Kill | Pause | Resume | Restart | RemoveOnExit | Stop


@dataclass(frozen=True, slots=True)
class Started:
    """A child runs; ``kind`` is "node" or "client". Ports are None for clients."""

    event: ClassVar[str] = "started"
    time: float
    name: str
    kind: str
    pid: int
    port: int | None = None
    status_port: int | None = None


@dataclass(frozen=True, slots=True)
class Exited:
    """A child ended; ``signal`` is the one that killed it, else ``returncode`` is set."""

    event: ClassVar[str] = "exited"
    time: float
    name: str
    kind: str
    pid: int
    returncode: int | None = None
    signal: int | None = None


@dataclass(frozen=True, slots=True)
class Paused:
    """A node was stopped with SIGSTOP."""

    event: ClassVar[str] = "paused"
    time: float
    name: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """A node goes on after SIGCONT."""

    event: ClassVar[str] = "resumed"
    time: float
    name: str


@dataclass(frozen=True, slots=True)
class RoleChanged:
    """What a node now is, as the node itself says; ``leader`` is the node it follows."""

    event: ClassVar[str] = "role"
    time: float
    name: str
    role: str
    term: int
    leader: str | None


@dataclass(frozen=True, slots=True)
class Serving:
    """``leader`` has committed an entry of its term: the cluster takes reads and writes."""

    event: ClassVar[str] = "serving"
    time: float
    leader: str
    term: int


@dataclass(frozen=True, slots=True)
class Stress:
    """All stress clients together over one interval; latencies of acknowledged operations."""

    event: ClassVar[str] = "stress"
    time: float
    interval: float
    operations: int
    errors: int
    reads: int
    writes: int
    p50: float | None
    p99: float | None
    p999: float | None
    clients: int
    total_operations: int
    total_errors: int


@dataclass(frozen=True, slots=True)
class Log:
    """A line that a child wrote; ``level`` is debug, info, warning or error."""

    event: ClassVar[str] = "log"
    time: float
    source: str
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Error:
    """A command that could not be carried out, or a child that could not start."""

    event: ClassVar[str] = "error"
    time: float
    message: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """All children are dead and all files are removed; nothing follows."""

    event: ClassVar[str] = "stopped"
    time: float


Event = Started | Exited | Paused | Resumed | RoleChanged | Serving | Stress | Log | Error | Stopped

_COMMANDS: dict[str, type[Command]] = {
    kind.cmd: kind for kind in (Start, Kill, Pause, Resume, Restart, RemoveOnExit, Stop)
}
_EVENTS: dict[str, type[Event]] = {
    kind.event: kind
    for kind in (
        Started,
        Exited,
        Paused,
        Resumed,
        RoleChanged,
        Serving,
        Stress,
        Log,
        Error,
        Stopped,
    )
}


def command_to_json(command: Command) -> str:
    """One line, without its end."""
    return json.dumps({"cmd": command.cmd, **asdict(command)}, separators=(",", ":"))


def command_from_json(line: str | bytes) -> Command:
    """The command of a line; ProtocolError if it is none."""
    command: Command = _from_json(line, "cmd", _COMMANDS)
    return command


def event_to_json(event: Event) -> str:
    """One line, without its end."""
    return json.dumps({"event": event.event, **asdict(event)}, separators=(",", ":"))


def event_from_json(line: str | bytes) -> Event:
    """The event of a line; ProtocolError if it is none."""
    event: Event = _from_json(line, "event", _EVENTS)
    return event


def _from_json(line: str | bytes, tag: str, kinds: dict[str, Any]) -> Any:
    try:
        data = json.loads(line)
        kind = kinds[data.pop(tag)]
        known = {field.name for field in fields(kind)}
        unknown = data.keys() - known
        if unknown:
            raise ValueError(f"unknown field {sorted(unknown)[0]}")
        return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in data.items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProtocolError(f"not a valid {tag} line: {error}") from None
