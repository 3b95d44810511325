"""The status port of a real node, and what becomes of bad requests and bad answers."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator

import pytest

from kvtop.workload.clerk import Clerk
from kvtop.workload.node import Node
from kvtop.workload.status import NodeReport, StatusError, fetch_status
from kvtop.workload.status_server import MAX_CONNECTIONS


async def _ask(node: Node, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", node.status.port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


async def test_reports_what_happened(node: Node, clerk: Clerk) -> None:
    before = await fetch_status("127.0.0.1", node.status.port)
    for number in range(5):
        await clerk.put(b"%d" % number, b"v")
    report = await fetch_status("127.0.0.1", node.status.port)
    assert report.role == "leader"
    assert report.name == report.leader == "node0"
    assert report.pid == os.getpid()
    assert report.keys == 5
    assert report.sessions == 1
    assert report.commit == report.applied == report.last_index == before.commit + 6
    assert report.fdatasyncs > before.fdatasyncs
    assert report.wal_bytes > before.wal_bytes
    assert report.fdatasync_p50 is not None
    assert report.fdatasync_max is not None
    assert 0 < report.fdatasync_p50 <= report.fdatasync_max
    assert report.voters == (0,)
    assert report.failure == ""


async def test_a_report_survives_json(node: Node) -> None:
    report = node.report()
    assert NodeReport.from_json(json.loads(json.dumps(report.to_json()))) == report


@pytest.mark.parametrize("data", [None, [], {}, {"name": "node0"}])
def test_what_is_no_report_is_refused(data: object) -> None:
    with pytest.raises(ValueError):
        NodeReport.from_json(data)


async def test_metrics_are_prometheus_text(node: Node) -> None:
    text = (await _ask(node, b"GET /metrics HTTP/1.1\r\n\r\n")).partition(b"\r\n\r\n")[2].decode()
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    assert samples['kvtop_is_leader{node="node0"}'] == "1"
    assert float(samples['kvtop_fdatasyncs_total{node="node0"}']) > 0
    assert 'kvtop_fdatasync_seconds{node="node0",quantile="0.99"}' in samples
    for name in {key.partition("{")[0] for key in samples}:
        assert f"# TYPE {name} " in text


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /nothing HTTP/1.0\r\n\r\n", b"404"),
        (b"POST /status HTTP/1.0\r\n\r\n", b"400"),
        (b"\xff\xfe\r\n\r\n", b"400"),
        (b"GET /status HTTP/1.0\r\n" + b"x" * 9000, b"400"),
    ],
)
async def test_bad_requests_are_refused(node: Node, request_bytes: bytes, status: bytes) -> None:
    assert status in (await _ask(node, request_bytes)).split(b"\r\n")[0]


async def test_idle_connections_do_not_pile_up(node: Node) -> None:
    writers = []
    for _ in range(MAX_CONNECTIONS + 5):
        _, writer = await asyncio.open_connection("127.0.0.1", node.status.port)
        writers.append(writer)
    await asyncio.sleep(0.05)
    assert len(node.status.connections) <= MAX_CONNECTIONS
    for writer in writers:
        writer.close()


@pytest.fixture
async def odd_server() -> AsyncIterator[tuple[asyncio.Server, list[bytes]]]:
    answers: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if not answers:
            await asyncio.sleep(60)
        writer.write(answers[0])
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server, answers
    server.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.0 500 Oh\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nnot json",
        b"HTTP/1.0 200 OK\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\n\r\n" + b"9" * (2 << 20),
    ],
)
async def test_odd_answers_are_a_status_error(
    odd_server: tuple[asyncio.Server, list[bytes]], answer: bytes
) -> None:
    server, answers = odd_server
    answers.append(answer)
    with pytest.raises(StatusError):
        await fetch_status("127.0.0.1", server.sockets[0].getsockname()[1], 5.0)


async def test_silence_is_a_status_error(
    odd_server: tuple[asyncio.Server, list[bytes]],
) -> None:
    with pytest.raises(StatusError, match=r"within 0\.1 s"):
        await fetch_status("127.0.0.1", odd_server[0].sockets[0].getsockname()[1], 0.1)
