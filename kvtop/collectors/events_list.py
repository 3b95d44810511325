"""The events that this machine has, as ``perf list`` tells them, and whether perf takes a choice.

perf is always asked itself: only it knows its event grammar (groups, raw codes, modifiers).
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from itertools import pairwise

from kvtop.collectors.children import output_of
from kvtop.collectors.doctor import explain, perf_missing
from kvtop.profile.text import safe_text

HARDWARE = (
    "cycles",
    "instructions",
    "cache-references",
    "cache-misses",
    "branches",
    "branch-misses",
    "bus-cycles",
    "ref-cycles",
    "stalled-cycles-frontend",
    "stalled-cycles-backend",
)
"""perf's own names of what processors count: perf list leaves out those that it cannot open."""
NO_HARDWARE = "not supported by this machine"
NO_LBR = (
    "--call-graph lbr needs the branch records of an Intel processor, which this machine does not "
    "have: use --call-graph fp or dwarf."
)
_KINDS = ("hw", "sw", "cache", "tracepoint", "pmu")
_TIMEOUT = 20.0
_NAME = re.compile(r"  (\S.*?)\s+\[([^\]]+)\]\s*")
_VENDOR = re.compile(r"  ([^\s\[]+)\s*")
_TEXT = re.compile(r"\s{6,}\[?(.*?)\]?\s*")
_LONGEST = 400


@dataclass(frozen=True, slots=True)
class EventInfo:
    """An event to choose: name, kind ("software", "tracepoint", ...), what it counts if told.

    ``problem`` is why it cannot be had, empty where it can.
    """

    name: str
    kind: str
    text: str = ""
    problem: str = ""


class EventsError(Exception):
    """perf does not tell its events: one sentence with the remedy."""


def parse_text(listing: str) -> list[EventInfo]:
    """The events of ``perf list``'s text: every version's, vendors' events included."""
    found: dict[str, EventInfo] = {}
    vendor = ""
    for line in listing.splitlines():
        if named := _NAME.fullmatch(line):
            names, kind = named[1].split(" OR "), named[2]
            # "cpu-cycles OR cycles", but "page-faults OR faults": the usual name of the two.
            name = next((n for n in map(str.strip, names) if n in HARDWARE), names[0].strip())
            vendor = ""
            _add(found, name, _kind(kind), "")
        elif alone := _VENDOR.fullmatch(line):
            vendor = alone[1]
        elif vendor and (told := _TEXT.fullmatch(line)):
            known = found.get(vendor)
            text = f"{known.text} {told[1]}" if known is not None else told[1]
            found.pop(vendor, None)
            _add(found, vendor, "processor", text)
    return list(found.values())


def parse_json(listing: str) -> list[EventInfo]:
    """The events of ``perf list --json`` (perf 6.2 and newer); ValueError where it is none."""
    rows = json.loads(listing)
    if not isinstance(rows, list):
        raise ValueError("perf list --json gave no list")
    found: dict[str, EventInfo] = {}
    for row in rows:
        if isinstance(row, dict) and isinstance(name := row.get("EventName"), str):
            kind = row.get("EventType") or row.get("Topic") or "processor"
            text = row.get("BriefDescription") or row.get("PublicDescription") or ""
            alias = row.get("EventAlias")
            name = alias if alias in HARDWARE else name
            _add(found, name, _kind(str(kind)), str(text))
    return list(found.values())


def _add(found: dict[str, EventInfo], name: str, kind: str, text: str) -> None:
    # Tool events (duration_time) are perf stat's own, raw descriptors are patterns, no names.
    if kind in ("raw", "tool") or not name or name in found or "<" in name:
        return
    name = safe_text(name, 120)
    found[name] = EventInfo(name, kind, safe_text(" ".join(text.split()), _LONGEST))


def _kind(told: str) -> str:
    """As in "Software event", "Kernel PMU event", "Raw hardware event descriptor"."""
    text = told.lower()
    for word in ("raw", "cache", "hardware breakpoint", "hardware", "software", "tool"):
        if word in text:
            return "breakpoint" if "breakpoint" in word else word
    if "tracepoint" in text:
        return "tracepoint"
    return "kernel PMU" if "pmu" in text else "processor"


def with_missing_hardware(events: list[EventInfo]) -> list[EventInfo]:
    """The list, with the processor's generic counters that it lacks, as such, at the end."""
    names = {event.name for event in events}
    lacking = [name for name in HARDWARE if name not in names]
    return [*events, *(EventInfo(name, "hardware", "", NO_HARDWARE) for name in lacking)]


