"""A cluster that somebody else runs: what its members say, and which of them are processes here."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import ClassVar

import psutil

from kvtop.collectors.attach import AttachError, resolve
from kvtop.collectors.cluster import ClusterCollector, from_report
from kvtop.collectors.etcd import EtcdMember, to_status
from kvtop.etcd.api import EtcdError, EtcdSilent
from kvtop.events import Emit, LogLine, NodeState, NodeStatus, Role, Target, TargetsChanged
from kvtop.profile.text import safe_text
from kvtop.workload.status import StatusError, fetch_status

LOOK_EVERY = 2.0
"""Seconds between two looks at which processes listen: each reads all of /proc."""
_TOLERANCE = 2.0
"""Seconds by which two readings of a process's start may differ (clock ticks, clock steps)."""
Address = tuple[str, int]


class EndpointsCollector(ClusterCollector):
    """Emits NodeStatus per endpoint, TargetsChanged when the local processes among them change.

    An endpoint is named as the user wrote it. One that does not answer is SILENT, and its kind
    is asked for again: something else may listen there when it answers the next time.
    """

    unanswered: ClassVar[NodeState | None] = NodeState.SILENT

    def __init__(
        self,
        addresses: Iterable[Address],
        moved: Callable[[tuple[Target, ...]], None],
        interval: float = 0.5,
    ) -> None:
        """``moved`` is called with the local targets whenever they are others."""
        super().__init__(interval)
        self._addresses = {_name(address): address for address in addresses}
        self._moved = moved
        self._etcd: dict[str, EtcdMember] = {}
        self._members: dict[int, str] = {}
        self._versions: dict[str, str] = {}
        self._started: dict[str, float | None] = {}
        """When an etcd member says that it started, Unix time."""
        self._claims: dict[str, int] = {}
        """The PID that a node of kvtop says it has."""
        self._doubted: set[tuple[str, int]] = set()
        """Listeners that were not the member at the last look: they may have been restarted."""
        self._told: set[str] = set()
        for name, (host, port) in self._addresses.items():
            self.set_process(name, None, NodeState.UP, host, port)

    @property
    def title(self) -> str:
        """What the endpoints are, as far as they have answered."""
        kinds = ", ".join(sorted(set(self._versions.values()))) or "no answer yet"
        count = len(self._addresses)
        return f"{count} endpoint{'' if count == 1 else 's'}: {kinds}"

    async def ask(
        self, name: str, pid: int | None, host: str, port: int, patience: float
    ) -> NodeStatus:
        """As etcd if it is one, else as a node of kvtop. Raises StatusError."""
        member = self._etcd.get(name) or EtcdMember(host, port)
        try:
            reading = await member.read(patience)
        except EtcdError as error:
            member.close()
            if self._etcd.pop(name, None) is not None or isinstance(error, EtcdSilent):
                raise StatusError(str(error).removeprefix(f"{name}: ")) from None
            return await self._ask_kvtop(name, pid, host, port, patience)
        self._etcd[name] = member
        self._claims.pop(name, None)
        self._members[reading.status.member] = name
        self._versions[name] = f"etcd {safe_text(reading.status.version, 20)}"
        self._started[name] = reading.started
        return to_status(name, pid, reading, self._members)

    async def _ask_kvtop(
        self, name: str, pid: int | None, host: str, port: int, patience: float
    ) -> NodeStatus:
        """Of what answers, but not as etcd does."""
        try:
            report = await fetch_status(host, port, patience)
        except StatusError:
            text = "this is neither etcd (3.4 or newer, without TLS) nor a node's status port"
            raise StatusError(text) from None
        self._versions[name] = "kvtop"
        self._claims[name] = report.pid
        return replace(from_report(name, report), pid=pid)

    async def settle(self) -> tuple[Target, ...]:
        """Ask each once, and find those that are here: what perf can attach to at once."""
        await asyncio.gather(*map(self._look_at, list(self._nodes.values())))
        return await self._find_local(lambda event: None)

    async def run(self, emit: Emit) -> None:
        """Ask, and look who listens, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(super().run(emit))
            group.create_task(self._follow(emit))

    async def _follow(self, emit: Emit) -> None:
        known: tuple[Target, ...] | None = None
        while True:
            targets = await self._find_local(emit)
            if targets != known:
                emit(TargetsChanged(time.monotonic(), targets))
                if known is not None:
                    self._moved(targets)
                known = targets
            await asyncio.sleep(LOOK_EVERY)

    async def _find_local(self, emit: Emit) -> tuple[Target, ...]:
        pids = await asyncio.to_thread(find_listeners, self._addresses)
        targets: dict[int, Target] = {}
        before, self._doubted = self._doubted, set()
        for name, (host, port) in self._addresses.items():
            pid = pids.get(name)
            if pid is not None and not self._is_the_member(name, pid):
                self._doubted.add((name, pid))
                if (name, pid) in before and name in self._versions:
                    self._tell(emit, name, f"PID {pid}, which listens there, only passes on to it")
                pid = None
            self.set_process(name, pid, NodeState.UP, host, port)
            if pid is None or pid in targets:
                continue
            try:
                (target,) = resolve((pid,))
            except AttachError as error:
                self._tell(emit, name, str(error))
                continue
            targets[pid] = replace(target, label=name, role=Role.UNKNOWN)
        return tuple(targets.values())

    def _is_the_member(self, name: str, pid: int) -> bool:
        """Whether the process is the one that answers: ssh and container proxies listen too."""
        if name in self._claims:
            return self._claims[name] == pid
        started = self._started.get(name)
        if started is None:
            return name in self._started  # it does not tell, so that nothing speaks against it
        try:
            return abs(psutil.Process(pid).create_time() - started) <= _TOLERANCE
        except psutil.Error:
            return False

    def _tell(self, emit: Emit, name: str, text: str) -> None:
        """Once, why an endpoint on this machine is not profiled."""
        if text not in self._told:
            self._told.add(text)
            emit(LogLine(time.monotonic(), name, "warning", f"Not profiled: {text}."))


def _name(address: Address) -> str:
    host, port = address
    return safe_text(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", 80)


def find_listeners(addresses: Mapping[str, Address]) -> dict[str, int]:
    """PIDs of the processes here that listen on the addresses, by name (/proc/net/tcp, fd links).

    What other users' processes listen on is known to root only.
    """
    here = {a.address.partition("%")[0] for all in psutil.net_if_addrs().values() for a in all}
    listening: dict[Address, int] = {}
    for connection in psutil.net_connections("tcp"):
        if connection.status != psutil.CONN_LISTEN or not connection.laddr:
            continue
        if connection.pid is not None:
            ip, port = connection.laddr
            listening[ip.removeprefix("::ffff:"), port] = connection.pid
    found = {}
    for name, (host, port) in addresses.items():
        for ip in _resolve(host):
            if ip not in here and not ipaddress.ip_address(ip).is_loopback:
                continue
            pid = next(
                (listening[a, port] for a in (ip, "0.0.0.0", "::") if (a, port) in listening), 0
            )
            if pid:
                found[name] = pid
                break
    return found


def _resolve(host: str) -> list[str]:
    try:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(address[0]).partition("%")[0] for *_, address in answers]
