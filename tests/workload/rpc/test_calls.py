"""Provider and channel over real loopback connections."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from kvtop.workload.rpc.channel import (
    CallFailed,
    Channel,
    ConnectionLost,
    DeadlineExceeded,
    NotConnected,
)
from kvtop.workload.rpc.envelope_pb2 import BAD_REQUEST, INTERNAL, UNKNOWN_METHOD
from kvtop.workload.rpc.frames import pack_frame
from kvtop.workload.rpc.kv_pb2 import Get
from kvtop.workload.rpc.provider import Call, Provider, parse


class _Service:
    """Methods that a test can steer."""

    def __init__(self) -> None:
        self.held: list[Call] = []
        self.one_way: list[bytes] = []
        self.provider = Provider(cap=1 << 20)
        self.provider.register("echo", lambda call: call.reply(call.body))
        self.provider.register("hold", self.held.append)
        self.provider.register("note", lambda call: self.one_way.append(call.body))
        self.provider.register("get", lambda call: call.reply(parse(Get, call.body).key))
        self.provider.register("broken", self._broken)

    def _broken(self, call: Call) -> None:
        raise RuntimeError("no such luck")


@pytest.fixture
async def service() -> AsyncIterator[_Service]:
    service = _Service()
    await service.provider.start("127.0.0.1", 0)
    yield service
    await service.provider.stop()


@pytest.fixture
async def channel(service: _Service) -> AsyncIterator[Channel]:
    channel = Channel("127.0.0.1", service.provider.port)
    assert await channel.wait_connected(5)
    yield channel
    await channel.close()


async def test_many_calls_share_a_connection(service: _Service, channel: Channel) -> None:
    bodies = [b"%d" % number for number in range(500)]
    assert await asyncio.gather(*(channel.call("echo", body, 5) for body in bodies)) == bodies
    assert len(service.provider.connections) == 1
    assert channel.in_flight == 0


async def test_replies_may_come_in_any_order(service: _Service, channel: Channel) -> None:
    first = channel.call("hold", b"1", 5)
    second = channel.call("hold", b"2", 5)
    await channel.call("echo", b"", 5)
    service.held[1].reply(b"two")
    assert await second == b"two"
    assert not first.done()
    service.held[0].reply(b"one")
    assert await first == b"one"


async def test_one_way_requests_are_not_answered(service: _Service, channel: Channel) -> None:
    assert channel.send("note", b"hello")
    assert channel.send("unknown", b"hello")
    assert await channel.call("echo", b"after", 5) == b"after"
    assert service.one_way == [b"hello"]


async def test_a_deadline_ends_a_call_and_travels_along(
    service: _Service, channel: Channel
) -> None:
    with pytest.raises(DeadlineExceeded):
        await channel.call("hold", b"", 0.05)
    assert service.held[0].timeout == 0.05
    service.held[0].reply(b"late")
    assert await channel.call("echo", b"still alive", 5) == b"still alive"


@pytest.mark.parametrize(
    ("method", "body", "failure"),
    [
        ("nothing", b"", UNKNOWN_METHOD),
        ("get", b"\xff\xff", BAD_REQUEST),
        ("broken", b"", INTERNAL),
    ],
)
async def test_failures_name_their_kind(
    channel: Channel, method: str, body: bytes, failure: int
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: None)
    with pytest.raises(CallFailed) as caught:
        await channel.call(method, body, 5)
    assert caught.value.failure == failure
    assert await channel.call("echo", b"on", 5) == b"on"


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\0\0\1" + bytes(20),
        pack_frame(1, b"\xff\xff\xff"),
        (2 << 20).to_bytes(4, "big") + bytes(8),
    ],
)
async def test_garbage_closes_its_own_connection_alone(
    service: _Service, channel: Channel, garbage: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.provider.port)
    writer.write(garbage)
    try:
        assert await reader.read() == b""
    except ConnectionResetError:
        pass
    writer.close()
    assert await channel.call("echo", b"unharmed", 5) == b"unharmed"


async def test_reconnects_after_a_loss(service: _Service, channel: Channel) -> None:
    port = service.provider.port
    held = channel.call("hold", b"", 5)
    await channel.call("echo", b"", 5)
    await service.provider.stop()
    with pytest.raises(ConnectionLost):
        await held
    with pytest.raises(NotConnected):
        await channel.call("echo", b"", 5)
    again = _Service()
    await again.provider.start("127.0.0.1", port)
    assert await channel.wait_connected(5)
    assert await channel.call("echo", b"back", 5) == b"back"
    await again.provider.stop()


async def test_waits_for_a_server_that_starts_later() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    channel = Channel("127.0.0.1", port)
    assert not await channel.wait_connected(0.05)
    service = _Service()
    await service.provider.start("127.0.0.1", port)
    assert await channel.wait_connected(5)
    await channel.close()
    await service.provider.stop()


def test_a_method_name_is_taken_once() -> None:
    provider = Provider()
    provider.register("echo", lambda call: None)
    with pytest.raises(ValueError, match="echo"):
        provider.register("echo", lambda call: None)
