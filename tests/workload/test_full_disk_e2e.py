"""A node whose file system is really full: a small tmpfs under its data directory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from kvtop.workload.clerk import Clerk, Cluster, OutcomeUnknown, Refused
from kvtop.workload.rpc.kv_pb2 import Change
from kvtop.workload.supervisor_protocol import Error, Exited, Kill, Log, Restart, Start, Started
from tests.workload.harness import PATIENCE, SupervisedCluster

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a tmpfs takes root"),
]
SMALL, LARGE = "40m", "200m"
"""Of the file system: two segments of the log, without the room for a third; and then enough."""


@contextmanager
def _small_file_system(path: Path) -> Iterator[None]:
    path.mkdir(parents=True)
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "kvtop-test", str(path)]
    done = subprocess.run(mounting, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def _make_space(path: Path) -> None:
    subprocess.run(["mount", "-o", f"remount,size={LARGE}", str(path)], check=True)


class _Filler:
    """Writes large values under ever new keys, and knows which were acknowledged."""

    def __init__(self, connections: Cluster) -> None:
        self._connections = connections
        self.acknowledged: dict[bytes, bytes] = {}

    async def run(self, name: int) -> None:
        """Write until cancelled."""
        clerk = Clerk(self._connections, deadline=PATIENCE)
        number = 0
        while True:
            key, value = b"%d-%d" % (name, number), b"%d." % number * 20_000
            await clerk.put(key, value)
            self.acknowledged[key] = value
            number += 1


@asynccontextmanager
async def _filled_by(connections: Cluster) -> AsyncIterator[_Filler]:
    filler = _Filler(connections)
    tasks = [asyncio.create_task(filler.run(name)) for name in range(4)]
    yield filler
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results), results


@pytest.mark.parametrize("role", ["leader", "follower"])
async def test_a_full_disk_stops_its_node_alone(tmp_path: Path, role: str) -> None:
    start = Start(no_stress=True, dir=str(tmp_path))
    with _small_file_system(tmp_path / "node1"):
        async with SupervisedCluster(start) as cluster:
            connections = cluster.connect()
            await _lead(cluster, connections, 1 if role == "leader" else 0)
            async with _filled_by(connections) as filler:
                failed = await cluster.wait_for(Error, lambda e: e.message.startswith("node1"))
                before = len(filler.acknowledged)
                async with asyncio.timeout(PATIENCE):  # the other two go on
                    while len(filler.acknowledged) < before + 50:  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
            assert "No space left on device" in failed.message
            assert "\n" not in failed.message
            assert (await cluster.report("node1")).failure in failed.message
            said = [log.text for log in cluster.all(Log) if log.level == "error"]
            assert said == [f"node1 serves no more: {failed.message.removeprefix('node1: ')}"]

            since = len(cluster.events)
            cluster.send(Restart("node1"))  # without space: it may not pretend to work
            await cluster.wait_for(Started, since=since)
            await Clerk(connections).put(b"more", b"x" * 200_000)
            again = await cluster.wait_for(Error, lambda e: "node1" in e.message, since)
            assert "No space left on device" in again.message

            _make_space(tmp_path / "node1")
            since = len(cluster.events)
            cluster.send(Restart("node1"))
            await cluster.wait_for(Started, since=since)
            commit = max([(await cluster.report(name)).commit for name in ("node0", "node2")])
            await cluster.wait_report("node1", lambda r: r.applied >= commit and not r.failure)

            cluster.send(Kill("node2"))  # now node1 is needed for every answer
            await cluster.wait_for(Exited, lambda e: e.name == "node2", since)
            reader = Clerk(connections, deadline=PATIENCE)
            for key, value in filler.acknowledged.items():
                assert await reader.get(key) == value
            await reader.put(b"after", b"all")
            assert not any("Traceback" in log.text for log in cluster.all(Log))
            await connections.close()


async def _lead(cluster: SupervisedCluster, connections: Cluster, node: int) -> None:
    """Until this node leads."""
    async with asyncio.timeout(PATIENCE):
        while (await cluster.report(f"node{node}")).role != "leader":
            with contextlib.suppress(OutcomeUnknown, Refused):
                await Clerk(connections).change(Change.TRANSFER, node)
            await asyncio.sleep(0.3)
