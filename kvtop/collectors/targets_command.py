"""``kvtop -- COMMAND``: a program that kvtop starts, profiles from its first instruction, and ends.

A process is made first and waits; once perf is attached to it, it becomes the program. What waits
is an interpreter of its own, not a fork of kvtop: that would keep pipes of kvtop's open.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from kvtop.collectors.attach import AttachError
from kvtop.collectors.children import die_with_parent
from kvtop.collectors.fdio import big_pipe, read_to_end, readable
from kvtop.events import Emit, LogLine, Role, Target
from kvtop.profile.text import safe_text

_PATIENCE = 3.0
"""Seconds that the program has for SIGTERM before it is killed."""
_LINES_AT_ONCE = 50
_READ_EVERY = 0.1
_CHUNK = 1 << 16
_PYTHON = re.compile(r"(^|/)(python|pypy)[\d.]*[a-z]*$")
_WAITING = """
import os, signal, sys
ready, gate, failed = map(int, sys.argv[1:4])
for number in signal.SIGPIPE, signal.SIGXFSZ:
    signal.signal(number, signal.SIG_DFL)
os.write(ready, b"r")
os.close(ready)
if os.read(gate, 1) != b"g":
    os._exit(127)
for fd in gate, failed:
    os.set_inheritable(fd, False)
try:
    os.execv(sys.argv[4], sys.argv[5:])
except OSError as error:
    os.write(failed, str(error.errno).encode())
    os._exit(127)
