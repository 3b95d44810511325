"""Connections to the other nodes: Raft messages leave one-way and may be lost, as Raft allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kvtop.workload.raft.types import Message
from kvtop.workload.raft_messages import MessageCodec
from kvtop.workload.rpc.channel import Channel

RAFT_METHOD = "raft"
MAX_UNSENT = 32 << 20
"""Bytes that may wait for a slow peer; what comes on top is dropped."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a node listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Peers:
    """One channel per other node."""

    def __init__(self, own: int, book: Mapping[int, Address], codec: MessageCodec) -> None:
        self._codec = codec
        self._channels = {
            node: Channel(address.host, address.port, backoff=(0.01, 0.2))
            for node, address in book.items()
            if node != own
        }

    def start(self) -> None:
        """Begin to connect."""
        for channel in self._channels.values():
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
