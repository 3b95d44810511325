"""Nodes that join a running cluster, get its state, vote, and take the place of old ones."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from kvtop.workload.clerk import Clerk, Cluster, OutcomeUnknown, Refused
from kvtop.workload.identity import Identity, read_identity, remember
from kvtop.workload.peers import Address
from kvtop.workload.ports import free_ports
from kvtop.workload.rpc.kv_pb2 import Change
from kvtop.workload.status import NodeReport, StatusError, fetch_status
from tests.workload.harness import PATIENCE

CLUSTER = 77
KEYS = 600


class _Nodes:
    """Node processes, each with the command line of its own first start."""

    def __init__(self, directory: Path) -> None:
        ports = free_ports(8)
        self._directory = directory
        self.addresses = {node: Address("127.0.0.1", ports[node]) for node in range(4)}
        self._status_ports = ports[4:]
        self._commands: dict[int, list[str]] = {}
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, node: int, book: range, *extra: str) -> None:
        """Start it with an address book of these nodes."""
        self._commands[node] = [
            *(sys.executable, "-m", "kvtop.workload.node", "--id", str(node)),
            *("--peers", ",".join(f"{n}={self.addresses[n]}" for n in book)),
            *("--dir", str(self._directory / f"node{node}"), "--cluster", str(CLUSTER)),
            *("--status-port", str(self._status_ports[node])),
            *("--snapshot-entries", "100", "--parent", str(os.getpid()), *extra),
        ]
        self.again(node)

    def again(self, node: int, *without: str) -> None:
        """Start it as the first time."""
        command = [word for word in self._commands[node] if word not in without]
        with (self._directory / f"node{node}.log").open("ab") as log:
            self._processes[node] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                process_group=0,
            )

    def kill(self, node: int) -> None:
        """SIGKILL."""
        process = self._processes.pop(node)
        process.kill()
        process.wait()

    def kill_all(self) -> None:
        """At the end."""
        for node in list(self._processes):
            self.kill(node)

    def log_text(self, node: int) -> str:
        """What it said."""
        return (self._directory / f"node{node}.log").read_text()

    async def wait(self, node: int, accept: Callable[[NodeReport], bool]) -> NodeReport:
        """Its status, once it is accepted."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    report = await fetch_status("127.0.0.1", self._status_ports[node])
                    if accept(report):
                        return report
                except StatusError:
                    pass
                await asyncio.sleep(0.05)


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[_Nodes]:
    """Three of four run and hold ``KEYS`` keys, most of them in a snapshot alone."""
    nodes = _Nodes(tmp_path)
    try:
        for node in range(3):
            nodes.start(node, range(3))
        cluster = Cluster({n: nodes.addresses[n] for n in range(3)})
        clerks = [Clerk(cluster, deadline=PATIENCE) for _ in range(20)]

        async def fill(share: int) -> None:
            for number in range(share, KEYS, 20):
                await clerks[share].put(b"key%d" % number, b"%d" % number)

        await asyncio.gather(*map(fill, range(20)))
        await cluster.close()
        for node in range(3):
            await nodes.wait(node, lambda r: r.first_index > 100)
        yield nodes
    finally:
        nodes.kill_all()


async def _until(
    clerk: Clerk, kind: Change.Kind, node: int, done: Callable[[], Awaitable[bool]]
) -> None:
    """Ask until it is so: an answer may be lost, and one change has to wait for another."""
    async with asyncio.timeout(PATIENCE):
        while not await done():
            with contextlib.suppress(OutcomeUnknown, Refused):
                await clerk.change(kind, node)
            await asyncio.sleep(0.1)


@pytest.mark.e2e
async def test_a_node_joins_by_snapshot_votes_and_replaces_another(nodes: _Nodes) -> None:
    connections = Cluster({n: nodes.addresses[n] for n in range(3)})
    clerk = Clerk(connections, deadline=PATIENCE)
    with pytest.raises(Refused, match="node 3 is not known here"):
        await clerk.change(Change.ADD_LEARNER, 3)

    nodes.start(3, range(4), "--join")
    before = await nodes.wait(3, lambda r: r.role == "follower" and not r.voters)
    assert before.applied == 0
    assert before.elections == 0  # it waits to be asked
    await _until(clerk, Change.ADD_LEARNER, 3, lambda: _sees(nodes, learners=(3,)))
    learner = await nodes.wait(3, lambda r: r.role == "learner" and r.keys == KEYS)
    assert learner.snapshot_index is not None
    assert learner.first_index > 1  # the log from its beginning was gone: it got a snapshot

    await _until(clerk, Change.ADD_VOTER, 3, lambda: _sees(nodes, voters=(0, 1, 2, 3)))
    await _until(clerk, Change.REMOVE, 0, lambda: _sees(nodes, voters=(1, 2, 3)))
    nodes.kill(0)
    await _until(clerk, Change.TRANSFER, 3, lambda: _leads(nodes, 3))

    # Without node 1 nothing is committed but with node 3, whose address node 2 was never given.
    nodes.kill(1)
    for node in (2, 3):
        nodes.kill(node)
        nodes.again(node, "--join")
    only_old = Cluster({2: nodes.addresses[2]})
    late = Clerk(only_old, deadline=PATIENCE)
    await late.put(b"late", b"1")
    assert await late.get(b"key7") == b"7"
    report = await nodes.wait(3, lambda r: r.voters == (1, 2, 3) and r.keys == KEYS + 1)
    assert report.learners == ()
    assert "Traceback" not in "".join(nodes.log_text(node) for node in range(4))
    await only_old.close()
    await connections.close()


async def _sees(
    nodes: _Nodes, voters: tuple[int, ...] | None = None, learners: tuple[int, ...] | None = None
) -> bool:
    """Whether node 2, which stays, knows these members."""
    report = await nodes.wait(2, lambda r: True)
    return (voters is None or report.voters == voters) and (
        learners is None or report.learners == learners
    )


async def _leads(nodes: _Nodes, node: int) -> bool:
    return (await nodes.wait(node, lambda r: True)).role == "leader"


def test_a_directory_remembers_whose_it_is(tmp_path: Path) -> None:
    first = Identity(1, CLUSTER, (0, 1, 2))
    assert read_identity(tmp_path / "new") is None
    assert remember(tmp_path / "new", first) == first
    # The next command line may name more nodes: the voters before the first entry stay.
    assert remember(tmp_path / "new", Identity(1, 5, (0, 1, 2, 3, 4))) == first
    with pytest.raises(ValueError, match="data of node 1, not 2"):
        remember(tmp_path / "new", Identity(2, CLUSTER, (0, 1, 2)))
    (tmp_path / "new" / "identity.json").write_text("{")
    with pytest.raises(ValueError, match="join again"):
        read_identity(tmp_path / "new")