"""
"""Says that it is there, waits for a byte, and becomes the program. Python ignores two signals,
which the program would inherit."""


class Command:
    """A program, its output, and its end. ``fork``, ``go``, and always ``stop``."""

    def __init__(self, argv: Sequence[str], log: Path | None = None) -> None:
        """AttachError where there is no such program, or the log cannot be written."""
        self.argv = tuple(argv)
        self.name = safe_text(argv[0].rpartition("/")[2], 40)
        self.ended = asyncio.Event()
        """Set when the program has ended and was reaped."""
        self.returncode: int | None = None
        self.pid = 0
        self._program = _find(argv[0])
        self._stopped = False
        self._reaping: asyncio.Task[None] | None = None
        self._output = -1
        self._log = log
        try:
            if log is None:
                self._output, self._writer = big_pipe()
            else:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                self._writer = os.open(log, flags, 0o644)
        except OSError as error:
            raise AttachError(f"cannot write {log}: {error.strerror}") from error
        self._ready = self._gate = self._failed = -1

    @property
    def label(self) -> str:
        """As the views name it."""
        return f"{self.name}({self.pid})"

    @property
    def target(self) -> Target:
        """The program as a target."""
        return Target(self.label, self.pid, Role.OTHER, safe_text(" ".join(self.argv), 200))

    @property
    def call_graph(self) -> str:
        """What suits the program: dwarf for Python, whose usual builds keep no frame pointers."""
        return "dwarf" if _is_python(self._program) else "fp"

    async def fork(self) -> None:
        """Make the process that will be the program; ``pid`` is known then."""
        self._ready, ready = os.pipe()
        gate, self._gate = os.pipe()
        self._failed, failed = os.pipe()
        theirs = ready, gate, failed
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", "-c", _WAITING, *map(str, theirs)),
                *(self._program, *self.argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=self._writer,
                stderr=self._writer,
                pass_fds=theirs,
                start_new_session=True,
                preexec_fn=partial(die_with_parent, os.getpid(), False),
            )
        except OSError as error:
            raise AttachError(f"cannot start {self.name}: {error.strerror}") from error
        finally:
            for fd in (*theirs, self._writer):
                os.close(fd)
            self._writer = -1
        self.pid = process.pid
        self._reaping = asyncio.create_task(self._reap(process))
        # Only then is there nothing of it left to be sampled.
        await readable(self._ready)

    async def _reap(self, process: asyncio.subprocess.Process) -> None:
        self.returncode = await process.wait()
        self.ended.set()

    async def go(self) -> None:
        """Let it run; AttachError where the kernel cannot run it."""
        with suppress(BrokenPipeError):
            os.write(self._gate, b"g")
        # Closed by the kernel when it runs the program.
        if not (failure := await read_to_end(self._failed)):
            return
        number = int(failure)
        reason = os.strerror(number)
        if number == errno.ENOEXEC:
            reason = "it is neither a program nor a script with a #! line"
        raise AttachError(f"cannot start {safe_text(self.argv[0], 80)}: {reason}")

    async def follow(self, emit: Emit) -> None:
        """Put its output into the log lines until it ends; never hold the program up for it."""
        if self._output < 0:
            text = f"its output goes to {self._log}"
            emit(LogLine(time.monotonic(), self.name, "info", safe_text(text)))
            return
        os.set_blocking(self._output, False)
        rest = b""
        while await readable(self._output):
            data = _drain(self._output)
            *lines, rest = (rest + data).split(b"\n")
            if not data and rest:
                lines, rest = [rest], b""
            now = time.monotonic()
            for line in lines[-_LINES_AT_ONCE:]:
                emit(LogLine(now, self.name, "info", safe_text(line.decode(errors="replace"))))
            if len(lines) > _LINES_AT_ONCE:
                text = f"{len(lines) - _LINES_AT_ONCE:,} more lines at once are left out"
                emit(LogLine(now, self.name, "debug", text))
            if not data:
                return
            rest = rest[-_CHUNK:]
            await asyncio.sleep(_READ_EVERY)

    def how_it_ended(self) -> str:
        """One sentence on the end; '' while it runs."""
        code = self.returncode
        if code is None:
            return ""
        if self._stopped and code < 0:
            return f"{self.label} was ended with kvtop"
        if code >= 0:
            return f"{self.label} exited with code {code}"
        with suppress(ValueError):
            return f"{self.label} was ended by {signal.Signals(-code).name}"
        return f"{self.label} was ended by signal {-code}"

    async def stop(self) -> None:
        """End its process group and what is left of it; safe to call twice and before it ran."""
        for fd in (self._gate, self._ready, self._failed):
            # Closed without a word: one that waits still leaves without running anything.
            if fd >= 0:
                os.close(fd)
        self._gate = self._ready = self._failed = -1
        self._stopped = self._stopped or not self.ended.is_set()
        if self.pid and self._signal(signal.SIGTERM):
            deadline = time.monotonic() + _PATIENCE
            # The group may outlive the program, and nothing tells of its end.
            while self._signal(0) and time.monotonic() < deadline:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            self._signal(signal.SIGKILL)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), _PATIENCE)
        if self._reaping is not None:
            self._reaping.cancel()
        for fd in (self._writer, self._output):
            if fd >= 0:
                os.close(fd)
        self._writer = self._output = -1

    def _signal(self, number: int) -> bool:
        """Send a signal to the group; False where nobody is in it any more."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True


def _drain(fd: int) -> bytes:
    """All that is there now, up to 1 MiB; b'' at the end."""
    parts: list[bytes] = []
    with suppress(BlockingIOError):
        while len(parts) < 16 and (part := os.read(fd, _CHUNK)):
            parts.append(part)
    return b"".join(parts)


def _find(name: str) -> str:
    found = shutil.which(name)
    if found is not None:
        return found
    shown = safe_text(name, 80)
    path = Path(name)
    if "/" not in name:
        raise AttachError(f"cannot start {shown}: there is no such command in PATH")
    if not path.exists():
        raise AttachError(f"cannot start {shown}: there is no such file")
    if path.is_dir():
        raise AttachError(f"cannot start {shown}: it is a directory")
    raise AttachError(f"cannot start {shown}: it is not executable; see chmod +x")


def _is_python(program: str) -> bool:
    """Whether a program, or the interpreter that its #! line names, is Python."""
    if _PYTHON.search(os.path.realpath(program)) or _PYTHON.search(program):
        return True
    try:
        with Path(program).open("rb") as file:
            first = file.readline(256)
    except OSError:
        return False
    if not first.startswith(b"#!"):
        return False
    words = os.fsdecode(first[2:]).split()
    return any(_PYTHON.search(word) for word in words[:2])
