"""The client of the store: finds the leader, retries with back-off, and writes exactly once.

A clerk is one session: its writes carry a number, and a retry repeats it, so that a write whose
answer was lost is not carried out twice. One clerk has one write under way at a time; for more,
use several clerks on one ``Cluster`` (its connections and its idea of the leader are shared).
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from google.protobuf.message import DecodeError

from kvtop.workload.peers import Address, addresses
from kvtop.workload.rpc.channel import CallFailed, Channel, NotConnected, RpcError
from kvtop.workload.rpc.kv_pb2 import (
    APPEND,
    COMPARE_AND_SET,
    DELETE,
    INCREMENT,
    INVALID,
    MISMATCH,
    NOT_LEADER,
    OPEN_SESSION,
    OVERLOADED,
    PUT,
    SESSION_EXPIRED,
    UNAVAILABLE,
    UNKNOWN_OUTCOME,
    Change,
    Command,
    Get,
    Members,
    Result,
    Scan,
)

ATTEMPT = 1.0
"""Seconds to wait for one node's answer before asking another."""
_BACKOFF = (0.01, 0.3)

T = TypeVar("T")


class ClerkError(Exception):
    """An operation that brought no result."""


class DeadlinePassed(ClerkError):
    """No node answered in time. A write may have been carried out, or may yet be."""


class OutcomeUnknown(ClerkError):
    """A write without a session lost its answer: it may have been carried out."""


class SessionExpired(ClerkError):
    """The cluster has forgotten this session: the last write may have been carried out.

    The clerk begins a new session with its next write.
    """


class Refused(ClerkError):
    """The operation is not possible; the text says why."""


class Cluster:
    """Connections to the nodes, and which of them leads as far as is known."""

    def __init__(self, book: Mapping[int, Address]) -> None:
        """Call it in the loop that will use it."""
        self.nodes = tuple(sorted(book))
        self.leader: int | None = None
        self._channels = {
            node: Channel(address.host, address.port) for node, address in book.items()
        }
        self._turn = random.randrange(len(self.nodes))

    def channel(self, node: int) -> Channel:
        """The connection to a node, begun if it was not."""
        channel = self._channels[node]
        channel.start()
        return channel

    def choose(self) -> int:
        """The leader if known, else the nodes in turn."""
        if self.leader is not None:
            return self.leader
        self._turn = (self._turn + 1) % len(self.nodes)
        return self.nodes[self._turn]

    def distrust(self, node: int) -> None:
        """``node`` did not answer as a leader."""
        if self.leader == node:
            self.leader = None

    def believe(self, node: int, hint: int | None) -> None:
        """``node`` says that it does not lead, and perhaps who does."""
        if hint is not None and hint in self._channels and hint != node:
            self.leader = hint
        else:
            self.distrust(node)

    async def ask_about(self, stranger: int, node: int) -> None:
        """Learn where ``stranger`` listens, which joined since, from ``node`` that named it."""
        body = await self.channel(node).call("members", b"", ATTEMPT)
        address = addresses(Members.FromString(body)).get(stranger)
        if address is not None and stranger not in self._channels:
            self._channels[stranger] = Channel(address.host, address.port)
            self.nodes = tuple(sorted(self._channels))

    async def close(self) -> None:
        """Drop all connections."""
        for channel in self._channels.values():
            await channel.close()


async def discover(target: Address, deadline: float = 5.0) -> Members:
    """Where all nodes listen, and their cluster's id, asked of one. Raises DeadlinePassed."""
    channel = Channel(target.host, target.port)
    try:
        if not await channel.wait_connected(deadline):
            raise DeadlinePassed(f"{target} does not accept connections")
        return Members.FromString(await channel.call("members", b"", deadline))
    except (RpcError, DecodeError) as error:
        raise DeadlinePassed(f"{target} does not say who its cluster is: {error}") from None
    finally:
        await channel.close()


