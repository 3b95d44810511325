"""Counters per target: one ``perf stat -I`` each, its lines turned into CounterReading events.

The separated-values output is read, not ``-j``: perf has had it since 3.x, JSON only since 6.0.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from kvtop.collectors.children import Child
from kvtop.collectors.doctor import explain, perf_missing
from kvtop.collectors.events_list import split_events
from kvtop.collectors.fdio import big_pipe, readable
from kvtop.collectors.processes import MACHINE, process_exists
from kvtop.collectors.reporting import Reporting
from kvtop.events import CountedBy, CounterReading, Emit, Health, Target
from kvtop.profile.text import safe_text

EVENTS = (
    "task-clock",
    "context-switches",
    "cpu-migrations",
    "page-faults",
    "cycles",
    "instructions",
    "cache-references",
    "cache-misses",
    "branches",
    "branch-misses",
)
TOPDOWN = ("slots", "topdown-retiring", "topdown-bad-spec", "topdown-fe-bound", "topdown-be-bound")
"""Intel's level 1 from Ice Lake on: one group, slots first (perf-stat(1), --topdown)."""
_TOPDOWN_AT = Path("/sys/bus/event_source/devices/cpu/events")
KERNEL_SIDE = frozenset({"context-switches", "cpu-migrations"})
"""What only the kernel does: counted for programs alone, as for ordinary users, it is always 0."""
SEPARATOR = ";"
_RETRY = 5.0
_LONGEST_LINE = 1 << 16
_TIME = re.compile(r"[0-9]{1,10}\.[0-9]{1,9}")
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,9})?")
# cpu_core/cycles/ and cpu_atom/cycles/ of a hybrid processor are one event to the reader.
_HYBRID = re.compile(r"cpu_(?:core|atom|lowpower)/([^/]+)/[a-zA-Z]*")
_MODIFIER = re.compile(r":[ukhHGpPSDWeb]+$")
_THREAD = re.compile(r"(\s*[0-9.]+);(.*)-([0-9]+);(.*)", re.DOTALL)
_CORE = re.compile(r"(\s*[0-9.]+);([^;]{1,40});[0-9]+;(.*)", re.DOTALL)


def default_events() -> tuple[str, ...]:
    """`EVENTS`, and the top-down group where this processor has it."""
    if all((_TOPDOWN_AT / name).exists() for name in TOPDOWN[:2]):
        return (*EVENTS, f"{{{','.join(TOPDOWN)}}}")
    return EVENTS


def with_sampled(events: Sequence[str], sampled: Sequence[str]) -> tuple[str, ...]:
    """The events to count, with those that are sampled; each once, whatever its modifier."""
    known = {_base(part) for event in events for part in _flat(event)}
    added = []
    for name in (part for event in sampled for part in _flat(event)):
        if _base(name) not in known:
            known.add(_base(name))
            added.append(name)
    return (*events, *added)


def _flat(event: str) -> list[str]:
    """The members of a group; an event alone is its own."""
    inner = re.fullmatch(r"\{(.*)\}(:\w+)?", event)
    return split_events(inner[1]) if inner else [event]


def _base(event: str) -> str:
    name = _MODIFIER.sub("", event)
    return {"cs": "context-switches", "faults": "page-faults", "migrations": "cpu-migrations"}.get(
        name, name
    )


@dataclass(frozen=True, slots=True)
class StatLine:
    """One line of ``perf stat -I MS -x ';'``; ``time`` is seconds since its start."""

    time: float
    event: str
    value: float | None
    unit: str
    supported: bool
    running: float
    """Share of the interval that the event was on the hardware; the value is scaled by it."""
    who: str = ""
    """The thread ("comm-TID") or core ("S0-D0-C1") that it counts; '' for a target."""


