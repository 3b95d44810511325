"""A replica's state as the typed report, and as Prometheus text."""

from __future__ import annotations

import os
import time

from kvtop.workload.kvserver import KvServer
from kvtop.workload.raft.types import Role
from kvtop.workload.rpc.provider import Provider
from kvtop.workload.status import NodeReport, PeerProgress


def node_name(node: int) -> str:
    """The name of a node id, as everywhere on the screen and in logs."""
    return f"node{node}"


def build_report(server: KvServer, provider: Provider, started: float) -> NodeReport:
    """The report of this moment."""
    raft, options, persister = server.raft, server.options, server.persister
    times = server.disk.times.merged()
    snapshot = persister.snapshot
    config = raft.configuration
    learner = options.id in config.learners and raft.role is Role.FOLLOWER
    return NodeReport(
        time=time.monotonic(),
        name=node_name(options.id),
        id=options.id,
        pid=os.getpid(),
        role="learner" if learner else raft.role.value,
        term=raft.term,
        vote=raft.vote,
        leader=None if raft.leader is None else node_name(raft.leader),
        commit=raft.commit_index,
        applied=raft.applied_index,
        last_index=raft.last_index,
        first_index=raft.log.snapshot_index + 1,
        peers=_peer_progress(server),
        voters=tuple(sorted(config.voters)),
        learners=tuple(sorted(config.learners)),
        keys=len(server.machine.map),
        sessions=server.machine.sessions,
        elections=server.elections,
        leader_changes=server.leader_changes,
        fdatasyncs=server.disk.syncs,
        fdatasync_p50=times.quantile(0.5),
        fdatasync_p99=times.quantile(0.99),
        fdatasync_max=times.maximum if times.count else None,
        wal_bytes=server.disk.bytes_written,
        wal_segments=persister.segment_count,
        queued_writes=len(server.writes),
        queued_reads=server.reads.count,
        queued_syncs=persister.waiting,
        client_connections=len(provider.connections),
        requests=server.requests,
        snapshot_index=snapshot.meta.index if snapshot else None,
        snapshot_size=snapshot.size if snapshot else None,
        snapshot_running=server.disk.saving_snapshot,
        uptime=time.monotonic() - started,
        fdatasync_buckets=tuple(sorted(times.by_powers().items())),
        failure=server.failure,
    )


def _peer_progress(server: KvServer) -> tuple[PeerProgress, ...]:
    return tuple(
        PeerProgress(
            name=node_name(node),
            id=node,
            match=progress.match,
            next=progress.next,
            state=progress.state.value,
            inflight_messages=progress.inflight,
            inflight_bytes=progress.inflight_bytes,
            snapshot_offset=progress.transfer.offset if progress.transfer else None,
        )
        for node, progress in sorted(server.raft.peers.items())
    )


_GAUGES = (
    ("term", "Current term."),
    ("commit", "Highest committed index."),
    ("applied", "Highest applied index."),
    ("last_index", "Last index of the log."),
    ("keys", "Keys in the state machine."),
    ("sessions", "Open client sessions."),
    ("wal_segments", "Segments of the write-ahead log."),
    ("queued_writes", "Proposals without an outcome."),
    ("queued_reads", "Reads without an answer."),
    ("queued_syncs", "Groups that wait for the disk."),
    ("client_connections", "Open connections of clients and peers."),
)
_COUNTERS = (
    ("elections", "Times this node became a candidate."),
    ("leader_changes", "Leader changes this node saw."),
    ("fdatasyncs", "Calls of fdatasync on the log."),
    ("wal_bytes", "Bytes written to the log."),
    ("requests", "Reads and writes asked of this node."),
)


def prometheus_text(report: NodeReport) -> str:
    """The report in the Prometheus text format 0.0.4."""
    label = f'{{node="{report.name}"}}'
    lines = []
    for kind, table, suffix in (("gauge", _GAUGES, ""), ("counter", _COUNTERS, "_total")):
        for name, help_text in table:
            metric = f"kvtop_{name}{suffix}"
            lines.append(f"# HELP {metric} {help_text}")
            lines.append(f"# TYPE {metric} {kind}")
            lines.append(f"{metric}{label} {getattr(report, name)}")
    lines += [
        "# HELP kvtop_is_leader Whether this node leads.",
        "# TYPE kvtop_is_leader gauge",
        f"kvtop_is_leader{label} {int(report.role == 'leader')}",
        "# HELP kvtop_fdatasync_seconds Duration of fdatasync over the last seconds.",
        "# TYPE kvtop_fdatasync_seconds summary",
    ]
    for quantile, value in (("0.5", report.fdatasync_p50), ("0.99", report.fdatasync_p99)):
        shown = "NaN" if value is None else f"{value:.9f}"
        lines.append(
            f'kvtop_fdatasync_seconds{{node="{report.name}",quantile="{quantile}"}} {shown}'
        )
    return "\n".join(lines) + "\n"
