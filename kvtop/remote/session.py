"""The session whose collectors run on another machine: it draws what the agent there measures."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from kvtop.collectors.annotate import AnnotateError
from kvtop.collectors.events_list import EventInfo, EventsError
from kvtop.collectors.perf_record import PerfRecord
from kvtop.collectors.perf_stat import PerfStat
from kvtop.config import Config, UsageError
from kvtop.events import (
    CollectorStatus,
    CountedBy,
    Event,
    Health,
    LogLine,
    Marker,
    MarkerKind,
    PipelineStats,
    SampleBatch,
)
from kvtop.profile.frames import Frame
from kvtop.profile.listing import Listing
from kvtop.profile.text import safe_text
from kvtop.recording.codec import DecodeError, Decoder, fields_of, schema
from kvtop.recording.samples import KINDS, SampleDecoder
from kvtop.remote.agent import pack_options
from kvtop.remote.connection import CallFailed, Connection, ConnectionFailed
from kvtop.remote.loss import Loss, continued, pause_before
from kvtop.remote.messages import ANEW, pack_frame, shifted, unpack_listing
from kvtop.remote.ssh import wording
from kvtop.session import Session, StartError
from kvtop.store import RunInfo
from kvtop.tool_events import Tool

_log = logging.getLogger("kvtop.remote")
_EVENTS = Decoder({"EventInfo": ["name", "kind", "text", "problem"]})
_IDENTITIES = tuple[tuple[int, float, str], ...]
NAME = "ssh"
"""The connection's name among the collectors."""


