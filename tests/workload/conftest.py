"""A real one-node cluster inside the test's process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kvtop.workload.clerk import Clerk, Cluster
from kvtop.workload.kvserver import Options
from kvtop.workload.node import Node
from kvtop.workload.peers import Address
from kvtop.workload.ports import free_ports

ANY = Address("127.0.0.1", 0)


async def start_node(directory: Path) -> Node:
    """A node that leads alone and serves."""
    own = Address("127.0.0.1", free_ports(1)[0])
    options = Options(id=0, peers={0: own}, voters=(0,), directory=directory, election_ticks=5)
    node = Node(options, own, 0, {0: ANY})
    await node.start()
    async with asyncio.timeout(20):
        while not node.server.serving:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return node


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    """A serving node."""
    node = await start_node(tmp_path)
    yield node
    await node.stop()


@pytest.fixture
async def cluster(node: Node) -> AsyncIterator[Cluster]:
    """Connections to it."""
    cluster = Cluster({0: Address("127.0.0.1", node.provider.port)})
    yield cluster
    await cluster.close()


@pytest.fixture
async def clerk(cluster: Cluster) -> Clerk:
    """A client of it."""
    return Clerk(cluster)
