"""Connections to the other nodes: Raft messages leave one-way and may be lost, as Raft allows.

A node tells its own address first on every connection, so that the nodes of a running cluster
come to know one that joins. What the command line says of a node's address stays, though: the
way to it may lead through a relay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kvtop.workload.raft.types import Message
from kvtop.workload.raft_messages import MessageCodec
from kvtop.workload.rpc.channel import Channel
from kvtop.workload.rpc.kv_pb2 import Members

RAFT_METHOD, ANNOUNCE = "raft", "announce"
MAX_UNSENT = 32 << 20
"""Bytes that may wait for a slow peer; what comes on top is dropped."""
MAX_NODES = 1000
"""Addresses that are kept."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a node listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Peers:
    """One channel per other node."""

    def __init__(
        self, own: int, book: Mapping[int, Address], cluster: int, codec: MessageCodec
    ) -> None:
        """``book`` is what the command line says, the node itself included."""
        self.book = dict(book)
        self._cluster = cluster
        self._codec = codec
        introduction = members(cluster, {own: book[own]}).SerializeToString()
        self._greeting = ANNOUNCE, introduction
        self._channels = {node: self._channel(book[node]) for node in book if node != own}
        self._started = False

    def start(self) -> None:
        """Begin to connect."""
        self._started = True
        for channel in self._channels.values():
            channel.start()

    def members(self) -> Members:
        """The nodes whose addresses are known."""
        return members(self._cluster, self.book)

    def learn(self, said: Members) -> None:
        """What a node said of its own address. ValueError if it is of another cluster."""
        if said.cluster != self._cluster:
            raise ValueError("a node of another cluster")
        for node, address in addresses(said).items():
            if node not in self.book and len(self.book) < MAX_NODES:
                self.book[node] = address
                self._channels[node] = channel = self._channel(address)
                if self._started:
                    channel.start()

    def send(self, message: Message) -> bool:
        """False if the message was dropped: the peer is not connected or too slow."""
        channel = self._channels.get(message.receiver)
        if channel is None or not channel.connected or channel.unsent > MAX_UNSENT:
            return False
        return channel.send(RAFT_METHOD, self._codec.encode(message))

    async def close(self) -> None:
        """Drop all connections."""
        for channel in self._channels.values():
            await channel.close()

    def _channel(self, address: Address) -> Channel:
        return Channel(address.host, address.port, backoff=(0.01, 0.2), greeting=self._greeting)


def members(cluster: int, book: Mapping[int, Address]) -> Members:
    """An address book as a message."""
    result = Members(cluster=cluster)
    for node, address in sorted(book.items()):
        result.members.add(id=node, host=address.host, port=address.port)
    return result


def addresses(said: Members) -> dict[int, Address]:
    """The inverse of ``members``."""
    return {member.id: Address(member.host, member.port) for member in said.members}
