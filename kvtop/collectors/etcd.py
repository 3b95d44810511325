"""What etcd's members say of themselves: status API, ``/metrics`` and ``/debug/vars``."""

from __future__ import annotations

import time
from dataclasses import dataclass

from kvtop.collectors.cluster import ClusterCollector
from kvtop.etcd.api import EtcdError, MemberStatus, fetch_metrics, fetch_raft_state, fetch_status
from kvtop.etcd.http import HttpConnection
from kvtop.etcd.prometheus import Metrics, RecentQuantile, parse
from kvtop.events import NodeState, NodeStatus, Role
from kvtop.profile.text import safe_text
from kvtop.workload.status import StatusError

FSYNC = "etcd_disk_wal_fsync_duration_seconds"
KEYS = "etcd_debugging_mvcc_keys_total"
STARTED = "process_start_time_seconds"
METRICS_EVERY = 2.0
"""Seconds: the text is 150 kB long, which costs a member some milliseconds to write."""
_CANDIDATES = ("StateCandidate", "StatePreCandidate")


@dataclass(frozen=True, slots=True)
class Reading:
    """A member at one moment; the figures of metrics may be two seconds older than the status."""

    status: MemberStatus
    state: str
    """Raft's own word where there is no leader, else ""."""
    fsync_p99: float | None
    """Seconds, estimated within a bucket of etcd's histogram, of the last ten seconds."""
    fsyncs: int | None
    keys: int | None
    started: float | None
    """When the process says that it started, Unix time."""

    @property
    def role(self) -> Role:
        """UNKNOWN for a member that has no leader and does not say that it is a candidate."""
        if self.status.leader == self.status.member:
            return Role.LEADER
        if self.status.leader:
            return Role.FOLLOWER
        return Role.CANDIDATE if self.state in _CANDIDATES else Role.UNKNOWN


class EtcdMember:
    """Asks one member, over one connection that stays open."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = HttpConnection(host, port)
        self._quantile = RecentQuantile(0.99)
        self._asked = float("-inf")
        self._metrics = Metrics()
        self._fsync_p99: float | None = None

    async def read(self, patience: float) -> Reading:
        """Status now, metrics every two seconds. EtcdError where the member does not answer."""
        status = await fetch_status(self._connection, patience)
        state = ""
        if not status.leader:
            state = await fetch_raft_state(self._connection, patience)
        if time.monotonic() - self._asked >= METRICS_EVERY:
            self._asked = time.monotonic()
            text = await fetch_metrics(self._connection, patience)
            self._metrics = parse(text, (FSYNC, f"{FSYNC}_count", KEYS, STARTED))
            fsyncs = self._metrics.histograms.get(FSYNC)
            if fsyncs is not None:
                self._fsync_p99 = self._quantile.update(self._asked, fsyncs)
        count, keys = self._metrics.whole(f"{FSYNC}_count"), self._metrics.whole(KEYS)
        started = self._metrics.values.get(STARTED)
        return Reading(status, state, self._fsync_p99, count, keys, started)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def to_status(name: str, pid: int | None, reading: Reading, names: dict[int, str]) -> NodeStatus:
    """A reading as an event, lag not yet known; ``names`` are of the members by their ids."""
    status = reading.status
    leader = names.get(status.leader, f"{status.leader:x}") if status.leader else None
    return NodeStatus(
        time.monotonic(),
        name,
        pid,
        NodeState.UP,
        role=reading.role,
        term=status.term,
        leader=leader,
        commit=status.commit,
        applied=status.applied,
        fdatasync_p99=reading.fsync_p99,
        fdatasyncs=reading.fsyncs,
        keys=reading.keys,
        db_size=status.db_size,
        error=safe_text("; ".join(status.errors), 200),
    )


class EtcdCollector(ClusterCollector):
    """Emits NodeStatus per member that kvtop's supervisor runs."""

    def __init__(self, interval: float = 0.5) -> None:
        super().__init__(interval)
        self._members: dict[tuple[str, int], EtcdMember] = {}
        self._names: dict[int, str] = {}

    async def ask(
        self, name: str, pid: int | None, host: str, port: int, patience: float
    ) -> NodeStatus:
        """As the member tells it, its PID excepted. Raises StatusError."""
        member = self._members.setdefault((host, port), EtcdMember(host, port))
        try:
            reading = await member.read(patience)
        except EtcdError as error:
            raise StatusError(str(error)) from None
        self._names[reading.status.member] = name
        return to_status(name, pid, reading, self._names)