async def list_events() -> tuple[EventInfo, ...]:
    """What ``perf list`` names on this machine, in its order, and what hardware it lacks.

    EventsError where perf does not run.
    """
    try:
        code, text, _ = await output_of(["perf", "list", "--json", *_KINDS], within=_TIMEOUT)
        events: list[EventInfo] = []
        if not code:
            try:
                events = parse_json(text)
            except ValueError:
                events = []
        if not events:
            code, text, error = await output_of(["perf", "list", *_KINDS], within=_TIMEOUT)
            events = parse_text(text)
            if not events:
                raise EventsError(explain(error))
    except FileNotFoundError:
        raise EventsError(perf_missing()) from None
    except (OSError, TimeoutError) as error:
        raise EventsError(f"perf list failed: {safe_text(str(error), 120)}.") from error
    return tuple(with_missing_hardware(events))


def split_events(spec: str) -> list[str]:
    """The events and groups of a list: ``a,{b,c}:S,cpu/event=1,umask=2/`` has three."""
    cuts, depth, in_terms = [-1], 0, False
    for at, character in enumerate(spec):
        if character == "/":
            in_terms = not in_terms
        elif character in "{}":
            depth += 1 if character == "{" else -1
        elif character == "," and not depth and not in_terms:
            cuts.append(at)
    cuts.append(len(spec))
    return [part for a, b in pairwise(cuts) if (part := spec[a + 1 : b].strip())]


async def check_sampling(event: str | None, options: tuple[str, ...] = ()) -> str:
    """What keeps perf from sampling this: one sentence with the remedy, '' where it can.

    ``options`` are further ones of perf record (``--call-graph lbr``, ``-c 1000``).
    """
    try:
        problem = await _check(event, options)
        parts = split_events(event) if event is not None else []
        if problem and len(parts) > 1:
            for part in parts:
                alone = await _check(part, options)
                if alone:
                    return await _with_hint(part, alone)
        return await _with_hint(event or "", problem) if problem else ""
    except FileNotFoundError:
        return perf_missing()
    except (OSError, TimeoutError) as error:
        return f"perf does not answer about {event}: {safe_text(str(error), 120)}."


async def _check(event: str | None, options: tuple[str, ...]) -> str:
    chosen = [] if event is None else ["-e", event]
    record = output_of(
        ["perf", "record", *chosen, *options, "-o", "/dev/null", "--", "true"], within=_TIMEOUT
    )
    if event is None:
        code, _, error = await record
        if code and "branch stack" in error:
            return NO_LBR
        return explain(error) if code else ""
    # perf record -e cycles silently samples cpu-clock where there are no cycles.
    count = output_of(
        ["perf", "stat", "-x", ";", "--log-fd", "1", "-e", event, "--", "true"], within=_TIMEOUT
    )
    (code, _, error), (stat_code, counted, stat_error) = await asyncio.gather(record, count)
    if stat_code:
        return _explain(event, stat_error + counted)
    lacking = re.findall(r"^<not supported>;[^;]*;([^;\n]+)", counted, re.MULTILINE)
    if lacking:
        names = ", ".join(dict.fromkeys(safe_text(name, 60) for name in lacking))
        return not_supported(names)
    return _explain(event, error) if code else ""


def not_supported(names: str) -> str:
    """One sentence about events that the processor, or the virtual machine, does not count."""
    return (
        f"{names}: {NO_HARDWARE}, whose processor lets nobody read that counter (usual in a "
        "virtual machine): choose a software event such as cpu-clock."
    )


def _explain(event: str, error: str) -> str:
    shown = safe_text(event, 80)
    if not event:
        return "An event has no name: see perf list for those of this machine."
    if "branch stack" in error:
        return NO_LBR
    if "system wide" in error:
        return f"{shown} counts whole CPUs, never one process: choose another event of perf list."
    if re.search(r"unknown tracepoint|parser error|Cannot find PMU|unknown term", error) or (
        "Run 'perf list' for a list" in error and "No permissions" not in error
    ):
        return f"perf does not know the event {shown}: see perf list for those of this machine."
    if re.search(r"is not supported|sample_period|Invalid argument|sampling", error):
        return f"{shown} cannot be sampled on this machine: choose another event of perf list."
    return explain(error)


async def _with_hint(event: str, problem: str) -> str:
    """The sentence, with the names that are like a name that perf does not know."""
    if not problem.startswith("perf does not know"):
        return problem
    try:
        names = [event.name for event in await list_events() if not event.problem]
    except EventsError:
        return problem
    from difflib import get_close_matches

    near = get_close_matches(event, names, 3, 0.7)
    if not near:
        return problem
    shown = safe_text(event, 80)
    return f"perf does not know the event {shown}: is it {' or '.join(near)}? See perf list."
