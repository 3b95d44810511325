"""The serving side: a registry of methods, and a connection per caller.

A handler is called in the loop, must not block, and answers through ``Call.reply`` now or later,
so that a batch of writes is answered without a task for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from kvtop.workload.listener import Listener
from kvtop.workload.rpc.envelope_pb2 import (
    BAD_REQUEST,
    INTERNAL,
    UNKNOWN_METHOD,
    Failure,
    Reply,
    Request,
)
from kvtop.workload.rpc.frames import MAX_FRAME, FrameConnection

MAX_UNSENT = 64 << 20
"""A caller that sends requests but does not read this many bytes of replies is cut off."""

M = TypeVar("M", bound=Message)


class BadRequest(ValueError):
    """The body of a request is not what the method takes; the text goes back to the caller."""


def parse(kind: type[M], body: bytes) -> M:
    """A message of ``kind``; BadRequest if the bytes are none."""
    try:
        return kind.FromString(body)
    except DecodeError:
        raise BadRequest(f"not a {kind.DESCRIPTOR.name}") from None


class Call:
    """One request: its body, and where the reply goes.

    ``timeout`` is the seconds that the caller still waits, as of its arrival; 0 for ever.
    """

    __slots__ = ("_connection", "_id", "body", "timeout")

    def __init__(
        self, connection: FrameConnection, request_id: int, body: bytes, timeout: float
    ) -> None:
        self._connection = connection
        self._id = request_id
        self.body = body
        self.timeout = timeout

    def reply(self, body: bytes) -> None:
        """Answer; nothing happens for a one-way request or where the caller has gone."""
        if self._id:
            pack = _packed_reply if len(body) <= _SHORT else _pack_reply
            self._connection.send_frame(self._id, pack(body))

    def fail(self, failure: Failure, message: str) -> None:
        """Answer that the call failed."""
        if self._id:
            reply = Reply(failure=failure, message=message)
            self._connection.send_frame(self._id, reply.SerializeToString())


def _pack_reply(body: bytes) -> bytes:
    return Reply(body=body).SerializeToString()


# Most answers to writes are the same few bytes.
_SHORT = 16
_packed_reply = lru_cache(maxsize=256)(_pack_reply)

Handler = Callable[[Call], None]


class _ServingConnection(FrameConnection):
    def __init__(self, provider: Provider) -> None:
        super().__init__(provider.cap)
        self._provider = provider

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._provider.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._provider.connections.discard(self)

    def frame_received(self, request_id: int, payload: bytes) -> None:
        try:
            request = Request.FromString(payload)
        except DecodeError:
            raise ValueError("a frame that is no request") from None
        if self.unsent > MAX_UNSENT:
            raise ValueError("the caller does not read its replies")
        call = Call(self, request_id, request.body, request.timeout_ms / 1000)
        self._provider.dispatch(request.method, call)


class Provider(Listener):
    """Methods by name, served on one TCP port."""

    def __init__(self, cap: int = MAX_FRAME) -> None:
        super().__init__(lambda: _ServingConnection(self))
        self.cap = cap
        self._methods: dict[str, Handler] = {}

    def register(self, method: str, handler: Handler) -> None:
        """Serve a method; ValueError if the name is taken."""
        if method in self._methods:
            raise ValueError(f"method {method} is registered already")
        self._methods[method] = handler

    def dispatch(self, method: str, call: Call) -> None:
        """Hand a request to its handler; failures of the handler answer this call alone."""
        handler = self._methods.get(method)
        if handler is None:
            call.fail(UNKNOWN_METHOD, f"no method {method[:100]!r}")
            return
        try:
            handler(call)
        except BadRequest as error:
            call.fail(BAD_REQUEST, str(error))
        except Exception as error:
            call.fail(INTERNAL, f"{type(error).__name__}: {error}")
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"the handler of {method} failed", "exception": error}
            )
