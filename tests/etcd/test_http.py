"""The connection: kept open, chunked or not, and one clear sentence where it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvtop.etcd.api import EtcdError, EtcdRefused, MemberStatus, fetch_status, put
from kvtop.etcd.http import HttpConnection, HttpError, NoAnswer
from kvtop.workload.ports import free_ports

PATIENCE = 20.0
FIELDS = ("header", "member_id", "leader", "raftIndex", "version")
STATUS = (
    b'{"header":{"cluster_id":"1","member_id":"55","raft_term":"2"},"version":"3.4.23",'
    b'"dbSize":"7147520","leader":"55","raftIndex":"18920","raftTerm":"2",'
    b'"raftAppliedIndex":"18919","dbSizeInUse":"7147000"}'
)


class Server:
    """Answers every request with the same bytes; ``connections`` were made to it."""

    def __init__(self, answer: bytes, close: bool = False) -> None:
        self.answer = answer
        self.close = close
        self.connections = 0
        self.requests: list[bytes] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0])
                self.requests.append(head + await reader.readexactly(length))
                writer.write(self.answer)
                if self.close:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[HttpConnection]:
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    connection = HttpConnection("127.0.0.1", listener.sockets[0].getsockname()[1])
    try:
        yield connection
    finally:
        connection.close()
        listener.close()


def sized(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def chunked(body: bytes, size: int) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    text = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s0\r\n\r\n" % text


@given(st.binary(max_size=300), st.integers(1, 50), st.booleans())
@settings(max_examples=30, deadline=None)
def test_a_body_comes_whole_over_one_connection(body: bytes, size: int, whole: bool) -> None:
    async def run() -> None:
        server = Server(sized(body) if whole else chunked(body, size))
        async with serving(server) as connection:
            for _ in range(3):
                response = await connection.post("/x", b"{}", PATIENCE)
                assert (response.status, response.body) == (200, body)
        assert server.connections == 1

    asyncio.run(run())


async def test_a_connection_that_the_server_closed_is_made_again() -> None:
    server = Server(sized(b"x"), close=True)
    async with serving(server) as connection:
        for _ in range(3):
            assert (await connection.get("/", PATIENCE)).body == b"x"
    assert server.connections == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nno length",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd",
        b"x" * 100_000,
    ],
)
async def test_what_is_no_answer_is_told(answer: bytes) -> None:
    async with serving(Server(answer, close=True)) as connection:
        with pytest.raises(HttpError):
            await connection.get("/", PATIENCE)


async def test_who_does_not_answer_is_told_from_who_answers_nonsense() -> None:
    (port,) = free_ports(1)
    with pytest.raises(NoAnswer, match="Connection refused"):
        await HttpConnection("127.0.0.1", port).get("/", PATIENCE)
    async with serving(Server(b"")) as connection:
        with pytest.raises(NoAnswer, match=r"no answer .* within 0\.1 s"):
            await connection.get("/", 0.1)


async def test_a_status_is_read() -> None:
    async with serving(Server(sized(STATUS))) as connection:
        status = await fetch_status(connection, PATIENCE)
    assert status == MemberStatus(55, 55, 2, 18920, 18919, 7147520, 7147000, "3.4.23", False, ())


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (sized(b"[]"), EtcdError, "no status"),
        (sized(b"[" * 100_000), EtcdError, "no status"),
        (sized(b'{"header":{}}'), EtcdError, "no status"),
        (sized(b'{"error":"etcdserver: no leader","code":14}', b"503 x"), EtcdError, "no leader"),
        (sized(b'{"error":"request is too large"}', b"400 x"), EtcdRefused, "too large"),
        (sized(b"<html>", b"404 Not Found"), EtcdRefused, "HTTP status 404"),
    ],
)
async def test_a_refusal_has_the_words_of_the_member(
    answer: bytes, kind: type[EtcdError], text: str
) -> None:
    async with serving(Server(answer)) as connection:
        with pytest.raises(kind, match=text):
            await fetch_status(connection, PATIENCE)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(FIELDS), inner),
    )
)
def test_any_json_is_a_status_or_a_value_error(data: object) -> None:
    try:
        MemberStatus.from_json(data)
    except ValueError:
        pass


async def test_bytes_travel_as_base64() -> None:
    server = Server(sized(b"{}"))
    async with serving(server) as connection:
        await put(connection, b"k\0", b"\xff", PATIENCE)
    assert server.requests[0].endswith(b'{"key":"awA=","value":"/w=="}')