class Clerk:
    """One client. ``deadline`` is the most seconds that an operation may take, retries included.

    With ``session`` False nothing is retried once it may have been carried out.
    """

    def __init__(self, cluster: Cluster, *, deadline: float = 10.0, session: bool = True) -> None:
        self._cluster = cluster
        self._deadline = deadline
        self.client = 0
        self._sequence = 0
        self._open = True
        if session:
            self._begin_session()
        self._writing = asyncio.Lock()
        self._loop = asyncio.get_running_loop()

    def _begin_session(self) -> None:
        """A new one, which the next write opens."""
        self.client = int.from_bytes(os.urandom(8), "big") | 1
        self._sequence = 0
        self._open = False

    async def get(self, key: bytes) -> bytes | None:
        """The present value, or None."""
        result = await self._ask("get", Get(key=key).SerializeToString(), True)
        return result.value if result.present else None

    async def scan(
        self, start: bytes = b"", end: bytes | None = None, limit: int = 0
    ) -> list[tuple[bytes, bytes]]:
        """Pairs with ``start`` <= key < ``end`` in order; ``limit`` 0 means all of them.

        Up to 10,000 pairs come from one moment; a longer range is several reads.
        """
        pairs: list[tuple[bytes, bytes]] = []
        while True:
            left = limit - len(pairs) if limit else 0
            request = Scan(start=start, end=end, limit=left)
            result = await self._ask("scan", request.SerializeToString(), True)
            pairs += [(pair.key, pair.value) for pair in result.pairs]
            if not result.more or (limit and len(pairs) >= limit):
                return pairs
            start = pairs[-1][0] + b"\0"

    async def put(self, key: bytes, value: bytes) -> None:
        """Set a value."""
        await self._write(Command(operation=PUT, key=key, value=value))

    async def append(self, key: bytes, value: bytes) -> int:
        """Add to the end of a value (absent: empty); its new length."""
        return (await self._write(Command(operation=APPEND, key=key, value=value))).number

    async def delete(self, key: bytes) -> bool:
        """Remove a key; False if there was none."""
        return (await self._write(Command(operation=DELETE, key=key))).number > 0

    async def increment(self, key: bytes, delta: int = 1) -> int:
        """Add to a decimal integer (absent: 0); its new value."""
        return (await self._write(Command(operation=INCREMENT, key=key, delta=delta))).number

    async def compare_and_set(
        self, key: bytes, expected: bytes | None, value: bytes
    ) -> tuple[bool, bytes | None]:
        """Set ``value`` if the present one is ``expected`` (None: no such key).

        (True, ``value``) if it was set, else (False, the present value).
        """
        command = Command(operation=COMPARE_AND_SET, key=key, value=value, expected=expected)
        result = await self._write(command)
        if result.status != MISMATCH:
            return True, value
        return False, result.value if result.present else None

    async def change(self, kind: Change.Kind, node: int = 0) -> None:
        """Ask the leader for a change of members or of the leadership. Raises Refused."""
        request = Change(kind=kind, node=node)
        await self._ask("change", request.SerializeToString(), False)

    async def _write(self, command: Command) -> Result:
        async with self._writing:
            if not self._open:
                opening = Command(operation=OPEN_SESSION, client=self.client)
                await self._ask("write", opening.SerializeToString(), True)
                self._open = True
            if self.client:
                self._sequence += 1
                command.client = self.client
                command.sequence = self._sequence
            return await self._ask("write", command.SerializeToString(), bool(self.client))

    async def _ask(self, method: str, body: bytes, repeatable: bool) -> Result:
        """Ask until there is a result. ``repeatable``: asking twice does no harm."""
        cluster = self._cluster
        end = self._loop.time() + self._deadline
        delay = _BACKOFF[0]
        problem = "no node is connected"
        while (left := end - self._loop.time()) > 0:
            node = cluster.choose()
            channel = cluster.channel(node)
            try:
                if not channel.connected and not await channel.wait_connected(min(left, 0.1)):
                    raise NotConnected(f"node {node} does not accept connections")
                result = Result.FromString(await channel.call(method, body, min(ATTEMPT, left)))
                if result.HasField("leader") and result.leader not in cluster.nodes:
                    await cluster.ask_about(result.leader, node)
            except NotConnected as error:
                problem = str(error)
                cluster.distrust(node)
            except CallFailed as error:
                raise Refused(str(error)) from None
            except (RpcError, DecodeError) as error:
                cluster.distrust(node)
                if not repeatable:
                    raise OutcomeUnknown(str(error)) from None
                problem = str(error)
            else:
                status = result.status
                if status <= MISMATCH:
                    cluster.leader = node
                    return result
                problem = self._understand(result, node, repeatable)
                if status == NOT_LEADER and cluster.leader is not None:
                    delay = _BACKOFF[0]
                    continue
            await asyncio.sleep(min(delay * random.uniform(0.5, 1.0), max(left, 0)))
            delay = min(delay * 2, _BACKOFF[1])
        raise DeadlinePassed(f"no result within {self._deadline:g} s: {problem}")

    def _understand(self, result: Result, node: int, repeatable: bool) -> str:
        """What a result without a value means for the next attempt; raises if there is none."""
        status = result.status
        if status == NOT_LEADER:
            hint = result.leader if result.HasField("leader") else None
            self._cluster.believe(node, hint)
            return f"node {node} does not lead"
        if status == OVERLOADED:
            return f"node {node} is overloaded"
        if status == SESSION_EXPIRED:
            self._begin_session()
            raise SessionExpired("the session is unknown to the cluster")
        if status == INVALID:
            raise Refused(result.message)
        self._cluster.distrust(node)
        if status == UNKNOWN_OUTCOME and not repeatable:
            raise OutcomeUnknown(result.message)
        if status in (UNAVAILABLE, UNKNOWN_OUTCOME):
            return f"node {node}: {result.message}"
        raise Refused(f"node {node} answered with unknown status {status}")


