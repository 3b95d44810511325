"""The loopback HTTP port of a node: GET /status (JSON) and GET /metrics (Prometheus text)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import cast

from kvtop.workload.listener import Listener
from kvtop.workload.report import prometheus_text
from kvtop.workload.status import NodeReport

MAX_HEAD = 8192
MAX_CONNECTIONS = 64
IDLE = 5.0
"""Seconds a client may take to send its request."""


class _Request(asyncio.Protocol):
    def __init__(self, server: StatusServer) -> None:
        self._server = server
        self._head = b""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)
        if len(self._server.connections) >= MAX_CONNECTIONS:
            transport.abort()
            return
        self._server.connections.add(transport)
        self._timer = asyncio.get_running_loop().call_later(IDLE, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._server.connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._head += data
        if b"\r\n\r\n" not in self._head and len(self._head) <= MAX_HEAD:
            return
        assert self._transport is not None
        self._transport.write(self._server.answer(self._head))
        self._transport.close()


class StatusServer(Listener):
    """Answers one request a connection."""

    def __init__(self, report: Callable[[], NodeReport]) -> None:
        super().__init__(lambda: _Request(self))
        self._report = report

    def answer(self, head: bytes) -> bytes:
        """The whole response to a request's head."""
        words = head.split(b"\r\n", 1)[0].split(b" ")
        if len(head) > MAX_HEAD or len(words) != 3 or words[0] != b"GET":
            return _response("400 Bad Request", "text/plain", "bad request\n")
        path = words[1].split(b"?", 1)[0]
        if path == b"/status":
            text = json.dumps(self._report().to_json()) + "\n"
            return _response("200 OK", "application/json", text)
        if path == b"/metrics":
            text = prometheus_text(self._report())
            return _response("200 OK", "text/plain; version=0.0.4", text)
        return _response("404 Not Found", "text/plain", "try /status or /metrics\n")


def _response(status: str, kind: str, text: str) -> bytes:
    body = text.encode()
    head = f"HTTP/1.0 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