def parse_line(line: str, by: CountedBy = CountedBy.TARGET) -> StatLine | None:
    """Read a line; None where it is no counter (a comment, an error, cut short).

    ``by`` says what stands behind the time: with ``--per-thread`` a name that may hold anything.
    """
    who = ""
    if by is CountedBy.THREAD:
        if (match := _THREAD.fullmatch(line.rstrip("\n"))) is None:
            return None
        who, line = f"{safe_text(match[2], 40)}-{match[3]}", f"{match[1]};{match[4]}"
    elif by is CountedBy.CORE:
        if (match := _CORE.fullmatch(line.rstrip("\n"))) is None:
            return None
        who, line = safe_text(match[2]), f"{match[1]};{match[3]}"
    parts = line.strip().split(SEPARATOR)
    if len(parts) < 4 or not _TIME.fullmatch(parts[0].strip()):
        return None
    raw, unit, name = parts[1].strip(), parts[2].strip(), parts[3].strip()
    if not name:
        return None
    if hybrid := _HYBRID.fullmatch(name):
        name = hybrid[1]
    event = safe_text(_MODIFIER.sub("", name), 80)
    modifiers = name[len(_MODIFIER.sub("", name)) :]
    value: float | None = None
    if _NUMBER.fullmatch(raw):
        value = float(raw)
    elif raw not in ("<not counted>", "<not supported>"):
        return None
    share = parts[5].strip() if len(parts) > 5 else ""
    running = min(float(share) / 100, 1.0) if _NUMBER.fullmatch(share) else 1.0
    supported = raw != "<not supported>"
    if event in KERNEL_SIDE and "u" in modifiers and "k" not in modifiers:
        value, supported = None, False
    return StatLine(float(parts[0]), event, value, safe_text(unit, 20), supported, running, who)


class StatParser:
    """Lines to readings: knows intervals, and adds up the halves of a hybrid processor.

    ``name`` makes the label of a thread or core; None leaves its readings out.
    """

    def __init__(
        self,
        label: str,
        by: CountedBy = CountedBy.TARGET,
        name: Callable[[str], str | None] = str,
    ) -> None:
        self._label = label
        self._by = by
        self._name = name
        self._began: float | None = None
        """When perf's clock stood at 0: the arrival that was the least late tells."""
        self._rest = ""
        self._at = 0.0
        self._interval = 0.0

    def feed(self, data: bytes, now: float) -> list[CounterReading]:
        """Readings of the lines that ``data`` completed, which arrived at ``now``."""
        *texts, self._rest = (self._rest + data.decode(errors="replace")).split("\n")
        if len(self._rest) > _LONGEST_LINE:
            self._rest = ""
        lines = [line for text in texts if (line := parse_line(text, self._by)) is not None]
        merged: dict[tuple[float, str, str], StatLine] = {}
        for line in lines:
            key = line.time, line.who, line.event
            merged[key] = _added(merged[key], line) if key in merged else line
        readings: list[CounterReading] = []
        if lines:
            began = now - max(line.time for line in lines)
            self._began = began if self._began is None else min(self._began, began)
        for line in merged.values():
            if line.time > self._at:
                self._interval = line.time - self._at
                self._at = line.time
            label = self._name(line.who) if line.who else self._label
            if line.time == self._at and self._interval > 0 and label is not None:
                readings.append(
                    CounterReading(
                        (self._began or 0.0) + line.time,
                        self._interval,
                        *(label, line.event, line.value, line.unit),
                        *(line.supported, line.running, self._by),
                    )
                )
        return readings


def _added(one: StatLine, other: StatLine) -> StatLine:
    values = [line.value for line in (one, other) if line.value is not None]
    return StatLine(
        one.time,
        one.event,
        sum(values) if values else None,
        one.unit or other.unit,
        one.supported or other.supported,
        min(one.running, other.running),
        one.who,
    )


class _Key(NamedTuple):
    """What one perf stat counts."""

    label: str
    pid: int
    interval: float
    events: tuple[str, ...]


