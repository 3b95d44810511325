"""One ssh with an agent at its other end: calls, answers, and the clock over there."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from kvtop.collectors.children import Child
from kvtop.collectors.fdio import big_pipe, readable
from kvtop.profile.text import safe_text
from kvtop.recording.codec import DecodeError, Decoder, number
from kvtop.remote.address import Address
from kvtop.remote.bundle import make_bundle
from kvtop.remote.clock import Clock
from kvtop.remote.messages import HELLO, Lines, Outbox
from kvtop.remote.ssh import explain_ssh, ssh_command

_log = logging.getLogger("kvtop.remote")
START_WITHIN = 30.0
SILENCE = 20.0
"""So long without an answer, and the connection is given up."""
_PING_EVERY = 2.0
_FIRST_PINGS = 5
_NOISE = 1 << 16
"""Bytes that a login shell may print before the agent speaks."""


class ConnectionFailed(Exception):
    """There is no connection, or no more: one sentence with the reason."""


class CallFailed(Exception):
    """What the agent was asked for cannot be done: one sentence. ``kind`` is usage or failed."""

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


class Connection:
    """``open`` it, make calls; ``lost`` completes with one sentence; always ``close``.

    ``take`` gets the messages that are no answers, in the order in which they were sent.
    """

    def __init__(
        self,
        address: Address,
        program: Sequence[str],
        sudo: bool,
        take: Callable[[list[Any]], None],
    ) -> None:
        self.clock = Clock()
        self.cpus = 1
        """Of the host, as its model ``cpu``."""
        self.cpu = ""
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._address = address
        self._program = program
        self._sudo = sudo
        self._take = take
        self._child: Child | None = None
        self._outbox: Outbox | None = None
        self._source = -1
        self._ends: list[int] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._hello = asyncio.Event()
        self._ponged = asyncio.Event()
        self.heard = time.monotonic()
        """When something came for the last time."""
        self._numbers = count(1)
        self._calls: dict[int, asyncio.Future[Any]] = {}

    async def open(self) -> None:
        """Connect, start the agent and compare the clocks; ConnectionFailed where that fails."""
        command, head = await asyncio.to_thread(make_bundle)
        args = ssh_command(self._program, self._address, command, self._sudo)
        stdin, sink = big_pipe()
        self._source, stdout = big_pipe()
        self._ends = [sink, self._source]
        try:
            self._child = await Child.spawn(args, stdin=stdin, stdout=stdout)
        except FileNotFoundError:
            raise ConnectionFailed(
                f"{safe_text(self._program[0], 80)} is not installed: install OpenSSH's client "
                "(openssh-client or openssh-clients)."
            ) from None
        except OSError as error:
            raise ConnectionFailed(
                f"{safe_text(self._program[0], 80)} cannot be run: {error.strerror}."
            ) from None
        finally:
            os.close(stdin)
            os.close(stdout)
        os.set_blocking(sink, False)
        self._outbox = Outbox(sink)
        self._outbox.put_bytes(head)
        self._tasks = [
            asyncio.create_task(self._guard(work))
            for work in (self._outbox.run, self._read, self._watch)
        ]
        await self._wait(self._hello)
        # Nothing may follow the bundle before: the first program's reader would take it.
        for _ in range(_FIRST_PINGS):
            self._ponged.clear()
            self._ping()
            await self._wait(self._ponged)
        self._tasks.append(asyncio.create_task(self._guard(self._keep_time)))

    async def call(self, method: str, *arguments: object) -> Any:
        """The agent's answer; CallFailed, ConnectionFailed."""
        if self._outbox is None or self.lost.done():
            raise ConnectionFailed(self.lost.result() if self.lost.done() else "not connected")
        answer = asyncio.get_running_loop().create_future()
        number = next(self._numbers)
        self._calls[number] = answer
        self._outbox.put(["call", number, method, *arguments])
        await asyncio.wait((answer, self.lost), return_when=asyncio.FIRST_COMPLETED)
        self._calls.pop(number, None)
        if not answer.done():
            raise ConnectionFailed(self.lost.result())
        return answer.result()

    async def close(self) -> None:
        """End ssh, and with it the agent; safe to call twice."""
        if not self.lost.done():
            self.lost.set_result("the connection was closed.")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        # The end of its input ends the agent, and that ends ssh.
        ends, self._ends = self._ends, []
        for fd in ends:
            os.close(fd)
        if self._child is not None:
            await self._child.stop()

    async def _wait(self, event: asyncio.Event) -> None:
        waiting = asyncio.create_task(event.wait())
        try:
            await asyncio.wait(
                (waiting, self.lost), timeout=START_WITHIN, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            waiting.cancel()
        if self.lost.done():
            raise ConnectionFailed(self.lost.result())
        if not event.is_set():
            raise ConnectionFailed(f"{self._address} did not answer within {START_WITHIN:g} s.")

    async def _guard(self, work: Callable[[], Any]) -> None:
        """Whatever ends one of the tasks ends the connection, with a sentence."""
        try:
            await work()
            reason = ""
        except DecodeError as error:
            reason = f"{self._address} sent what kvtop cannot read: {error}."
        except (BrokenPipeError, ConnectionResetError):
            reason = ""
        if not reason:
            assert self._child is not None
            try:
                code = await asyncio.wait_for(self._child.wait(), 2.0)
            except TimeoutError:
                code = None
            reason = explain_ssh(self._program, self._address, code, self._child.stderr)
        if not self.lost.done():
            self.lost.set_result(reason)

    async def _read(self) -> None:
        lines: Lines | None = None
        noise = b""
        while True:
            await readable(self._source)
            data = os.read(self._source, 1 << 20)
            if not data:
                return
            self.heard = time.monotonic()
            if lines is None:
                noise += data
                at = noise.find(f'\n["{HELLO}"'.encode())
                if at < 0:
                    if len(noise) > _NOISE:
                        raise DecodeError("its login shell prints too much")
                    continue
                lines, data = Lines(), noise[at + 1 :]
            for message in lines.feed(data):
                self._receive(message)

    def _receive(self, message: list[Any]) -> None:
        try:
            match message:
                case ["pong", asked, there]:
                    self.clock.measure(number(asked), number(there), time.monotonic())
                    self._ponged.set()
                case ["result", int() as call, value]:
                    self._settle(call, value)
                case ["error", int() as call, str() as kind, str() as sentence]:
                    self._settle(call, CallFailed(kind, safe_text(sentence, 400)))
                case ["hello", dict() as facts]:
                    decode = Decoder({}).value
                    self.cpus = decode(int, facts.get("cpus"))
                    self.cpu = decode(str, facts.get("cpu"))
                    self._hello.set()
                case _:
                    self._take(message)
        except (TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
            _log.warning("what came cannot be read", exc_info=True)
            raise DecodeError(safe_text(str(error), 120)) from error

    def _settle(self, call: int, value: Any) -> None:
        answer = self._calls.pop(call, None)
        if answer is None or answer.done():
            return
        if isinstance(value, Exception):
            answer.set_exception(value)
        else:
            answer.set_result(value)

    async def _watch(self) -> None:
        """End where ssh does, or where nothing comes any more."""
        assert self._child is not None
        ended = asyncio.create_task(self._child.wait())
        try:
            while not ended.done():
                await asyncio.wait((ended,), timeout=1.0)
                if self._hello.is_set() and time.monotonic() - self.heard > SILENCE:
                    if not self.lost.done():
                        self.lost.set_result(f"{self._address} has not answered for {SILENCE:g} s.")
                    return
        finally:
            ended.cancel()
        # What it said last is read before anybody hears that it ended.
        await asyncio.sleep(0.2)

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(_PING_EVERY)
            self._ping()

    def _ping(self) -> None:
        assert self._outbox is not None
        self._outbox.put(["ping", time.monotonic()])
