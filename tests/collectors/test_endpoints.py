"""--endpoints: kinds found by asking, silence shown, local members found by who listens."""

from __future__ import annotations

import asyncio
import os
import shutil

import pytest

from kvtop.collectors.endpoints import EndpointsCollector, find_listeners
from kvtop.collectors.etcd import EtcdCollector
from kvtop.events import Event, NodeState, NodeStatus, Role, TargetsChanged
from kvtop.workload.ports import free_ports
from kvtop.workload.supervisor_protocol import Start, Stress
from tests.collectors.helpers import collect
from tests.workload.harness import SupervisedCluster

needs_etcd = pytest.mark.skipif(
    shutil.which("etcd") is None, reason="needs etcd (Debian: etcd-server)"
)


def last(events: list[Event]) -> dict[str, NodeStatus]:
    """The newest status by name."""
    return {event.name: event for event in events if isinstance(event, NodeStatus)}


async def test_a_listener_is_found_by_its_address() -> None:
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    (other,) = free_ports(1)
    addresses = {
        "here": ("localhost", port),
        "nobody": ("127.0.0.1", other),
        "elsewhere": ("192.0.2.1", port),
        "unknown": ("nosuch.invalid", port),
    }
    assert find_listeners(addresses) == {"here": os.getpid()}
    server.close()


async def test_what_does_not_answer_and_what_is_no_member_are_told_apart() -> None:
    server = await asyncio.start_server(lambda r, w: w.write(b"hello\n"), "127.0.0.1", 0)
    port, (closed,) = server.sockets[0].getsockname()[1], free_ports(1)
    collector = EndpointsCollector([("127.0.0.1", port), ("127.0.0.1", closed)], lambda t: None)
    events = await collect(collector, lambda events: len(last(events)) == 2)
    statuses = last(events)
    assert {status.state for status in statuses.values()} == {NodeState.SILENT}
    assert statuses[f"127.0.0.1:{closed}"].error == "Connection refused"
    assert "neither etcd" in statuses[f"127.0.0.1:{port}"].error
    assert all(status.commit is None and status.pid is None for status in statuses.values())
    server.close()


@pytest.mark.e2e
async def test_nodes_of_kvtop_are_found_and_profiled() -> None:
    async with SupervisedCluster(Start(no_stress=True)) as cluster:
        nodes = {cluster.started(f"node{n}").status_port: n for n in range(3)}
        collector = EndpointsCollector([("127.0.0.1", p) for p in nodes if p], lambda t: None)
        targets = await collector.settle()
        pids = {cluster.started(f"node{n}").pid for n in range(3)}
        assert {target.pid for target in targets} == pids
        assert collector.title == "3 endpoints: kvtop"


@pytest.mark.e2e
@needs_etcd
async def test_members_of_etcd_tell_their_figures() -> None:
    async with SupervisedCluster(Start(cluster="etcd", clients=2)) as cluster:
        await cluster.wait_for(Stress, lambda event: event.operations > 0)
        started = [cluster.started(f"node{n}") for n in range(3)]
        ports = {event.name: event.port or 0 for event in started}
        endpoints = EndpointsCollector([("127.0.0.1", p) for p in ports.values()], lambda t: None)
        (silent,) = free_ports(1)
        own = EtcdCollector()
        for event in started:
            own.set_process(event.name, event.pid, NodeState.UP, "127.0.0.1", event.port or 0)
        own.set_process("node3", None, NodeState.STARTING, "127.0.0.1", silent)

        def complete(events: list[Event]) -> bool:
            statuses = last(events)
            measured = [s for s in statuses.values() if s.fdatasync_p99 and s.keys and s.db_size]
            return len(measured) == 3 and all(s.lag is not None for s in measured)

        seen = last(await collect(own, complete))
        assert seen.pop("node3").state is NodeState.STARTING
        assert sorted(s.role for s in seen.values()).count(Role.LEADER) == 1
        leader = next(s.name for s in seen.values() if s.role is Role.LEADER)
        assert {s.leader for s in seen.values()} == {leader}
        assert all(s.commit and s.applied and s.fdatasyncs and s.term for s in seen.values())

        targets = await endpoints.settle()
        assert {target.pid for target in targets} == {event.pid for event in started}
        assert endpoints.title.startswith("3 endpoints: etcd 3.")

        def without_one(events: list[Event]) -> bool:
            found = [e for e in events if isinstance(e, TargetsChanged)]
            return bool(found) and len(found[-1].targets) == 3

        await collect(endpoints, without_one)
