"""What a node says of itself: the typed report, and how to fetch it. Light to import.

The only module of the workload that collectors import. Times are seconds, sizes bytes; a figure
that does not exist yet is None.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

MAX_REPLY = 1 << 20


class StatusError(Exception):
    """The node gave no report; the text says why."""


@dataclass(frozen=True, slots=True)
class PeerProgress:
    """What the leader knows of one peer; ``state`` is probe, replicate or snapshot."""

    name: str
    id: int
    match: int
    next: int
    state: str
    inflight_messages: int
    inflight_bytes: int
    snapshot_offset: int | None


@dataclass(frozen=True, slots=True)
class NodeReport:
    """One node at one moment. Counts are since the process started.

    ``time`` is CLOCK_MONOTONIC; the fdatasync quantiles are of the last 5 to 10 seconds.
    ``failure`` is a sentence when the node does not serve any more, else "".
    """

    time: float
    name: str
    id: int
    pid: int
    role: str
    """leader, follower, candidate, pre-candidate or learner."""
    term: int
    vote: int | None
    leader: str | None
    commit: int
    applied: int
    last_index: int
    first_index: int
    peers: tuple[PeerProgress, ...]
    voters: tuple[int, ...]
    learners: tuple[int, ...]
    keys: int
    sessions: int
    elections: int
    """Times this node became a candidate."""
    leader_changes: int
    fdatasyncs: int
    fdatasync_p50: float | None
    fdatasync_p99: float | None
    fdatasync_max: float | None
    wal_bytes: int
    """Written to the log since the start."""
    wal_segments: int
    queued_writes: int
    """Proposals without an outcome."""
    queued_reads: int
    queued_syncs: int
    """Groups that wait for the disk."""
    client_connections: int
    requests: int
    snapshot_index: int | None
    snapshot_size: int | None
    snapshot_running: bool
    uptime: float
    failure: str
    fdatasync_buckets: tuple[tuple[int, int], ...] = ()
    """Of the quantiles' durations; bucket N counts those of 2**N to 2**(N+1) microseconds."""

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> NodeReport:
        """The inverse of ``to_json``; ValueError if a field is missing. Unknown ones are left."""
        if not isinstance(data, dict):
            raise ValueError("a node's report is a JSON object")
        try:
            values = {
                field.name: data[field.name]
                for field in fields(cls)
                if field.name in data or field.default is MISSING
            }
            values["fdatasync_buckets"] = tuple(
                (int(bucket), int(n)) for bucket, n in values.get("fdatasync_buckets", ())
            )
            values["peers"] = tuple(PeerProgress(**peer) for peer in values["peers"])
            values["voters"] = tuple(values["voters"])
            values["learners"] = tuple(values["learners"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"a node's report lacks {error}") from None
        return cls(**values)


async def fetch_status(host: str, port: int, timeout: float = 1.0) -> NodeReport:  # noqa: ASYNC109
    """Ask a node's status port. Raises StatusError, within ``timeout`` seconds."""
    try:
        async with asyncio.timeout(timeout):
            body = await _get(host, port, "/status")
        return NodeReport.from_json(json.loads(body))
    except TimeoutError:
        raise StatusError(f"no answer from {host}:{port} within {timeout:g} s") from None
    except (OSError, ValueError, asyncio.IncompleteReadError) as error:
        raise StatusError(f"no report from {host}:{port}: {error}") from None


async def _get(host: str, port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection(host, port, limit=MAX_REPLY)
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        status = head.split(b"\r\n", 1)[0]
        if b" 200 " not in status + b" ":
            raise ValueError(status.decode("ascii", "replace"))
        body = await reader.read(MAX_REPLY + 1)
        while not reader.at_eof() and len(body) <= MAX_REPLY:
            body += await reader.read(MAX_REPLY + 1 - len(body))
        if len(body) > MAX_REPLY:
            raise ValueError("the report is too long")
        return body
    finally:
        writer.close()