class RemoteSession(Session):
    """``start`` connects and lets the agent begin; from then on its events arrive here.

    With ``again`` a connection that breaks is made anew, as often as it takes; without, that is
    the end of the run.
    """

    def __init__(self, config: Config, again: bool = False) -> None:
        super().__init__(config)
        assert config.ssh is not None
        self._address = config.ssh
        self._again = again
        self._connection: Connection | None = None
        self._decoder = Decoder(schema())
        self._samples = SampleDecoder(self._ring.table)
        self._early: list[Event] | None = []
        """Events from before there was a store to keep them in."""
        self._sampled = config.event
        self._followed: dict[str, tuple[object, ...]] = {}
        """Calls of what is recorded on demand now: a new agent is asked for it again."""
        self._who: tuple[Any, ...] = ()
        """What tells the processes of ``--attach`` from others that get their PIDs."""
        self._newest: float | None = None
        self._delay: float | None = None
        self._loss: Loss | None = None
        self._before: PipelineStats | None = None
        """Of the streams before the present one."""
        self._goodbye = ""

    async def start(self) -> None:
        """Connect, and return once the collectors run there; UsageError, StartError."""
        self._make_room()
        try:
            connection, raw = await self._connect(self.config)
        except ConnectionFailed as error:
            raise StartError(str(error)) from None
        except CallFailed as error:
            raise (UsageError if error.kind == "usage" else StartError)(str(error)) from None
        try:
            info = self._info(connection, raw)
        except (DecodeError, KeyError, TypeError) as error:
            raise StartError(self._nonsense(error)) from None
        self._open_store(info)
        early, self._early = self._early or [], None
        for event in early:
            self.emit(event)
        self._greet(connection, f"times are by the clock of {info.host}")
        self._tasks.append(asyncio.create_task(self._hold(connection)))

    async def _connect(self, config: Config) -> tuple[Connection, Any]:
        """An agent that collects, and what it knows of the run; ConnectionFailed, CallFailed."""
        connection = Connection(
            *(self._address, self.config.ssh_command, self.config.ssh_sudo),
            lambda message: self._take(connection, message),
        )
        self._samples = SampleDecoder(self._ring.table)
        try:
            await connection.open()
            self._report_all(Health.STARTING)
            answer = await connection.call("start", pack_options(config), self._who)
            raw, who = answer if isinstance(answer, list) and len(answer) == 2 else (None, None)
            self._who = self._decoder.value(_IDENTITIES, who)
        except CallFailed as error:
            await connection.close()
            raise CallFailed(error.kind, self._wording(str(error))) from None
        except DecodeError as error:
            await connection.close()
            raise ConnectionFailed(self._nonsense(error)) from None
        except BaseException:
            await connection.close()
            raise
        self._connection = connection
        return connection, raw

    def _greet(self, connection: Connection, text: str) -> None:
        """Say that the connection is there, and how well its times are known."""
        now = time.monotonic()
        wrong = 1000 * connection.clock.error
        self.emit(LogLine(now, NAME, "info", f"{text}, wrong by {wrong:.2f} ms at most"))
        self.emit(CollectorStatus(now, NAME, Health.OK))

    async def stop(self) -> None:
        """End the agent and ssh; safe to call twice."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if self._connection is not None:
            await self._connection.close()
        if self.recorder is not None:
            await self.recorder.stop()

    @property
    def epilogue(self) -> str:
        """How the connection was lost, if it was."""
        return self._goodbye

    @property
    def banner(self) -> str:
        """What the header says loudly: that nothing comes, or what it says of any run."""
        return super().banner if self._loss is None else self._loss.banner

    def _info(self, connection: Connection, raw: Any) -> RunInfo:
        """What the agent knows of the run, in this machine's times."""
        hints = fields_of(RunInfo)
        values = {n: self._decoder.value(hints[n], raw[n]) for n in hints if n in raw}
        return replace(
            RunInfo(**values),
            title=f"{self._address}: {values['title']}",
            started=connection.clock.local(values["started"]),
            wall_offset=time.time() - time.monotonic(),
            readonly=self.config.readonly,
            cpus=connection.cpus,
            cpu=connection.cpu,
            remote=str(self._address),
        )

    def _nonsense(self, error: Exception) -> str:
        return f"{self._address} sent what kvtop cannot read: {safe_text(str(error), 120)}."

    def _wording(self, sentence: str) -> str:
        return wording(sentence, self._address, self.config.ssh_sudo)

    # What comes

    def _take(self, connection: Connection, message: list[Any]) -> None:
        """A message of the agent that is an event, or a part of one."""
        if message[0] == ANEW:
            self._samples = SampleDecoder(self._ring.table)
        elif not self._samples.define(message):
            if message[0] in KINDS:
                event: Event = self._samples.batch(message)
            else:
                event = self._decoder.event(message)
            event = self._at_home(shifted(event, connection.clock.offset))
            if self._early is not None:
                self._early.append(event)
            else:
                self.emit(event)

    def _at_home(self, event: Event) -> Event:
        """The event as it is seen from here: how late it is, and whom its remedies are told."""
        now = time.monotonic()
        match event:
            case SampleBatch() if event.samples:
                self._newest = event.samples[-1].time
                self._delay = max(0.0, now - self._newest)
            case PipelineStats():
                delay = None if event.delay is None else self._delay
                return continued(self._before, replace(event, delay=delay))
            case CollectorStatus() if event.reason:
                return replace(event, reason=self._wording(event.reason))
        return event

    # A connection that breaks

    async def _hold(self, connection: Connection) -> None:
        """Say so everywhere where the connection is lost, and make a new one."""
        while True:
            reason = await asyncio.shield(connection.lost)
            _log.error("%s", reason)
            await connection.close()
            loss = self._loss = Loss(connection.heard, self.store.wall(connection.heard), reason)
            self._goodbye = f"the connection was lost: {reason.rstrip('.')}"
            self._before = self.store.pipeline
            self.emit(Marker(loss.time, MarkerKind.GAP, "connection lost"))
            if not self._again:
                self._give_up(loss.text(None))
                return
            self.emit(LogLine(time.monotonic(), NAME, "error", loss.text(pause_before(0))))
            try:
                connection = await self._connect_again(loss)
            except CallFailed as error:
                self._loss = None
                self._give_up(f"The connection is back, but nothing to profile: {error}")
                return
            self._loss, self._goodbye = None, ""
            seconds = time.monotonic() - loss.time
            text = f"connected again after {seconds:.0f} s"
            self.emit(Marker(time.monotonic(), MarkerKind.NOTE, text))
            self._greet(connection, f"{text}; times are by the clock over there")
            for method, arguments in self._followed.items():
                self._send(method, *arguments)

    def _give_up(self, text: str) -> None:
        """Nothing more comes; what was measured stays on screen."""
        self.failed = self.ended = True
        self._report_all(Health.UNAVAILABLE, text)
        self.emit(LogLine(time.monotonic(), NAME, "error", text))

    async def _connect_again(self, loss: Loss) -> Connection:
        """Try until there is a connection; CallFailed where there is nothing to profile any more.

        Programs that are found by name may come back; those that were named by PID do not.
        """
        config = replace(self.config, delay=0)
        attempt = 0
        while True:
            pause = pause_before(attempt)
            self._report_all(Health.UNAVAILABLE, loss.text(pause), loss.short)
            await asyncio.sleep(pause)
            attempt += 1
            try:
                connection, _ = await self._connect(replace(config, event=self._sampled))
                return connection
            except ConnectionFailed as error:
                reason = str(error)
            except CallFailed as error:
                if error.kind == "usage" and config.attach:
                    raise
                reason = str(error)
            loss = self._loss = replace(loss, reason=reason)
            _log.warning("attempt %d: %s", attempt, reason)

    def _report_all(self, health: Health, reason: str = "", short: str = "") -> None:
        """Every collector works like this now; beside the samples it is said in ``short``."""
        if self._early is not None:
            return
        now = time.monotonic()
        for name in dict.fromkeys((NAME, PerfRecord.name, PerfStat.name, *self.store.collectors)):
            told = reason if name in (NAME, PerfRecord.name) else short or reason
            self.emit(CollectorStatus(now, name, health, told))

    # What is asked for

    def _send(self, method: str, *arguments: object) -> None:
        """Let the agent do something whose answer does not matter."""
        self._run(self._quietly(method, *arguments))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks = [task for task in self._tasks if not task.done()]
        self._tasks.append(asyncio.create_task(work))

    async def _quietly(self, method: str, *arguments: object) -> None:
        try:
            await self._ask(method, *arguments)
        except (CallFailed, ConnectionFailed) as error:
            if self._loss is None:
                self.emit(LogLine(time.monotonic(), NAME, "error", str(error)))

    async def _ask(self, method: str, *arguments: object) -> Any:
        if self._connection is None:
            raise ConnectionFailed("There is no connection.")
        return await self._connection.call(method, *arguments)

    def follow_waits(self, on: bool) -> None:
        """Begin to record where the targets' threads wait, from nothing; or end it."""
        if on:
            self._anew(self.store.waits.clear, "follow_waits", on)
        else:
            self._followed.pop("follow_wakers", None)
            self._end("follow_waits", on)

    def follow_wakers(self, on: bool) -> None:
        """Record who ends the waits that are followed as well, or no more."""
        self._followed["follow_wakers"] = (on,)
        self._send("follow_wakers", on)

    def follow_tool(self, tool: Tool | None) -> None:
        """Begin to record for a tool, from nothing, and end the one before; None only ends it."""
        if tool is None:
            self._end("follow_tool", None)
        else:
            self._anew(lambda: self.store.tools.clear(tool), "follow_tool", tool)

    def count_by(self, by: CountedBy) -> None:
        """Count by thread or by core as well from now on, or, by target, no more than that."""
        details = self.store.details.get(by)
        if details is not None:
            self._anew(details.clear, "count_by", by)
        else:
            self._end("count_by", by)

    def _end(self, method: str, *arguments: object) -> None:
        """Let the agent end what it records on demand."""
        self._followed.pop(method, None)
        self._send(method, *arguments)

    def _anew(self, clear: Callable[[], None], method: str, *arguments: object) -> None:
        """Forget what there is, and what is still on its way when the agent begins.

        Without a connection what there is stays: the next agent begins.
        """
        self._followed[method] = arguments
        if self._loss is not None:
            return

        async def begin() -> None:
            await self._quietly(method, *arguments)
            clear()

        clear()
        self._run(begin())

    @property
    def event(self) -> str | None:
        """The events that are sampled, as they were asked for; None where perf chooses."""
        return self._sampled

    async def sample(self, event: str | None) -> str:
        """Sample something else from now on; why perf there cannot, or ''."""
        try:
            problem = self._decoder.value(str, await self._ask("sample", event))
        except (CallFailed, ConnectionFailed, DecodeError) as error:
            return str(error)
        if problem:
            return self._wording(problem)
        self._sampled = event
        return ""

    async def list_events(self) -> tuple[EventInfo, ...]:
        """What perf can sample there; EventsError where it does not tell."""
        try:
            raw = await self._ask("list_events")
            events: tuple[EventInfo, ...] = _EVENTS.value(tuple[EventInfo, ...], raw)
        except (CallFailed, ConnectionFailed, DecodeError) as error:
            raise EventsError(self._wording(str(error))) from None
        return events

    async def annotate(self, frame: Frame, start: float, end: float, label: str | None) -> Listing:
        """Samples per line and instruction, from sources and objects of the host."""
        pids = self._processes_of(frame, start, end, label)
        asked = None if pids is None else sorted(pids)
        assert self._connection is not None
        clock = self._connection.clock
        span = clock.remote(start), clock.remote(end)
        try:
            listing = unpack_listing(await self._ask("annotate", pack_frame(frame), *span, asked))
        except (CallFailed, ConnectionFailed, DecodeError) as error:
            raise AnnotateError(self._wording(str(error))) from None
        return replace(listing, remark=listing.remark and self._wording(listing.remark))

    async def save_perf_data(self, directory: Path, window: float) -> int:
        """ValueError always: perf.data can be read only where the programs are."""
        raise ValueError(f"perf.data can be read on {self._address} only and is not fetched")
