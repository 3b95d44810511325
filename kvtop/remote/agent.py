"""The side on the host: the same collectors as at home, their events written to standard output.

It needs Python's standard library and perf, writes no file, and ends when nobody listens any more:
its standard input ends, or nothing has come for `SILENCE` seconds.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from kvtop.collectors.annotate import AnnotateError, Span
from kvtop.collectors.events_list import EventsError
from kvtop.collectors.fdio import readable
from kvtop.collectors.host_checks import all_checks
from kvtop.collectors.procfs import read_stat
from kvtop.collectors.pyspy_record import installed
from kvtop.config import Config, UsageError
from kvtop.events import (
    CountedBy,
    Event,
    Flaw,
    FlawKind,
    PipelineStats,
    SampleBatch,
    TargetsChanged,
)
from kvtop.recording.codec import DecodeError, pack
from kvtop.recording.samples import SampleEncoder
from kvtop.remote.messages import (
    ANEW,
    BATCHES,
    HELLO,
    Lines,
    Outbox,
    pack_listing,
    unpack_frame,
)
from kvtop.run_facts import cpu_model
from kvtop.session import Session, StartError
from kvtop.tool_events import Tool

SILENCE = 20.0
"""The session asks for the time every two seconds; so long without that, and it is gone."""
FULL = 4 << 20
"""Bytes on their way from which on samples are dropped: the connection is too slow for them."""
_LAST_RESORT = 5.0
"""Seconds after which what does not end by itself is ended."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")
NO_SPY = "no Python functions: start it with python -X perf_jit, or install py-spy there"
_ELSEWHERE = ("terminal", "python")
"""What of ``kvtop doctor`` concerns the machine with the screen: terminal, kvtop's own cluster."""
OPTIONS = (
    *("attach", "attach_name", "cgroup", "container", "unit", "children", "all"),
    *("frequency", "event", "period", "delay", "call_graph", "python_frames", "refresh"),
)
"""Options of the command line that concern the host."""


def pack_options(config: Config) -> dict[str, Any]:
    """What the host has to know of the command line, as JSON values."""
    return {name: getattr(config, name) for name in OPTIONS}


def _unpack_options(raw: dict[str, Any]) -> Config:
    options = {name: raw[name] for name in OPTIONS}
    return Config(**options | {"attach": tuple(options["attach"])})


class AgentSession(Session):
    """A session whose events go to the other side; samples are not kept here."""

    def __init__(self, config: Config, outbox: Outbox) -> None:
        super().__init__(config)
        self._outbox = outbox
        self._encoder = SampleEncoder(self._ring.table)
        self._generation = self._ring.table.generation
        self._dropped = 0

    def emit(self, event: Event) -> None:
        """Send it."""
        if isinstance(event, BATCHES):
            self._emit_samples(event)
            return
        if isinstance(event, TargetsChanged):
            self._retarget(event.targets)
        self.store.apply(event)
        if isinstance(event, PipelineStats) and self._dropped:
            flaw = Flaw(
                *(
                    FlawKind.LOST,
                    "ssh",
                    self._dropped,
                    "the connection is too slow for all of them",
                ),
                "sample less often (-F)",
            )
            event = replace(event, lost=event.lost + self._dropped, flaws=(*event.flaws, flaw))
        self._outbox.put(pack(event))

    def _emit_samples(self, event: Any) -> None:
        if isinstance(event, SampleBatch) and self._attached is not None:
            self._attached.saw(event.samples)
        if self._outbox.backlog > FULL:
            self._dropped += len(event.samples)
            return
        table = self._ring.table
        self._encoder.put(type(event).__name__, event.samples, self._outbox.put)
        # Nobody holds stacks here: what was not seen for two generations is forgotten.
        if table.maybe_compact():
            self._encoder = SampleEncoder(table)
            self._outbox.put([ANEW])


