"""One life of ``perf record`` -> splice -> ``perf script``, from start to end.

The stream is passed on in batches, 60 ms apart, instead of at every write of perf: a tenth of the
wake-ups, and a sample is delayed by less than a refresh of the screen.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Protocol

from kvtop.collectors.children import Child
from kvtop.collectors.doctor import explain, perf_missing
from kvtop.collectors.fdio import big_pipe, readable, write_all
from kvtop.collectors.perf_buffer import buffer_options
from kvtop.collectors.perf_jit import JitDumps, JitObjects
from kvtop.collectors.perf_pipe import (
    COMM,
    FINISHED_INIT,
    FIRST_OF_PERF,
    FORK,
    HEADER_ATTR,
    HEADER_FEATURE,
    MMAP2,
    PIPE_HEADER,
    ROUND,
    SAMPLE,
    THROTTLE,
    EventAttr,
    PipeFormatError,
    PipeReader,
    Record,
    as_record,
    filler,
    forget_mappings,
    lost_count,
    read_attr,
    read_perf_version,
    record_pid,
)
from kvtop.collectors.perf_script import FIELDS
from kvtop.collectors.perf_window import PipeWindow
from kvtop.collectors.processes import MACHINE
from kvtop.collectors.stack_copy import trim_stack
from kvtop.collectors.vdso import VdsoFile

DWARF = "dwarf,32768"
"""libuv's uv__io_poll alone keeps 12 KiB on the stack: with 16 KiB a quarter of an uvloop program's
stacks is cut off, with 24 KiB one in ten, with 32 KiB one in some hundreds."""
TICK = 0.06
_SETTLE = 0.03
"""perf script answers a batch piece by piece; wait so long and read them as one."""
_QUIET = 0.1
"""Silence after which what perf script holds back to sort is asked for, seconds."""
_BUSY = 1 << 18
"""After so many bytes at once the next are read without a pause."""
_CHUNK = 1 << 20
_JIT_POLL = 0.25
_HOLD = 0.1
"""While functions run right after they are compiled, samples wait for their names so long: twice
the interval at which kvtop's own programs flush them."""
_LOOK_AFTER = 0.0, 1.0
"""Seconds after perf has attached at which the targets' mappings are looked through: between
reading them itself and being told of new ones perf misses what is mapped."""
_COMPILES_ON = 1.0
"""So long after one function was compiled another one is likely to run right after it was."""
_OLD_PERF_STARTS = 0.5
"""perf before 6.0 does not say when it is ready; after its first bytes it takes less than this."""
_BUFFER = 4096
_MOST_EXECS = 4096
SCRIPT_OPTIONS = ("--ns", "--no-inline", "--max-stack", "1024", "-F", FIELDS)


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """What to record.

    ``pids`` is ``(MACHINE,)`` for all. ``call_graph`` is fp, dwarf, ``dwarf,BYTES`` or lbr.
    ``event`` None lets perf choose: cycles where the machine has them, cpu-clock otherwise.
    """

    pids: tuple[int, ...]
    frequency: int = 99
    call_graph: str = "fp"
    event: str | None = None
    period: int = 0
    """One sample every so many events, in place of ``frequency``; 0 for that."""
    delay: int = 0
    """Milliseconds that perf waits before it samples."""

    def command(self) -> list[str]:
        """The ``perf record`` command line."""
        graph = DWARF if self.call_graph == "dwarf" else self.call_graph
        args = ["perf", "record", "--no-buffering", "--no-buildid", "-k", "CLOCK_MONOTONIC"]
        args += ["-c", str(self.period)] if self.period else ["-F", str(self.frequency)]
        args += ["--call-graph", graph, *buffer_options()]
        if self.delay > 0:
            args += ["-D", str(self.delay)]
        if self.event is not None:
            args += ["-e", self.event]
        if self.pids == (MACHINE,):
            return [*args, "-o", "-", "-a"]
        return [*args, "-o", "-", "-p", ",".join(map(str, self.pids))]


def _script_command() -> list[str]:
    # 4096 is what glibc takes for a pipe anyway, except where memory pages are larger.
    buffered = ["stdbuf", f"-o{_BUFFER}"] if shutil.which("stdbuf") else []
    return [*buffered, "perf", "script", "-i", "-", "--show-cgroup-events", *SCRIPT_OPTIONS]


class Tap(Protocol):
    """Sees what perf record wrote before anything else does."""

    @property
    def control(self) -> int:
        """What perf record gets as standard input."""
        ...

    def rewrite(self, records: list[Record]) -> list[Record]:
        """What goes on instead; called several times a second, also without records."""
        ...


