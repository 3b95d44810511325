"""The calling side: one connection to one address, kept up with back-off, many calls in flight."""

from __future__ import annotations

import asyncio
import random

from google.protobuf.message import DecodeError

from kvtop.workload.rpc.envelope_pb2 import NONE, Failure, Reply, Request
from kvtop.workload.rpc.frames import MAX_FRAME, FrameConnection

_SWEEP = 0.02
"""Seconds between two looks for calls past their deadline: one timer for all of them."""


class RpcError(Exception):
    """A call that brought no result."""


class NotConnected(RpcError):
    """There is no connection; the request was not sent."""


class ConnectionLost(RpcError):
    """The connection broke after the request was sent: it may have been carried out."""


class DeadlineExceeded(RpcError):
    """No reply in time: the request may have been carried out."""


class CallFailed(RpcError):
    """The other side answered with a failure."""

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure = failure


class _CallingConnection(FrameConnection):
    def __init__(self, channel: Channel) -> None:
        super().__init__(channel.cap)
        self._channel = channel

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._channel.lost(self)

    def frame_received(self, request_id: int, payload: bytes) -> None:
        self._channel.reply_received(request_id, payload)


class Channel:
    """Calls to ``host:port``. Connects by itself, and again after a loss, until closed."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        cap: int = MAX_FRAME,
        backoff: tuple[float, float] = (0.02, 0.5),
        greeting: tuple[str, bytes] | None = None,
    ) -> None:
        """``backoff``: seconds to wait before the second attempt, and the most ever waited.

        ``greeting``: method and body of a one-way request that opens every connection.
        """
        self.host, self.port, self.cap = host, port, cap
        self._backoff = backoff
        self._greeting = greeting
        self._connection: _CallingConnection | None = None
        self._pending: dict[int, tuple[asyncio.Future[bytes], float]] = {}
        self._next_id = 1
        self._keeper: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self._connected = asyncio.Event()
        self._sweeping: asyncio.TimerHandle | None = None
        self._closed = False
        self._loop = asyncio.get_running_loop()

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._connection is not None

    @property
    def in_flight(self) -> int:
        """Calls without an answer."""
        return len(self._pending)

    @property
    def unsent(self) -> int:
        """Bytes queued that the operating system has not taken yet."""
        return 0 if self._connection is None else self._connection.unsent

    def start(self) -> None:
        """Begin to connect in the background."""
        if self._keeper is None and not self._closed:
            self._keeper = asyncio.create_task(self._keep_connected())

    async def wait_connected(self, within: float) -> bool:
        """Whether a connection is up ``within`` so many seconds."""
        self.start()
        if self._connection is not None:
            return True
        try:
            await asyncio.wait_for(self._connected.wait(), within)
        except TimeoutError:
            return False
        return True

    def send(self, method: str, body: bytes) -> bool:
        """One-way request; False if there is no connection, and the request is dropped."""
        if self._connection is None:
            return False
        self._connection.send_frame(0, Request(method=method, body=body).SerializeToString())
        return True

    def call(self, method: str, body: bytes, timeout: float) -> asyncio.Future[bytes]:
        """The reply's body, or an RpcError. Cancelling the future forgets the call."""
        future: asyncio.Future[bytes] = self._loop.create_future()
        if self._connection is None:
            future.set_exception(NotConnected(f"no connection to {self.host}:{self.port}"))
            return future
        request_id = self._next_id
        self._next_id += 1
        request = Request(method=method, body=body, timeout_ms=max(1, int(timeout * 1000)))
        self._connection.send_frame(request_id, request.SerializeToString())
        self._pending[request_id] = (future, self._loop.time() + timeout)
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(_SWEEP, self._sweep_deadlines)
        return future

    async def close(self) -> None:
        """Drop the connection; calls in flight fail with ConnectionLost."""
        self._closed = True
        if self._keeper is not None:
            self._keeper.cancel()
        if self._connection is not None:
            self._connection.close()
            self.lost(self._connection)
        if self._sweeping is not None:
            self._sweeping.cancel()

    def lost(self, connection: _CallingConnection) -> None:
        """The connection ended: fail its calls, wake the keeper."""
        if self._connection is not connection:
            return
        self._connection = None
        self._connected.clear()
        self._lost.set()
        pending, self._pending = self._pending, {}
        reason = f": {connection.error}" if connection.error else ""
        for future, _ in pending.values():
            if not future.done():
                text = f"connection to {self.host}:{self.port} lost{reason}"
                future.set_exception(ConnectionLost(text))

    def reply_received(self, request_id: int, payload: bytes) -> None:
        """Hand a reply to its call; late replies of forgotten calls are dropped."""
        try:
            reply = Reply.FromString(payload)
        except DecodeError:
            raise ValueError("a frame that is no reply") from None
        entry = self._pending.pop(request_id, None)
        if entry is None or entry[0].done():
            return
        if reply.failure == NONE:
            entry[0].set_result(reply.body)
        else:
            entry[0].set_exception(CallFailed(reply.failure, reply.message))

    def _sweep_deadlines(self) -> None:
        self._sweeping = None
        now = self._loop.time()
        late = [key for key, (_, deadline) in self._pending.items() if deadline <= now]
        for key in late:
            future, _ = self._pending.pop(key)
            if not future.done():
                future.set_exception(DeadlineExceeded(f"no reply from {self.host}:{self.port}"))
        if self._pending:
            self._sweeping = self._loop.call_later(_SWEEP, self._sweep_deadlines)

    async def _keep_connected(self) -> None:
        first, most = self._backoff
        delay = first
        while not self._closed:
            try:
                _, connection = await asyncio.wait_for(
                    self._loop.create_connection(
                        lambda: _CallingConnection(self), self.host, self.port
                    ),
                    timeout=2.0,
                )
            except (OSError, TimeoutError):
                # Jitter keeps the callers of a node that comes back from arriving together.
                await asyncio.sleep(delay * random.uniform(0.5, 1.0))
                delay = min(most, delay * 2)
                continue
            delay = first
            self._lost.clear()
            self._connection = connection
            self._connected.set()
            if self._greeting is not None:
                self.send(*self._greeting)
            await self._lost.wait()