class Agent:
    """Answers one session over two pipes; ``run`` returns when that is gone."""

    def __init__(self, source: int, sink: int) -> None:
        self._source = source
        self._outbox = Outbox(sink)
        self._session: AgentSession | None = None
        self._calls: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve to the end, then end every child."""
        for fd in (self._source, self._outbox.fd):
            os.set_blocking(fd, False)
        facts = {"cpus": os.cpu_count() or 1, "cpu": cpu_model()}
        self._outbox.put_bytes(b"\n")
        self._outbox.put([HELLO, facts])
        writing = asyncio.create_task(self._outbox.run())
        reading = asyncio.create_task(self._read())
        try:
            await asyncio.wait((writing, reading), return_when=asyncio.FIRST_COMPLETED)
        finally:
            _end_by_force(_LAST_RESORT)
            for task in (writing, reading, *self._calls):
                task.cancel()
            await asyncio.gather(writing, reading, *self._calls, return_exceptions=True)
            if self._session is not None:
                await self._session.stop()

    async def _read(self) -> None:
        lines = Lines()
        while await readable(self._source, SILENCE):
            data = os.read(self._source, 1 << 16)
            if not data:
                return
            for message in lines.feed(data):
                if message[0] == "ping":
                    self._outbox.put(["pong", message[1], time.monotonic()])
                else:
                    task = asyncio.create_task(self._answer(*message[1:]))
                    self._calls.add(task)
                    task.add_done_callback(self._calls.discard)

    async def _answer(self, number: int, method: str, *arguments: Any) -> None:
        try:
            answer: list[Any] = ["result", number, await self._call(method, *arguments)]
        except UsageError as error:
            answer = ["error", number, "usage", str(error)]
        except (StartError, AnnotateError, EventsError) as error:
            answer = ["error", number, "failed", str(error)]
        except OSError as error:
            answer = ["error", number, "failed", f"{error.strerror or error}."]
        self._outbox.put(answer)

    async def _call(self, method: str, *arguments: Any) -> Any:
        if method == "doctor":
            return [pack(check) for check in await all_checks() if check.area not in _ELSEWHERE]
        if method == "start":
            raw, who = arguments
            config = _unpack_options(raw)
            if who:
                config = replace(config, attach=_still_there(who))
            elif config.attach:
                who = identities(config.attach)
            self._session = AgentSession(config, self._outbox)
            await self._session.start()
            info = asdict(self._session.store.info)
            if info["python_frames"] == "py-spy" and not installed():
                info["python_frames"] = NO_SPY
            return info, who
        assert self._session is not None
        match method, arguments:
            case "follow_waits", (bool() as on,):
                self._session.follow_waits(on)
            case "follow_wakers", (bool() as on,):
                self._session.follow_wakers(on)
            case "follow_tool", (tool,):
                self._session.follow_tool(None if tool is None else Tool(tool))
            case "count_by", (str() as by,):
                self._session.count_by(CountedBy(by))
            case "list_events", ():
                return [pack(event) for event in await self._session.list_events()]
            case "sample", (event,):
                return await self._session.sample(event)
            case "annotate", (frame, start, end, pids):
                span = Span(start, end, None if pids is None else frozenset(pids))
                listing = await self._session.annotate_processes(unpack_frame(frame), span)
                return pack_listing(listing)
            case _:
                raise DecodeError(f"there is no call {method}")
        return None


def identities(pids: Iterable[int]) -> list[tuple[int, float, str]]:
    """(PID, start after boot in seconds, boot): what no other process will ever have."""
    boot = _BOOT.read_text().strip()
    stats = {pid: read_stat(pid) for pid in pids}
    return [(pid, stat.started, boot) for pid, stat in stats.items() if stat is not None]


def _still_there(who: list[Any]) -> tuple[int, ...]:
    """The PIDs of those that run yet; UsageError where none does."""
    now = identities(pid for pid, *_ in who)
    left = tuple(one[0] for one in now if list(one) in who)
    if not left:
        raise UsageError("what was profiled has exited meanwhile.")
    return left


def _end_by_force(after: float) -> None:
    """Whatever holds up the end: the kernel ends the children with us (PR_SET_PDEATHSIG)."""
    timer = threading.Timer(after, os._exit, (1,))
    timer.daemon = True
    timer.start()


def main() -> None:
    """Run over standard input and output; what else prints goes to standard error."""
    sink = os.dup(1)
    os.dup2(2, 1)
    # perf and its children are looked for where an administrator's shell looks, too.
    os.environ["PATH"] = f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/local/bin:/usr/sbin:/sbin"
    asyncio.run(Agent(0, sink).run())