class PerfStat(Reporting):
    """Emits CounterReading per target, event and interval, and CollectorStatus."""

    name = "perf_stat"

    def __init__(
        self,
        targets: Sequence[Target] = (),
        interval: float = 0.5,
        events: Sequence[str] | None = None,
        delay: int = 0,
    ) -> None:
        self.interval = max(interval, 0.1)
        self.events = default_events() if events is None else tuple(events)
        self._delay_until = time.monotonic() + delay / 1000
        self._targets = tuple(targets)
        self._changed = asyncio.Event()
        self._children: dict[str, int] = {}

    @property
    def child_pids(self) -> tuple[int, ...]:
        """perf's processes that run for this collector: part of what kvtop costs."""
        return tuple(self._children.values())

    def retarget(self, targets: Sequence[Target]) -> None:
        """Count these from now on; a target whose label and PID stay is not interrupted."""
        self._targets = tuple(targets)
        self._changed.set()

    def set_interval(self, seconds: float) -> None:
        """Count at another interval from now on, 0.1 s or more."""
        if max(seconds, 0.1) != self.interval:
            self.interval = max(seconds, 0.1)
            self._changed.set()

    def set_events(self, events: Sequence[str]) -> None:
        """Count these from now on; what was counted of others stays."""
        if tuple(events) != self.events:
            self.events = tuple(events)
            self._changed.set()

    async def run(self, emit: Emit) -> None:
        """Count until cancelled."""
        running: dict[_Key, asyncio.Task[None]] = {}
        try:
            while True:
                self._changed.clear()
                wanted = {_Key(t.label, t.pid, self.interval, self.events) for t in self._targets}
                stopped = [running.pop(key) for key in running.keys() - wanted]
                await _stop(stopped)
                for key in sorted(wanted - running.keys()):
                    running[key] = asyncio.create_task(self._follow(*key, emit))
                await self._changed.wait()
        finally:
            await _stop(list(running.values()))

    async def _follow(
        self, label: str, pid: int, interval: float, events: tuple[str, ...], emit: Emit
    ) -> None:
        """Count one process until it exits; start again where perf ends before it."""
        while process_exists(pid):
            try:
                error = await self._count(label, pid, interval, events, emit)
            except FileNotFoundError:
                self._report(emit, Health.UNAVAILABLE, perf_missing())
                return
            if process_exists(pid):
                self._report(emit, Health.UNAVAILABLE, error)
                await asyncio.sleep(_RETRY)

    async def _count(
        self, label: str, pid: int, interval: float, events: tuple[str, ...], emit: Emit
    ) -> str:
        args = ["perf", "stat", "-I", str(round(interval * 1000)), "-x", SEPARATOR]
        args += ["--log-fd", "1", "-e", ",".join(events)]
        delay = round((self._delay_until - time.monotonic()) * 1000)
        args += ["-D", str(delay)] if delay > 0 else []
        args += ["-a"] if pid == MACHINE else ["-p", str(pid)]

        def started(child: int) -> None:
            self._children[label] = child

        def deliver(reading: CounterReading) -> None:
            self._report(emit, Health.OK)
            emit(reading)

        try:
            return await stream_stat(args, StatParser(label), started, deliver)
        finally:
            self._children.pop(label, None)


async def stream_stat(
    args: list[str],
    parser: StatParser,
    started: Callable[[int], None],
    deliver: Callable[[CounterReading], None],
) -> str:
    """Run ``perf stat -I`` with ``--log-fd 1`` until it ends; one sentence on why it did.

    ``started`` gets its PID. FileNotFoundError where there is no perf.
    """
    source, sink = big_pipe()
    try:
        try:
            child = await Child.spawn(args, stdout=sink)
        finally:
            os.close(sink)
        async with child:
            started(child.pid)
            said = b""
            while await readable(source):
                data = os.read(source, 1 << 16)
                if not data:
                    break
                said = (said + data)[-4096:]
                for reading in parser.feed(data, time.monotonic()):
                    deliver(reading)
            await child.wait()
            return explain(child.stderr or said.decode(errors="replace"), child.returncode)
    finally:
        os.close(source)


async def _stop(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
