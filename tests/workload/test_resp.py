"""The RESP door of a real node: redis-py as it is, and raw bytes."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator

import pytest
import redis.asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kvtop.workload.node import Node
from kvtop.workload.resp_commands import hash_slot


@pytest.fixture
async def client(node: Node) -> AsyncIterator[redis.asyncio.Redis]:
    client = redis.asyncio.Redis(host="127.0.0.1", port=node.door.port, protocol=2)
    yield client
    await client.aclose()


async def test_strings(client: redis.asyncio.Redis) -> None:
    assert await client.ping()
    assert await client.get("a") is None
    assert await client.set("a", "1")
    assert await client.get("a") == b"1"
    assert await client.incr("a") == 2
    assert await client.decrby("a", 5) == -3
    assert await client.append("a", "xyz") == 5
    assert await client.strlen("a") == 5
    assert await client.exists("a", "b", "a") == 2
    assert await client.mset({"b": "2", "c": b"\r\n\x00"})
    assert await client.mget("b", "c", "d") == [b"2", b"\r\n\x00", None]
    assert await client.delete("a", "b", "nothing") == 2
    assert await client.dbsize() == 1
    assert await client.type("c") == b"string"
    assert await client.echo("hi") == b"hi"


async def test_keys_and_scan(client: redis.asyncio.Redis) -> None:
    await client.mset({f"key{number:03}": "v" for number in range(57)} | {"other": "v"})
    assert await client.keys("oth*") == [b"other"]
    found = [key async for key in client.scan_iter("key*", count=10)]
    assert sorted(found) == [b"key%03d" % number for number in range(57)]
    with pytest.raises(redis.ResponseError, match="cursor"):
        await client.scan(cursor=987654)


async def test_what_is_not_supported_is_refused_clearly(client: redis.asyncio.Redis) -> None:
    for options in ({"nx": True}, {"xx": True}, {"ex": 10}):
        with pytest.raises(redis.ResponseError, match="not supported"):
            await client.set("a", "1", **options)
    assert await client.get("a") is None
    with pytest.raises(redis.ResponseError, match="unknown command"):
        await client.lpush("a", "1")
    with pytest.raises(redis.ResponseError, match="wrong number"):
        await client.execute_command("GET")  # type: ignore[no-untyped-call]
    await client.set("text", "x")
    with pytest.raises(redis.ResponseError, match="not an integer"):
        await client.incr("text")
    with pytest.raises(redis.ResponseError, match="out of range"):
        await client.select(3)


async def test_information(client: redis.asyncio.Redis) -> None:
    info = await client.info()
    assert info["raft_role"] == "leader"
    assert info["role"] == "master"
    assert info["raft_term"] >= 1
    assert await client.config_get("append*") == {"appendonly": "yes", "appendfsync": "always"}
    assert await client.config_get("save") == {"save": ""}
    assert await client.config_get("maxmemory") == {}


async def test_the_state_of_the_cluster_as_redis_tells_it(node: Node) -> None:
    answer = await _exchange(node, b"CLUSTER INFO\r\nCOMMAND COUNT\r\nCOMMAND\r\nQUIT\r\n", b"")
    assert b"cluster_state:ok" in answer
    assert answer.endswith(b":28\r\n*0\r\n+OK\r\n")


async def test_a_pipeline_answers_in_order(client: redis.asyncio.Redis) -> None:
    pipe = client.pipeline(transaction=False)
    expected: list[object] = []
    for number in range(300):
        pipe.get("n")
        expected.append(b"%d" % (number - 1) if number else None)
        pipe.set("n", number)
        expected.append(True)
        if number % 3 == 0:
            pipe.echo(str(number))
            expected.append(b"%d" % number)
    assert await pipe.execute() == expected


async def test_a_password_is_asked_for(node: Node) -> None:
    node.door.password = b"secret"
    refused = await _exchange(node, b"GET a\r\nAUTH wrong\r\nSET a 1\r\nQUIT\r\n", b"")
    assert refused.split(b"\r\n")[:3] == [
        b"-NOAUTH Authentication required.",
        b"-WRONGPASS invalid username-password pair or user is disabled.",
        b"-NOAUTH Authentication required.",
    ]
    async with redis.asyncio.Redis(
        host="127.0.0.1", port=node.door.port, protocol=2, password="secret"
    ) as client:
        assert await client.get("a") is None
        assert await client.set("a", "1")


async def _exchange(node: Node, data: bytes, end: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", node.door.port)
    writer.write(data)
    try:
        return await asyncio.wait_for(reader.readuntil(end) if end else reader.read(), 10)
    finally:
        writer.close()


async def test_inline_commands(node: Node) -> None:
    assert await _exchange(node, b"PING\r\n\r\nSET a 1\r\nGET a\r\n", b"1\r\n1\r\n") == (
        b"+PONG\r\n+OK\r\n$1\r\n1\r\n"
    )


async def test_garbage_ends_its_connection_alone(node: Node, client: redis.asyncio.Redis) -> None:
    await client.set("a", "1")
    for garbage in (b"*1\r\n:5\r\n", b"*x\r\n", b"*1\r\n$-5\r\n", b"*2\r\n$3\r\nGET\r\n*0\r\n"):
        answer = await _exchange(node, b"*1\r\n$4\r\nPING\r\n" + garbage, b"")
        assert answer.startswith(b"+PONG\r\n-ERR Protocol error"), garbage
    assert await client.get("a") == b"1"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.binary(max_size=40), max_size=4))
async def test_any_bytes_leave_the_node_unharmed(node: Node, pieces: list[bytes]) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", node.door.port)
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(0)
    writer.close()
    assert (await _exchange(node, b"*1\r\n$4\r\nPING\r\n", b"\r\n")) == b"+PONG\r\n"


async def test_the_last_command_is_answered_before_quit(node: Node) -> None:
    answer = await _exchange(node, b"SET a 1\r\nQUIT\r\nGET a\r\n", b"")
    assert answer == b"+OK\r\n+OK\r\n"


def test_slots_are_those_of_redis_cluster() -> None:
    # Values of CLUSTER KEYSLOT, from the Redis Cluster specification and redis-cli.
    assert hash_slot(b"123456789") == 12739
    assert hash_slot(b"foo") == 12182
    assert hash_slot(b"{user1000}.following") == hash_slot(b"user1000")
    assert hash_slot(b"foo{}{bar}") != hash_slot(b"bar")


@pytest.mark.e2e
@pytest.mark.skipif(not shutil.which("redis-benchmark"), reason="redis-tools are not installed")
async def test_redis_cli_and_redis_benchmark_work_as_they_are(node: Node) -> None:
    port = str(node.door.port)
    cli = await asyncio.create_subprocess_exec(
        *("redis-cli", "-p", port, "SET", "k", "v"), stdout=asyncio.subprocess.PIPE
    )
    assert (await cli.communicate())[0] == b"OK\n"
    benchmark = await asyncio.create_subprocess_exec(
        *("redis-benchmark", "-p", port, "-n", "500", "-P", "4", "--csv"),
        *("-t", "ping,set,get,incr,mset"),
        stdout=asyncio.subprocess.PIPE,
    )
    lines = (await benchmark.communicate())[0].decode().splitlines()
    assert benchmark.returncode == 0
    assert {line.split('"')[1] for line in lines[1:]} == {
        *("PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"),
    }