class SyncClerk:
    """A clerk for code without a loop: it runs one in a thread of its own."""

    def __init__(self, book: Mapping[int, Address], *, deadline: float = 10.0) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="clerk", daemon=True)
        self._thread.start()
        self._clerk, self._cluster = self._run(self._build(book, deadline))

    def __enter__(self) -> SyncClerk:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def get(self, key: bytes) -> bytes | None:
        """As ``Clerk.get``."""
        return self._run(self._clerk.get(key))

    def scan(
        self, start: bytes = b"", end: bytes | None = None, limit: int = 0
    ) -> list[tuple[bytes, bytes]]:
        """As ``Clerk.scan``."""
        return self._run(self._clerk.scan(start, end, limit))

    def put(self, key: bytes, value: bytes) -> None:
        """As ``Clerk.put``."""
        self._run(self._clerk.put(key, value))

    def append(self, key: bytes, value: bytes) -> int:
        """As ``Clerk.append``."""
        return self._run(self._clerk.append(key, value))

    def delete(self, key: bytes) -> bool:
        """As ``Clerk.delete``."""
        return self._run(self._clerk.delete(key))

    def increment(self, key: bytes, delta: int = 1) -> int:
        """As ``Clerk.increment``."""
        return self._run(self._clerk.increment(key, delta))

    def compare_and_set(
        self, key: bytes, expected: bytes | None, value: bytes
    ) -> tuple[bool, bytes | None]:
        """As ``Clerk.compare_and_set``."""
        return self._run(self._clerk.compare_and_set(key, expected, value))

    def close(self) -> None:
        """Drop the connections and end the thread."""
        if self._thread.is_alive():
            self._run(self._cluster.close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    @staticmethod
    async def _build(book: Mapping[int, Address], deadline: float) -> tuple[Clerk, Cluster]:
        cluster = Cluster(book)
        return Clerk(cluster, deadline=deadline), cluster

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