class Stream:
    """Runs once. ``deliver`` gets perf script's text as it comes."""

    def __init__(
        self,
        options: RecordOptions,
        objects: JitObjects,
        vdso: VdsoFile,
        window: PipeWindow,
        attached: asyncio.Event,
        deliver: Callable[[bytes], None],
        tap: Tap | None = None,
    ) -> None:
        self.lost = 0
        self.copied = 0
        """Bytes of samples, without the unused room behind a copy of the stack."""
        self.throttled = 0
        self.forwarded = 0
        """Samples handed to perf script."""
        self.attr: EventAttr | None = None
        self.perf_version = ""
        """What perf record says of itself, once it does."""
        self.pids: tuple[int, ...] = ()
        self.dumps = JitDumps(objects)
        self._options = options
        self._vdso = vdso
        self._window = window
        self._attached = attached
        self._deliver = deliver
        self._tap = tap
        self._next_poll = 0.0
        self._looks = list(_LOOK_AFTER)
        self._attached_at: float | None = None
        self._compiling_until = 0.0
        self._held: deque[tuple[float, list[Record]]] = deque()
        """Arrival and records of what was read and not passed on yet."""
        self._execs: dict[int, int] = {}
        """When a process ran another program, ns; until its number is used again."""
        self._names: list[tuple[int, bytes]] = []
        """A heap of the mapping records of functions that nothing passed on could hit."""

    async def run(self) -> str:
        """Stream until perf ends; one sentence on why it did."""
        self._window.clear()
        async with AsyncExitStack() as stack:
            stack.callback(self.dumps.close)
            raw_out, raw_in = _pipe(stack)
            script_out, script_in = _pipe(stack)
            text_out, text_in = _pipe(stack)
            try:
                script = await stack.enter_async_context(
                    await Child.spawn(
                        _script_command(),
                        stdin=script_out.fd,
                        stdout=text_in.fd,
                        graceful=True,
                    )
                )
                record = await stack.enter_async_context(
                    await Child.spawn(
                        self._options.command(),
                        stdin=asyncio.subprocess.DEVNULL
                        if self._tap is None
                        else self._tap.control,
                        stdout=raw_in.fd,
                    )
                )
            except FileNotFoundError:
                return perf_missing()
            self.pids = record.pid, script.pid
            for end in (script_out, text_in, raw_in):
                end.close()
            pump = asyncio.create_task(self._pump(raw_out.fd, script_in.fd))
            read = asyncio.create_task(self._read(text_out.fd))
            try:
                await asyncio.wait((pump, read), return_when=asyncio.FIRST_COMPLETED)
                # Without readers or writers on the other side both perfs come to an end.
                pump.cancel()
                raw_out.close()
                script_in.close()
                await asyncio.wait((read,), timeout=5.0)
            finally:
                self.pids = ()
                await _cancel(pump, read)
                # With all its pipes closed nothing keeps perf script from tidying up.
                for end in (raw_out, script_in, text_out):
                    end.close()
            return await _verdict(record, script, pump)

    async def _pump(self, source: int, sink: int) -> None:
        """Pass perf record's output on, with mapping records for compiled code put in."""
        os.set_blocking(source, False)
        os.set_blocking(sink, False)
        await write_all(sink, PIPE_HEADER)
        reader = PipeReader()
        waiting = False
        grace: asyncio.TimerHandle | None = None
        try:
            while True:
                quiet = not self._held
                chunk = await self._next(source, waiting)
                if chunk == b"":
                    return
                if grace is None:
                    grace = asyncio.get_running_loop().call_later(
                        _OLD_PERF_STARTS, self._attached.set
                    )
                records = [] if chunk is None else reader.feed(chunk)
                if self._tap is not None:
                    records = self._tap.rewrite(records)
                quiet = quiet and not records
                if records:
                    self._held.append((time.monotonic(), records))
                before = self.forwarded
                out = self._release()
                waiting = waiting or self.forwarded > before
                if quiet and waiting:
                    # The first round sets the mark up to which the second one puts out.
                    out += ROUND + ROUND
                if out and waiting and self.attr is not None:
                    out += filler(self.attr, _BUFFER)
                waiting = waiting and not quiet
                if out:
                    await write_all(sink, out)
                idle = chunk is None or len(chunk) < _BUSY
                await asyncio.sleep(0 if not idle else _SETTLE if self._held else TICK)
        finally:
            if grace is not None:
                grace.cancel()

    async def _next(self, source: int, waiting: bool) -> bytes | None:
        """What perf record has written; None where there is something to do meanwhile."""
        try:
            return os.read(source, _CHUNK)
        except BlockingIOError:
            polled = self.dumps.pids or self._tap is not None
            pause = _QUIET if waiting else _JIT_POLL if polled else None
            if self._held:
                pause = max(0.0, self._held[0][0] + _HOLD - time.monotonic())
            if not await readable(source, pause):
                return None
            return os.read(source, _CHUNK)

    def _release(self) -> bytes:
        """What may be passed on by now, with the names of the functions in it."""
        now = time.monotonic()
        hold = _HOLD if self.dumps.is_young(now) or now < self._compiling_until else 0.0
        due = bool(self._held) and now - self._held[0][0] >= hold
        if now >= self._next_poll or (due and hold):
            self._poll_dumps()
        parts: list[bytes] = []
        while self._held and now - self._held[0][0] >= hold:
            arrived, records = self._held.popleft()
            opened = self.dumps.opened
            for at, record in enumerate(records, 1):
                if self._names:
                    self._pass_names(record, now, parts)
                self._splice(record, now, parts)
                if self.dumps.opened > opened:
                    # Its functions are being compiled: what follows waits until they are told.
                    hold = _HOLD
                    self._poll_dumps()
                    if at < len(records):
                        self._held.appendleft((arrived, records[at:]))
                    break
        if self.forwarded:
            self._attached.set()
        return b"".join(parts)

    def _pass_names(self, record: Record, now: float, parts: list[bytes]) -> None:
        """Put the functions into ``parts`` that were compiled before the record was made.

        Exactly there: perf script sorts by time, in portions, and a record whose time is ahead of
        the stream ends a portion too early.
        """
        if self.attr is None or record.type >= FIRST_OF_PERF:
            return
        time_ns = self.attr.time_of(record)
        while self._names and self._names[0][0] <= time_ns:
            parts.append(self._keep(heappop(self._names)[1], now))

    def _splice(self, record: Record, now: float, parts: list[bytes]) -> None:
        """Put what perf script shall see of a record into ``parts``."""
        attr = self.attr
        if record.type == SAMPLE:
            self.forwarded += 1
            if attr is not None:
                code = self.dumps.code_of(attr.whose(record.data)[0]) if self.dumps.pids else ()
                record = record._replace(data=trim_stack(record.data, attr, code))
            self.copied += len(record.data)
        elif not self.dumps.passes(record):
            return
        elif record.type == HEADER_ATTR:
            self.attr = attr or read_attr(record.data)
        elif record.type == HEADER_FEATURE:
            self.perf_version = self.perf_version or read_perf_version(record.data)
        elif record.type == THROTTLE:
            self.throttled += 1
        elif record.type == FINISHED_INIT:
            self._attached.set()
        else:
            self.lost += lost_count(record)
        if attr is not None and record.type == COMM:
            fork = forget_mappings(record, attr)
            if fork:
                parts.append(self._keep(fork, now))
                if len(self._execs) >= _MOST_EXECS:
                    # The oldest: a record is never so late that it would be missed.
                    del self._execs[next(iter(self._execs))]
                self._execs[record_pid(record.data)] = attr.time_of(record)
        elif attr is not None and record.type == FORK and record.data[8:12] == record.data[16:20]:
            # Read late from another CPU's buffer it would take from perf script, which may have
            # passed the exec already, all that it knows of the process.
            exec_ns = self._execs.pop(record_pid(record.data), 0)
            if attr.time_of(record) < exec_ns:
                return
        self._window.keep(record, now)
        if record.type == MMAP2 and attr is not None:
            record = self._vdso.stand_in(record, attr)
        parts.append(record.data)

    def _poll_dumps(self) -> None:
        if self.attr is not None:
            now = time.monotonic()
            self._next_poll = now + _JIT_POLL
            if self._attached_at is None and self._attached.is_set():
                self._attached_at = now
            began = self._attached_at
            if began is not None and self._looks and now >= began + self._looks[0]:
                del self._looks[0]
                self.dumps.look(self._options.pids)
            for name in self.dumps.poll(self.attr):
                heappush(self._names, name)
                self._compiling_until = now + _COMPILES_ON

    def _keep(self, made: bytes, now: float) -> bytes:
        """A record of our own goes into the window as well."""
        self._window.keep(as_record(made), now)
        return made

    async def _read(self, source: int) -> None:
        while True:
            await readable(source)
            await asyncio.sleep(_SETTLE)
            data = os.read(source, _CHUNK)
            if not data:
                return
            self._deliver(data)


class _End:
    """One end of a pipe, closed once."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._open = True

    def close(self) -> None:
        if self._open:
            self._open = False
            os.close(self.fd)


def _pipe(stack: AsyncExitStack) -> tuple[_End, _End]:
    ends = tuple(_End(fd) for fd in big_pipe())
    for end in ends:
        stack.callback(end.close)
    return ends[0], ends[1]


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _verdict(record: Child, script: Child, pump: asyncio.Task[None]) -> str:
    for child in (record, script):
        with suppress(TimeoutError):
            await asyncio.wait_for(child.wait(), 1.0)
    error = None if pump.cancelled() else pump.exception()
    if isinstance(error, PipeFormatError):
        return f"perf record sent what kvtop cannot read: {error}."
    if error is not None and not isinstance(error, BrokenPipeError):
        raise error
    if record.returncode not in (0, None, -13):
        return explain(record.stderr, record.returncode)
    if script.returncode not in (0, None):
        return explain(script.stderr, script.returncode)
    return "perf ended."
