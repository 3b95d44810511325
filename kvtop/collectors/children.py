"""Child processes that never outlive kvtop: own session, killed with their parent, reaped.

Callers give pipes as file descriptors of their own; stderr is drained and its end kept.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import shlex
import signal
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Self

from kvtop.collectors.fdio import read_to_end

_log = logging.getLogger("kvtop.children")
_STDERR_KEPT = 16 * 1024
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int, graceful: bool) -> None:
    """For ``preexec_fn``: the child gets KILL, or INT where ``graceful``, with us (prctl(2))."""
    if graceful:
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT if graceful else signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(127)


class Child:
    """A running child process; leaving the ``async with`` block ends and reaps it."""

    def __init__(
        self, args: Sequence[str], process: asyncio.subprocess.Process, graceful: bool
    ) -> None:
        self.args = tuple(args)
        self._process = process
        self._first_signal = signal.SIGINT if graceful else signal.SIGTERM
        self._stderr = bytearray()
        self._logged = False
        self._drain = asyncio.create_task(self._drain_stderr())

    @classmethod
    async def spawn(
        cls,
        args: Sequence[str],
        *,
        stdin: int = asyncio.subprocess.DEVNULL,
        stdout: int = asyncio.subprocess.DEVNULL,
        graceful: bool = False,
    ) -> Self:
        """Start ``args`` without a shell, messages in English; OSError where it cannot be run.

        ``graceful`` is for a program that has something to tidy up and does so on SIGINT once
        its pipes have ended: it gets that signal instead of TERM or of KILL with its parent.
        """
        process = await asyncio.create_subprocess_exec(
            *args,
            stdin=stdin,
            stdout=stdout,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            preexec_fn=partial(die_with_parent, os.getpid(), graceful),
            env={**os.environ, "LC_ALL": "C"},
        )
        _log.info("PID %d started: %s", process.pid, shlex.join(args))
        return cls(args, process, graceful)

    @property
    def pid(self) -> int:
        """Process id; its process group has the same."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit status, negative for a signal, None while it runs."""
        return self._process.returncode

    @property
    def stderr(self) -> str:
        """The last 16 KiB of what it said on stderr."""
        return self._stderr.decode(errors="replace")

    async def wait(self) -> int:
        """Wait for the end, and for the rest of stderr."""
        code = await self._process.wait()
        with suppress(TimeoutError):
            # A grandchild that holds stderr open must not hold us.
            await asyncio.wait_for(asyncio.shield(self._drain), 0.5)
        return code

    async def stop(self, patience: float = 1.0) -> None:
        """TERM (INT) to the group, KILL after ``patience`` seconds or when cancelled, then reap."""
        try:
            if self.returncode is None:
                self._signal(self._first_signal)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), patience)
        finally:
            if self.returncode is None:
                self._signal(signal.SIGKILL)
                await self._process.wait()
            self._drain.cancel()
            if not self._logged:
                self._logged = True
                last = self.stderr.strip().rpartition("\n")[2]
                _log.info("PID %d (%s) ended: %d %s", self.pid, self.args[0], self.returncode, last)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.stop()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    async def _drain_stderr(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        while chunk := await stream.read(4096):
            self._stderr += chunk
            del self._stderr[:-_STDERR_KEPT]


async def output_of(args: Sequence[str], within: float = 5.0) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a short command; TimeoutError after ``within`` seconds."""
    reader, writer = os.pipe()
    try:
        try:
            child = await Child.spawn(args, stdout=writer)
        finally:
            os.close(writer)
        async with child, asyncio.timeout(within):
            output = await read_to_end(reader)
            code = await child.wait()
            return code, output.decode(errors="replace"), child.stderr
    finally:
        os.close(reader)
