"""Text of ``perf script`` to samples, incrementally and fast.

The text is hostile: thread names may hold spaces, line breaks and escape sequences, symbols
anything. Nothing here raises on it; what cannot be read is counted in ``malformed``. Names are
neutralised by the frame table, and the thread name here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

from kvtop.collectors.demangle import MANGLED, demangle
from kvtop.collectors.flaws import KERNEL_OBJECT, KERNEL_SPACE, FlawCounts, FlawKey, flaws_of
from kvtop.collectors.object_symbols import ObjectSymbols
from kvtop.collectors.perf_pipe import FILLER_MARK
from kvtop.events import FlawKind, StackSample
from kvtop.profile.frames import UNKNOWN_SYMBOL
from kvtop.profile.stacks import StackTable
from kvtop.profile.text import safe_text

FIELDS = "comm,pid,tid,time,event,period,ip,sym,dso"
"""What to give ``perf script -F``."""

_LARGEST_BLOCK = 4 << 20
_LONGEST_HEADER = 32
"""Lines; a thread name has at most 15 characters."""
_MOST_STACK_TEXT = 16 << 20
_LARGEST_PERIOD = (1 << 63) - 1
_BETWEEN = ": "
"""Stands behind the time, and behind the event."""
_HEADER = re.compile(
    r"(?P<comm>.*) +(?P<pid>-?\d{1,10})/(?P<tid>-?\d{1,10}) +(?P<time>\d{1,12}\.\d{1,12}): +"
    r"(?P<period>\d{1,20}) +(?P<event>\S.*?): *",
    re.DOTALL | re.ASCII,
)
_PLAIN = re.compile(r"\t[ 0-9a-f]{16} \S")
_FUNCTION_AT = 18
# The object is what stands in the last parentheses that open with a path or a bracket.
_FRAME = re.compile(r"\s*([0-9a-f]{1,16}) (?:(.*) )?\(([/\[].*)\)", re.DOTALL)
_FRAME_OTHER = re.compile(r"\s*([0-9a-f]{1,16}) ?(.*?)(?: \(([^()]*)\))?", re.DOTALL)
_MODIFIERS = re.compile(r":([ukhHGpPSDWe]+)$")
_Flaws = tuple[FlawKey, ...] | None
_Known = tuple[int, _Flaws]
"""A stack's id, and what it lacks."""


