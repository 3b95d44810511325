"""What the nodes say of themselves, asked over their status ports twice a second."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import ClassVar

from kvtop.events import CollectorStatus, Emit, Health, NodeState, NodeStatus, Role
from kvtop.profile.text import safe_text
from kvtop.workload.status import NodeReport, StatusError, fetch_status

_ROLES = {
    "leader": Role.LEADER,
    "follower": Role.FOLLOWER,
    "learner": Role.FOLLOWER,
    "candidate": Role.CANDIDATE,
    "pre-candidate": Role.CANDIDATE,
}
_PATIENCE = 0.8
_START = 15.0
"""Seconds after which a process that has never answered is not said to be starting any more."""


@dataclass(frozen=True, slots=True)
class _Node:
    name: str
    pid: int | None
    state: NodeState
    host: str
    port: int
    since: float
    """When this process was first heard of."""


class ClusterCollector:
    """Emits NodeStatus per node, ``interval`` seconds apart.

    The supervisor's word on a process (`set_process`) decides between up, paused and down; the
    rest is the node's own. A node that does not answer has figures of None and an ``error``,
    but where its process has only just begun.
    """

    name = "cluster"
    unanswered: ClassVar[NodeState | None] = None
    """State of a node that does not answer, where that is not for its supervisor to say."""

    def __init__(self, interval: float = 0.5) -> None:
        self.interval = interval
        self._nodes: dict[str, _Node] = {}
        self._answered: set[tuple[str, int | None]] = set()
        """Nodes and their processes that have said something of themselves."""
        self._changed = asyncio.Event()
        self._status: tuple[Health, str] | None = None

    def set_process(
        self, name: str, pid: int | None, state: NodeState, host: str, status_port: int
    ) -> None:
        """What the supervisor knows of a node's process; asked about at once."""
        before = self._nodes.get(name)
        known = before is not None and before.pid == pid
        since = before.since if before is not None and known else time.monotonic()
        self._nodes[name] = _Node(name, pid, state, host, status_port, since)
        self._changed.set()

    async def run(self, emit: Emit) -> None:
        """Ask until cancelled."""
        while True:
            self._changed.clear()
            nodes = sorted(self._nodes.values(), key=lambda node: node.name)
            statuses = with_lag(await asyncio.gather(*map(self._look_at, nodes)))
            for status in statuses:
                # The supervisor may have said something newer while the node was being asked.
                if self._nodes[status.name] in nodes:
                    emit(status)
            self._judge(statuses, emit)
            try:
                await asyncio.wait_for(self._changed.wait(), self.interval)
            except TimeoutError:
                continue

    async def ask(
        self, name: str, pid: int | None, host: str, port: int, patience: float
    ) -> NodeStatus:
        """What a node says of itself, lag not yet known. Raises StatusError."""
        return from_report(name, await fetch_status(host, port, patience))

    async def _look_at(self, node: _Node) -> NodeStatus:
        now = time.monotonic()
        if node.state in (NodeState.DOWN, NodeState.PAUSED):
            return NodeStatus(now, node.name, node.pid, node.state)
        try:
            status = await self.ask(node.name, node.pid, node.host, node.port, _PATIENCE)
        except StatusError as error:
            starting = node.state is NodeState.STARTING
            never = (node.name, node.pid) not in self._answered
            if starting and never and now - node.since < _START:
                return NodeStatus(now, node.name, node.pid, node.state)
            state = self.unanswered or (NodeState.UP if starting else node.state)
            text = safe_text(str(error), 200)
            return NodeStatus(time.monotonic(), node.name, node.pid, state, error=text)
        self._answered.add((node.name, node.pid))
        return status

    def _judge(self, statuses: list[NodeStatus], emit: Emit) -> None:
        silent = [s for s in statuses if s.error]
        verdict = (Health.OK, "")
        if silent and len(silent) == len(statuses):
            verdict = (Health.UNAVAILABLE, f"No node answers: {silent[0].error}.")
        elif silent:
            names = ", ".join(s.name for s in silent)
            verdict = (Health.DEGRADED, f"{names}: {silent[0].error}.")
        if statuses and verdict != self._status:
            self._status = verdict
            emit(CollectorStatus(time.monotonic(), self.name, *verdict))


def from_report(name: str, report: NodeReport) -> NodeStatus:
    """A node's own report as an event, lag not yet known."""
    return NodeStatus(
        time.monotonic(),
        name,
        report.pid,
        NodeState.UP,
        role=_ROLES.get(report.role, Role.UNKNOWN),
        term=report.term,
        leader=None if report.leader is None else safe_text(report.leader, 80),
        commit=report.commit,
        applied=report.applied,
        last_index=report.last_index,
        fdatasync_p99=report.fdatasync_p99,
        fdatasyncs=report.fdatasyncs,
        fdatasync_buckets=report.fdatasync_buckets,
        keys=report.keys,
        error=safe_text(report.failure, 200),
    )


def with_lag(statuses: list[NodeStatus]) -> list[NodeStatus]:
    """Fill ``lag``: entries behind the commit index of the leader with the highest term."""
    leaders = [s for s in statuses if s.role is Role.LEADER and s.commit is not None]
    if not leaders:
        return statuses
    commit = max(leaders, key=lambda s: s.term or 0).commit or 0
    return [s if s.commit is None else replace(s, lag=max(0, commit - s.commit)) for s in statuses]
