"""A door that speaks RESP 2, so that redis-cli, redis-benchmark and redis-py drive the cluster.

A connection's commands take effect in the order they were sent: pipelined reads run together and
pipelined writes run together, but never a read beside a write. Writes are as durable as a clerk's.
They carry no session: a client that retries after a lost answer may write twice.
"""

from __future__ import annotations

import asyncio
import hmac
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import cast

import hiredis

from kvtop.workload.listener import Listener

MAX_REQUEST = 16 << 20
"""Bytes of a request that is not whole yet."""
MAX_QUEUED = 4096
"""Commands that may wait on one connection before it is no longer read."""
MAX_CONNECTIONS = 1024

OK = b"+OK\r\n"
NIL = b"$-1\r\n"
Reply = Callable[[bytes], None]
"""Takes an encoded reply; called once for each command."""


class Kind(Enum):
    """What a command does to the data: commands of one kind may overlap."""

    LOCAL = "local"
    READ = "read"
    WRITE = "write"


class CommandError(Exception):
    """The command is refused; the text starts with the error's code."""


Handler = Callable[[list[bytes], Reply], None]


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A command: its kind, its arguments (at most ``high``, None for any number), its handler."""

    kind: Kind
    low: int
    high: int | None
    run: Handler


def bulk(value: bytes | None) -> bytes:
    """A bulk string, or the null."""
    return NIL if value is None else b"$%d\r\n%b\r\n" % (len(value), value)


def integer(value: int) -> bytes:
    """An integer."""
    return b":%d\r\n" % value


def array(items: list[bytes]) -> bytes:
    """An array of encoded items."""
    return b"*%d\r\n%b" % (len(items), b"".join(items))


def error(text: str) -> bytes:
    """An error; line ends in the text would end it early, so they go."""
    clean = text.replace("\r", " ").replace("\n", " ")
    return b"-%b\r\n" % clean.encode()


class _Connection(asyncio.Protocol):
    def __init__(self, door: RespDoor) -> None:
        self._door = door
        self._transport: asyncio.Transport | None = None
        self._parser = hiredis.Reader()
        self._unparsed = 0
        self._line = b""
        self._queue: deque[list[bytes]] = deque()
        # Replies in the order of the commands: None until there is one.
        self._replies: deque[list[bytes | None]] = deque()
        self._kind = Kind.LOCAL
        self._running = 0
        self._paused = False
        self._closing = False
        self._flushing = False
        self._authenticated = not door.password

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if len(self._door.connections) >= MAX_CONNECTIONS:
            self._transport.write(error("ERR max number of clients reached"))
            self._transport.close()
            self._transport = None
            return
        self._door.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._queue.clear()
        self._door.connections.discard(self)

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        try:
            self._parse(data)
        except (hiredis.ProtocolError, ValueError) as problem:
            self._run_queued()
            self._fail(f"ERR Protocol error: {problem}")
        else:
            self._run_queued()

    def _parse(self, data: bytes) -> None:
        if self._line or (not self._parser.has_data() and data[:1] not in (b"*", b"")):
            data = self._parse_inline(self._line + data)
        self._unparsed += len(data)
        self._parser.feed(data)
        while (request := self._parser.gets()) is not False:
            self._unparsed = 0
            if not isinstance(request, list) or not all(isinstance(w, bytes) for w in request):
                raise ValueError("expected an array of bulk strings")
            if request:
                self._queue.append(request)
        if self._unparsed > MAX_REQUEST:
            raise ValueError("the request is too long")

    def _parse_inline(self, data: bytes) -> bytes:
        """Commands as words on a line; what follows them as arrays is returned."""
        while data and data[:1] != b"*":
            line, end, rest = data.partition(b"\n")
            if not end:
                if len(data) > 65536:
                    raise ValueError("too big inline request")
                self._line = data
                return b""
            if words := line.split():
                self._queue.append(words)
            data = rest
        self._line = b""
        return data

    def _run_queued(self) -> None:
        queue = self._queue
        while queue and not self._closing:
            words = queue[0]
            spec = self._door.commands.get(words[0].upper())
            kind = spec.kind if spec is not None else Kind.LOCAL
            if kind is not Kind.LOCAL:
                if self._running and kind is not self._kind:
                    break
                self._kind = kind
            queue.popleft()
            self._run(words, spec)
        self._throttle()

    def _run(self, words: list[bytes], spec: CommandSpec | None) -> None:
        slot: list[bytes | None] = [None]
        self._replies.append(slot)
        counted = spec is not None and spec.kind is not Kind.LOCAL
        self._running += counted

        def reply(encoded: bytes) -> None:
            slot[0] = encoded
            self._running -= counted
            self._schedule_flush()

        try:
            self._check(words, spec)
            assert spec is not None
            spec.run(words[1:], reply)
        except CommandError as problem:
            reply(error(str(problem)))
        if words[0].upper() == b"QUIT":
            self._closing = True

    def _check(self, words: list[bytes], spec: CommandSpec | None) -> None:
        name = words[0].upper()
        if name in (b"AUTH", b"HELLO"):
            self._authenticate(name, words[1:])
        if not self._authenticated and name != b"QUIT":
            raise CommandError("NOAUTH Authentication required.")
        if spec is None:
            shown = words[0][:64].decode("ascii", "replace")
            raise CommandError(f"ERR unknown command '{shown}'")
        count = len(words) - 1
        if count < spec.low or (spec.high is not None and count > spec.high):
            shown = name.decode("ascii", "replace").lower()
            raise CommandError(f"ERR wrong number of arguments for '{shown}' command")

    def _authenticate(self, name: bytes, words: list[bytes]) -> None:
        if name == b"HELLO":
            upper = [word.upper() for word in words]
            if b"AUTH" not in upper:
                return
            words = words[upper.index(b"AUTH") + 1 :][:2]
        if not self._door.password:
            raise CommandError("ERR AUTH called without any password configured")
        if not words or not hmac.compare_digest(words[-1], self._door.password):
            raise CommandError("WRONGPASS invalid username-password pair or user is disabled.")
        self._authenticated = True

    def _schedule_flush(self) -> None:
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush_replies)

    def _flush_replies(self) -> None:
        """Send the replies that are next in order, then go on with what had to wait."""
        self._flushing = False
        ready = []
        replies = self._replies
        while replies and (encoded := replies[0][0]) is not None:
            replies.popleft()
            ready.append(encoded)
        if ready and self._transport is not None:
            self._transport.write(b"".join(ready))
        if self._closing and not replies:
            self.close()
        elif self._queue:
            self._run_queued()
        else:
            self._throttle()

    def _throttle(self) -> None:
        """Stop reading from a client that sends faster than the cluster works."""
        if self._transport is None or self._transport.is_closing():
            return
        full = len(self._queue) + len(self._replies) > MAX_QUEUED
        if full and not self._paused:
            self._transport.pause_reading()
        elif self._paused and not full:
            self._transport.resume_reading()
        self._paused = full

    def _fail(self, text: str) -> None:
        """Answer what came before, then this error, then close."""
        self._replies.append([error(text)])
        self._closing = True
        self._schedule_flush()


class RespDoor(Listener):
    """Serves RESP on one TCP port."""

    def __init__(self, commands: dict[bytes, CommandSpec], password: bytes = b"") -> None:
        """``commands`` by name in capitals; an empty ``password`` asks for none."""
        super().__init__(lambda: _Connection(self))
        self.commands = commands
        self.password = password
