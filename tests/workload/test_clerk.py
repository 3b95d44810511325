"""The clerk against a real node, and against nodes that misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from kvtop.workload.clerk import (
    Clerk,
    Cluster,
    DeadlinePassed,
    OutcomeUnknown,
    Refused,
    SessionExpired,
    SyncClerk,
    discover,
)
from kvtop.workload.node import Node
from kvtop.workload.peers import Address
from kvtop.workload.rpc import kv_pb2 as kv
from kvtop.workload.rpc.provider import Call, Provider
from kvtop.workload.statemachine import MAX_KEY, MAX_VALUE
from tests.workload.conftest import start_node


async def test_all_operations(clerk: Clerk) -> None:
    assert await clerk.get(b"a") is None
    await clerk.put(b"a", b"1")
    assert await clerk.get(b"a") == b"1"
    assert await clerk.append(b"a", b"23") == 3
    assert await clerk.compare_and_set(b"a", b"123", b"4") == (True, b"4")
    assert await clerk.compare_and_set(b"a", b"123", b"5") == (False, b"4")
    assert await clerk.compare_and_set(b"new", None, b"5") == (True, b"5")
    assert await clerk.compare_and_set(b"none", b"x", b"5") == (False, None)
    assert await clerk.increment(b"a", -6) == -2
    assert await clerk.delete(b"a")
    assert not await clerk.delete(b"a")
    await clerk.put(b"empty", b"")
    assert await clerk.get(b"empty") == b""


async def test_scan_in_order_and_over_the_limit_of_one_answer(
    clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kvtop.workload.service.MAX_SCAN", 7)
    expected = [(b"%03d" % number, b"v") for number in range(30)]
    for key, value in reversed(expected):
        await clerk.put(key, value)
    assert await clerk.scan() == expected
    assert await clerk.scan(b"005", b"020") == expected[5:20]
    assert await clerk.scan(b"005", limit=12) == expected[5:17]


async def test_oversized_keys_and_values_are_refused(clerk: Clerk) -> None:
    with pytest.raises(Refused, match="key"):
        await clerk.put(b"k" * (MAX_KEY + 1), b"")
    with pytest.raises(Refused, match="value"):
        await clerk.put(b"k", bytes(MAX_VALUE + MAX_KEY + 2000))
    await clerk.put(b"k", bytes(MAX_VALUE))


async def test_two_clerks_never_share_a_session(cluster: Cluster) -> None:
    assert len({Clerk(cluster).client for _ in range(100)}) == 100


async def test_discovers_the_cluster(node: Node) -> None:
    found = await discover(Address("127.0.0.1", node.provider.port))
    assert [member.id for member in found.members] == [0]
    assert found.cluster == node.server.options.cluster


async def test_data_survives_a_restart(tmp_path: Path) -> None:
    for number in range(3):
        node = await start_node(tmp_path)
        cluster = Cluster({0: Address("127.0.0.1", node.provider.port)})
        assert await Clerk(cluster).append(b"log", b".") == number + 1
        if number == 1:
            node.server.take_snapshot()
        await cluster.close()
        await node.stop()


async def test_a_failed_disk_stops_the_node_with_a_sentence(
    node: Node, clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> int:
        raise OSError(28, "No space left on device")

    await clerk.put(b"a", b"1")
    monkeypatch.setattr("os.pwrite", full)
    with pytest.raises((OutcomeUnknown, DeadlinePassed), match="No space left"):
        await Clerk(clerk._cluster, session=False).put(b"a", b"2")
    with pytest.raises(DeadlinePassed, match="No space left"):
        await Clerk(clerk._cluster, deadline=1.5).get(b"a")
    assert "No space left" in node.report().failure


def test_the_sync_face(tmp_path: Path) -> None:
    async def serve() -> None:
        node = await start_node(tmp_path)
        address = {0: Address("127.0.0.1", node.provider.port)}
        await asyncio.to_thread(_use_sync_clerk, address)
        await node.stop()

    asyncio.run(serve())


def _use_sync_clerk(addresses: dict[int, Address]) -> None:
    with SyncClerk(addresses) as clerk:
        clerk.put(b"a", b"1")
        assert clerk.append(b"a", b"2") == 2
        assert clerk.get(b"a") == b"12"
        assert clerk.increment(b"a") == 13
        assert clerk.compare_and_set(b"a", b"13", b"x") == (True, b"x")
        assert clerk.scan() == [(b"a", b"x")]
        assert clerk.delete(b"a")


class _FakeNode:
    """A node whose answers to writes and reads a test decides."""

    def __init__(self) -> None:
        self.seen: list[kv.Command] = []
        self.provider = Provider()
        self.on_write: Callable[[Call], None] = lambda call: self.answer(call, kv.OK)
        self.provider.register("write", self._write)
        self.provider.register("get", lambda call: self.on_write(call))

    def _write(self, call: Call) -> None:
        command = kv.Command.FromString(call.body)
        if command.operation == kv.OPEN_SESSION:
            self.answer(call, kv.OK)
            return
        self.seen.append(command)
        self.on_write(call)

    @staticmethod
    def answer(call: Call, status: kv.Status, **fields: object) -> None:
        call.reply(kv.Result(status=status, **fields).SerializeToString())  # type: ignore[arg-type]


@pytest.fixture
async def fakes() -> AsyncIterator[list[_FakeNode]]:
    fakes = [_FakeNode(), _FakeNode()]
    for fake in fakes:
        await fake.provider.start("127.0.0.1", 0)
    yield fakes
    for fake in fakes:
        await fake.provider.stop()


@pytest.fixture
async def pair(fakes: list[_FakeNode]) -> AsyncIterator[Cluster]:
    pair = Cluster({n: Address("127.0.0.1", f.provider.port) for n, f in enumerate(fakes)})
    yield pair
    await pair.close()


async def test_follows_the_hint_to_the_leader(fakes: list[_FakeNode], pair: Cluster) -> None:
    fakes[0].on_write = lambda call: _FakeNode.answer(call, kv.NOT_LEADER, leader=1)
    pair.leader = 0
    clerk = Clerk(pair)
    clerk._open = True
    await clerk.put(b"a", b"1")
    assert pair.leader == 1
    await clerk.put(b"a", b"2")
    assert len(fakes[0].seen) == 1
    assert len(fakes[1].seen) == 2


async def test_a_retry_repeats_its_number(fakes: list[_FakeNode], pair: Cluster) -> None:
    answers = [kv.UNKNOWN_OUTCOME, kv.OVERLOADED, kv.UNAVAILABLE, kv.OK]
    for fake in fakes:
        fake.on_write = lambda call: _FakeNode.answer(call, answers.pop(0))
    clerk = Clerk(pair)
    await clerk.put(b"a", b"1")
    await_all = [command.sequence for fake in fakes for command in fake.seen]
    assert await_all == [1, 1, 1, 1]
    for fake in fakes:
        fake.on_write = lambda call: _FakeNode.answer(call, kv.OK)
    await clerk.put(b"a", b"2")
    assert max(command.sequence for fake in fakes for command in fake.seen) == 2


async def test_without_a_session_an_unknown_outcome_is_told(
    fakes: list[_FakeNode], pair: Cluster
) -> None:
    for fake in fakes:
        fake.on_write = lambda call: _FakeNode.answer(call, kv.UNKNOWN_OUTCOME)
    with pytest.raises(OutcomeUnknown):
        await Clerk(pair, session=False).put(b"a", b"1")
    assert sum(len(fake.seen) for fake in fakes) == 1


async def test_an_expired_session_is_told_and_a_new_one_begun(
    fakes: list[_FakeNode], pair: Cluster
) -> None:
    for fake in fakes:
        fake.on_write = lambda call: _FakeNode.answer(call, kv.SESSION_EXPIRED)
    clerk = Clerk(pair)
    first = clerk.client
    with pytest.raises(SessionExpired):
        await clerk.put(b"a", b"1")
    for fake in fakes:
        fake.on_write = lambda call: _FakeNode.answer(call, kv.OK)
    await clerk.put(b"a", b"2")
    assert clerk.client != first


async def test_gives_up_at_the_deadline(fakes: list[_FakeNode], pair: Cluster) -> None:
    for fake in fakes:
        fake.on_write = lambda call: None
    with pytest.raises(DeadlinePassed, match=r"0\.2 s"):
        await Clerk(pair, deadline=0.2).get(b"a")


async def test_goes_on_when_the_leader_dies(fakes: list[_FakeNode], pair: Cluster) -> None:
    pair.leader = 0
    clerk = Clerk(pair)
    await clerk.put(b"a", b"1")
    await fakes[0].provider.stop()
    await clerk.put(b"a", b"2")
    assert fakes[1].seen
