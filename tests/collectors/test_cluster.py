"""Node status: from a real HTTP answer to events, lag, and silence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from kvtop.collectors import cluster
from kvtop.collectors.cluster import ClusterCollector
from kvtop.events import CollectorStatus, Health, NodeState, NodeStatus, Role
from kvtop.workload.status import NodeReport
from tests.collectors.helpers import collect


def report(name: str, role: str, commit: int, term: int = 3) -> NodeReport:
    return NodeReport(
        time=1.0,
        name=name,
        id=0,
        pid=4242,
        role=role,
        term=term,
        vote=None,
        leader="node0",
        commit=commit,
        applied=commit,
        last_index=commit + 1,
        first_index=1,
        peers=(),
        voters=(0, 1, 2),
        learners=(),
        keys=5,
        sessions=0,
        elections=1,
        leader_changes=1,
        fdatasyncs=9,
        fdatasync_p50=0.001,
        fdatasync_p99=0.002,
        fdatasync_max=0.003,
        wal_bytes=1,
        wal_segments=1,
        queued_writes=0,
        queued_reads=0,
        queued_syncs=0,
        client_connections=0,
        requests=0,
        snapshot_index=None,
        snapshot_size=None,
        snapshot_running=False,
        uptime=1.0,
        failure="",
    )


async def serve(answer: Callable[[], bytes | None]) -> tuple[asyncio.Server, int]:
    """A status port; ``None`` is a node that hangs."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = answer()
        if body is None:
            await asyncio.sleep(5)
        else:
            writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + body)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def test_figures_and_lag_behind_the_leader_of_the_highest_term() -> None:
    reports = [
        report("node0", "leader", 100, term=3),
        report("node1", "follower", 93),
        report("node2", "leader", 500, term=2),
    ]
    collector = ClusterCollector(interval=0.05)
    servers = []
    for item in reports:
        body = json.dumps(item.to_json()).encode()
        server, port = await serve(lambda body=body: body)  # type: ignore[misc]
        servers.append(server)
        collector.set_process(item.name, 4242, NodeState.UP, "127.0.0.1", port)
    events = await collect(collector, lambda es: len(es) >= 4)
    for server in servers:
        server.close()
    found = {e.name: e for e in events if isinstance(e, NodeStatus)}
    assert found["node0"].role is Role.LEADER and found["node0"].lag == 0
    assert found["node1"].role is Role.FOLLOWER and found["node1"].lag == 7
    assert found["node1"].fdatasync_p99 == 0.002 and found["node1"].keys == 5
    assert found["node2"].lag == 0
    status = next(e for e in events if isinstance(e, CollectorStatus))
    assert status.health is Health.OK


async def test_silence_is_no_figure_and_down_is_not_asked() -> None:
    asked = 0

    def hang() -> None:
        nonlocal asked
        asked += 1

    server, port = await serve(hang)
    collector = ClusterCollector(interval=0.05)
    collector.set_process("node0", 7, NodeState.UP, "127.0.0.1", port)
    events = await collect(collector, lambda es: any(isinstance(e, NodeStatus) for e in es))
    silent = next(e for e in events if isinstance(e, NodeStatus))
    assert silent.state is NodeState.UP and silent.role is Role.UNKNOWN
    assert silent.commit is silent.lag is silent.keys is None and "no answer" in silent.error
    assert asked == 1
    collector.set_process("node0", 7, NodeState.PAUSED, "127.0.0.1", port)
    events = await collect(collector, lambda es: any(isinstance(e, NodeStatus) for e in es))
    paused = next(e for e in events if isinstance(e, NodeStatus))
    assert (paused.state, paused.pid, paused.error) == (NodeState.PAUSED, 7, "")
    assert asked == 1
    server.close()


async def test_a_node_that_starts_is_up_once_it_answers() -> None:
    body = json.dumps(report("node0", "candidate", 0).to_json()).encode()
    collector = ClusterCollector(interval=0.05)
    collector.set_process("node0", 7, NodeState.STARTING, "127.0.0.1", 1)
    events = await collect(collector, lambda es: any(isinstance(e, NodeStatus) for e in es))
    assert next(e.state for e in events if isinstance(e, NodeStatus)) is NodeState.STARTING
    server, port = await serve(lambda: body)
    collector.set_process("node0", 7, NodeState.STARTING, "127.0.0.1", port)
    events = await collect(
        collector, lambda es: any(isinstance(e, NodeStatus) and e.commit == 0 for e in es)
    )
    server.close()
    newest = [e for e in events if isinstance(e, NodeStatus)][-1]
    assert newest.state is NodeState.UP and newest.role is Role.CANDIDATE


async def test_a_node_that_answered_once_does_not_start_again() -> None:
    body = json.dumps(report("node0", "follower", 0).to_json()).encode()
    answers = [body]
    server, port = await serve(lambda: answers.pop() if answers else None)
    collector = ClusterCollector(interval=0.05)
    collector.set_process("node0", 7, NodeState.STARTING, "127.0.0.1", port)
    events = await collect(
        collector, lambda es: any(isinstance(e, NodeStatus) and e.error for e in es)
    )
    server.close()
    states = [e.state for e in events if isinstance(e, NodeStatus)]
    assert states[0] is NodeState.UP and states[-1] is NodeState.UP
    assert any(isinstance(e, CollectorStatus) and e.health is Health.UNAVAILABLE for e in events)


async def test_a_node_that_never_answers_is_not_starting_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster, "_START", 0.2)
    collector = ClusterCollector(interval=0.05)
    collector.set_process("node0", 7, NodeState.STARTING, "127.0.0.1", 1)
    events = await collect(
        collector, lambda es: any(isinstance(e, NodeStatus) and e.error for e in es)
    )
    states = [e.state for e in events if isinstance(e, NodeStatus)]
    assert states[0] is NodeState.STARTING and states[-1] is NodeState.UP