class ScriptParser:
    """Feed it what ``perf script -F FIELDS --ns --no-inline`` prints, in pieces of any size.

    Samples come back in the order of the text. ``table`` interns frames and stacks; ids that this
    class caches are dropped when ``table.generation`` moves. ``renamed`` gives the names of
    objects by what their paths begin with. ``names`` is asked for functions that perf does not
    know, once per line of text. Counts are since the start.
    """

    def __init__(
        self,
        table: StackTable,
        renamed: Mapping[str, str] | None = None,
        cache_size: int = 20_000,
        names: ObjectSymbols | None = None,
    ) -> None:
        self.samples = 0
        self.flaws = FlawCounts()
        self.malformed = 0
        """Blocks of text in which no sample could be read."""
        self._table = table
        self._renamed = tuple((renamed or {}).items())
        self._names = names
        self._cache_size = cache_size
        self._rest = b""
        self._generation = table.generation
        self._who: dict[str, tuple[str, int, int]] = {}
        """By what stands before the time."""
        self._events: dict[str, str] = {}
        self._weights: dict[str, tuple[str, int]] = {}
        """Event and period, by what stands behind the time."""
        self._stacks: dict[str, _Known] = {}
        self._stack_text = 0
        """Characters that the keys of ``_stacks`` hold: deep stacks take 10,000 each."""
        self._functions: dict[str, int] = {}
        """Frames by what stands behind the address, where perf knows the name."""
        self._lines: dict[str, int] = {}
        """The others, by the whole line."""

    @property
    def broken(self) -> int:
        """Samples whose stacks do not reach their thread's start."""
        return self.flaws.total(FlawKind.BROKEN)

    @property
    def unresolved(self) -> int:
        """Samples whose leaf has no name."""
        return self.flaws.total(FlawKind.UNRESOLVED)

    def feed(self, data: bytes) -> list[StackSample]:
        """The samples that ``data`` completed."""
        rest = self._rest + data if self._rest else data
        if FILLER_MARK in rest:
            rest = _without_fillers(rest)
        cut = rest.rfind(b"\n\n")
        if cut < 0:
            self._rest = rest
            if len(rest) > _LARGEST_BLOCK:
                self._rest = b""
                self.malformed += 1
            return []
        self._rest = rest[cut + 2 :]
        return self._parse(rest[:cut].decode(errors="replace"))

    def reset(self) -> None:
        """Forget the beginning of a sample that will not be completed: the stream has ended."""
        self.malformed += bool(self._rest.strip())
        self._rest = b""

    def _parse(self, text: str) -> list[StackSample]:
        if self._generation != self._table.generation:
            self._generation = self._table.generation
            self._forget_stacks()
            self._lines.clear()
            self._functions.clear()
        whos, weights, stacks = self._who, self._weights, self._stacks
        samples: list[StackSample] = []
        append, make = samples.append, tuple.__new__
        flawed: list[tuple[FlawKey, ...]] = []
        for block in text.split("\n\n"):
            try:
                front, back, stack = block.split(_BETWEEN, 2)
                who, _, time = front.rpartition(" ")
                comm, pid, tid = whos[who]
                event, weight = weights.get(back) or self._weight(back)
                stack_id, flaws = stacks.get(stack) or self._stack(stack, pid)
                # What StackSample(...) does, without its detour through Python.
                append(make(StackSample, (float(time), pid, tid, comm, event, weight, stack_id)))
            except (KeyError, ValueError):
                slow = self._parse_slowly(block)
                if slow is None:
                    continue
                sample, flaws = slow
                append(sample)
            if flaws:
                flawed.append(flaws)
        self.samples += len(samples)
        for several, times in Counter(flawed).items():
            self.flaws.add(several, times)
        return samples

    def _parse_slowly(self, block: str) -> tuple[StackSample, _Flaws] | None:
        """A block with a header that is new, or with nothing of sense (None)."""
        block = block.strip("\n")
        if not block.strip():
            return None
        lines = block.split("\n")
        frames_at, header = _find_header(lines)
        if header is None:
            self.malformed += 1
            return None
        comm, pid, tid = safe_text(header["comm"].strip()), int(header["pid"]), int(header["tid"])
        event = safe_text(_MODIFIERS.sub(_scope, header["event"]))
        if frames_at == 1:
            self._remember(lines[0], (comm, pid, tid), event)
        stack = "\n".join(["", *lines[frames_at:]])
        known = self._stacks.get(stack) or self._stack(stack, pid)
        sample = StackSample(
            float(header["time"]),
            *(pid, tid, comm, event),
            min(int(header["period"]), _LARGEST_PERIOD),
            known[0],
        )
        return sample, known[1]

    def _remember(self, line: str, who: tuple[str, int, int], event: str) -> None:
        """Prepare the fast path for this thread and this event."""
        parts = line.split(_BETWEEN, 2)
        if len(parts) == 3 and not parts[2].strip():
            self._bound(self._who)
            self._who[parts[0].rpartition(" ")[0]] = who
            self._bound(self._events)
            self._events[parts[1].split(None, 1)[-1]] = event

    def _weight(self, back: str) -> tuple[str, int]:
        """Event and period of a known event; KeyError, ValueError where it is none."""
        period, shown = back.split(None, 1)
        made = self._events[shown], min(int(period), _LARGEST_PERIOD)
        self._bound(self._weights)
        self._weights[back] = made
        return made

    def _bound(self, cache: dict[str, Any]) -> None:
        if len(cache) >= self._cache_size:
            cache.clear()

    def _forget_stacks(self) -> None:
        self._stacks.clear()
        self._stack_text = 0

    def _stack(self, text: str, pid: int) -> _Known:
        """A stack that is new; ValueError where the text begins with something else."""
        if not text.startswith("\n\t"):
            if text.strip("\n"):
                raise ValueError("no frames")
            text = ""
        lines = text.split("\n")
        lines.reverse()
        lines.pop()
        frames = self._frames(lines, pid)
        stack = self._table.stack_id(frames)
        judged = stack, flaws_of(self._table, stack)
        self._stack_text += len(text)
        if len(self._stacks) >= self._cache_size or self._stack_text > _MOST_STACK_TEXT:
            self._forget_stacks()
            self._stack_text = len(text)
        self._stacks[text] = judged
        return judged

    def _frames(self, lines: list[str], pid: int) -> list[int]:
        # Behind the address, which is 16 columns wide, stands the same for all of a function.
        known = self._functions.get
        found = [known(line[_FUNCTION_AT:]) for line in lines]
        if None not in found:
            return cast(list[int], found)
        every = [
            self._frame(line, pid) if frame is None else frame
            for frame, line in zip(found, lines, strict=True)
        ]
        return [frame for frame in every if frame is not None]

    def _frame(self, line: str, pid: int) -> int | None:
        """The id of a frame whose function is not known, None where the line is none."""
        frame = self._lines.get(line)
        if frame is None:
            frame = self._new_frame(line, pid)
        return frame

    def _new_frame(self, line: str, pid: int) -> int | None:
        parts = _FRAME.fullmatch(line) or _FRAME_OTHER.fullmatch(line)
        if parts is None:
            return None
        address, symbol, dso = parts.groups()
        dso = dso or UNKNOWN_SYMBOL
        has_name = bool(symbol) and symbol != UNKNOWN_SYMBOL
        if not has_name:
            at = int(address, 16)
            if at >= KERNEL_SPACE and dso == UNKNOWN_SYMBOL:
                dso = KERNEL_OBJECT
            elif self._names is not None and dso[0] == "/":
                symbol = self._names.name(pid, dso, at)
        elif symbol.startswith(MANGLED):
            symbol = demangle(symbol)
        for path, name in self._renamed:
            if dso.startswith(path):
                dso = name
        frame = self._table.frame_id(symbol or UNKNOWN_SYMBOL, dso)
        by_function = has_name and _PLAIN.match(line)
        cache, key = (self._functions, line[_FUNCTION_AT:]) if by_function else (self._lines, line)
        self._bound(cache)
        cache[key] = frame
        return frame


def _scope(modifiers: re.Match[str]) -> str:
    """Of an event's modifiers, user or kernel only; precision and hypervisor say nothing here."""
    scope = {"u", "k"} & set(modifiers[1])
    return f":{scope.pop()}" if len(scope) == 1 else ""


def _without_fillers(text: bytes) -> bytes:
    """Drop the whole lines that fillers were printed as."""
    parts: list[bytes] = []
    at = 0
    while (mark := text.find(FILLER_MARK, at)) >= 0 and (end := text.find(b"\n", mark)) >= 0:
        start = text.rfind(b"\n", at, mark) + 1
        parts.append(text[at : max(start, at)])
        at = end + 1
    parts.append(text[at:])
    return b"".join(parts)


def _find_header(lines: list[str]) -> tuple[int, re.Match[str] | None]:
    """Where the frames begin, and the header before them.

    A thread name may hold line breaks, and 15 bytes are enough for a whole false header; but what
    follows that one is the true header and no frame.
    """
    for at in range(1, len(lines) + 1):
        if at == len(lines) or lines[at].startswith("\t"):
            match = _HEADER.fullmatch("\n".join(lines[:at]))
            if match is not None:
                return at, match
            if at > _LONGEST_HEADER:
                break
    return 0, None
