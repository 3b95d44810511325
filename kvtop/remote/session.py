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
from kvtop.recording.codec import DecodeError, Decoder, fields_of, schema
from kvtop.recording.samples import KINDS, SampleDecoder
from kvtop.remote.agent import pack_options
from kvtop.remote.connection import CallFailed, Connection, ConnectionFailed
from kvtop.remote.messages import ANEW, pack_frame, shifted, unpack_listing
from kvtop.remote.ssh import wording
from kvtop.session import Session, StartError
from kvtop.store import RunInfo
from kvtop.tool_events import Tool

_log = logging.getLogger("kvtop.remote")
_EVENTS = Decoder({"EventInfo": ["name", "kind", "text", "problem"]})
NAME = "ssh"
"""The connection's name among the collectors."""


class RemoteSession(Session):
    """``start`` connects and lets the agent begin; from then on its events arrive here."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        assert config.ssh is not None
        self._address = config.ssh
        self._connection: Connection | None = None
        self._decoder = Decoder(schema())
        self._samples = SampleDecoder(self._ring.table)
        self._early: list[Event] | None = []
        """Events from before there was a store to keep them in."""
        self._sampled = config.event
        self._newest: float | None = None
        self._delay: float | None = None
        self._goodbye = ""

    async def start(self) -> None:
        """Connect, and return once the collectors run there; UsageError, StartError."""
        self._make_room()
        connection = self._connection = Connection(
            *(self._address, self.config.ssh_command, self.config.ssh_sudo, self._take)
        )
        try:
            await connection.open()
            raw = await connection.call("start", pack_options(self.config))
            info = self._info(raw)
        except ConnectionFailed as error:
            raise StartError(str(error)) from None
        except CallFailed as error:
            sentence = wording(str(error), self._address, self.config.ssh_sudo)
            raise (UsageError if error.kind == "usage" else StartError)(sentence) from None
        self._open_store(info)
        early, self._early = self._early or [], None
        for event in early:
            self.emit(event)
        wrong = 1000 * connection.clock.error
        now = time.monotonic()
        text = f"times are by the clock of {info.host}, wrong by {wrong:.2f} ms at most"
        self.emit(LogLine(now, NAME, "info", text))
        self.emit(CollectorStatus(now, NAME, Health.OK))
        self._tasks.append(asyncio.create_task(self._tell_loss(connection)))

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
        """What the header says loudly: that nothing more comes, or what it says of any run."""
        return " CONNECTION LOST " if self.failed else super().banner

    def _info(self, raw: Any) -> RunInfo:
        """What the agent knows of the run, in this machine's times."""
        assert self._connection is not None
        hints = fields_of(RunInfo)
        values = {n: self._decoder.value(hints[n], raw[n]) for n in hints if n in raw}
        clock = self._connection.clock
        return replace(
            RunInfo(**values),
            title=f"{self._address}: {values['title']}",
            started=clock.local(values["started"]),
            wall_offset=time.time() - time.monotonic(),
            readonly=self.config.readonly,
            cpus=self._connection.cpus,
            cpu=self._connection.cpu,
            remote=str(self._address),
        )

    # What comes

    def _take(self, message: list[Any]) -> None:
        """A message of the agent that is an event, or a part of one."""
        assert self._connection is not None
        if message[0] == ANEW:
            self._samples = SampleDecoder(self._ring.table)
        elif not self._samples.define(message):
            if message[0] in KINDS:
                event: Event = self._samples.batch(message)
            else:
                event = self._decoder.event(message)
            event = self._at_home(shifted(event, self._connection.clock.offset))
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
                return replace(event, delay=None if event.delay is None else self._delay)
            case CollectorStatus() if event.reason:
                told = wording(event.reason, self._address, self.config.ssh_sudo)
                return replace(event, reason=told)
        return event

    async def _tell_loss(self, connection: Connection) -> None:
        """Say so everywhere where the connection is lost; what was measured stays on screen."""
        reason = await asyncio.shield(connection.lost)
        _log.error("%s", reason)
        text = f"The connection is lost. {reason} What is shown is from before; start kvtop again."
        self._goodbye = f"the connection was lost: {reason.rstrip('.')}"
        self.failed = self.ended = True
        now = time.monotonic()
        for name in dict.fromkeys((NAME, PerfRecord.name, PerfStat.name, *self.store.collectors)):
            self.emit(CollectorStatus(now, name, Health.UNAVAILABLE, text))
        self.emit(LogLine(now, NAME, "error", text))
        self.emit(Marker(now, MarkerKind.GAP, "connection lost"))

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
            self._send("follow_waits", on)

    def follow_wakers(self, on: bool) -> None:
        """Record who ends the waits that are followed as well, or no more."""
        self._send("follow_wakers", on)

    def follow_tool(self, tool: Tool | None) -> None:
        """Begin to record for a tool, from nothing, and end the one before; None only ends it."""
        if tool is None:
            self._send("follow_tool", None)
        else:
            self._anew(lambda: self.store.tools.clear(tool), "follow_tool", tool)

    def count_by(self, by: CountedBy) -> None:
        """Count by thread or by core as well from now on, or, by target, no more than that."""
        details = self.store.details.get(by)
        if details is not None:
            self._anew(details.clear, "count_by", by)
        else:
            self._send("count_by", by)

    def _anew(self, clear: Callable[[], None], method: str, *arguments: object) -> None:
        """Forget what there is, and what is still on its way when the agent begins."""

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
            return wording(problem, self._address, self.config.ssh_sudo)
        self._sampled = event
        return ""

    async def list_events(self) -> tuple[EventInfo, ...]:
        """What perf can sample there; EventsError where it does not tell."""
        try:
            raw = await self._ask("list_events")
            events: tuple[EventInfo, ...] = _EVENTS.value(tuple[EventInfo, ...], raw)
        except (CallFailed, ConnectionFailed, DecodeError) as error:
            raise EventsError(wording(str(error), self._address, self.config.ssh_sudo)) from None
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
            sentence = wording(str(error), self._address, self.config.ssh_sudo)
            raise AnnotateError(sentence) from None
        if not listing.remark:
            return listing
        told = wording(listing.remark, self._address, self.config.ssh_sudo)
        return replace(listing, remark=told)

    async def save_perf_data(self, directory: Path, window: float) -> int:
        """ValueError always: perf.data can be read only where the programs are."""
        raise ValueError(f"perf.data can be read on {self._address} only and is not fetched")
