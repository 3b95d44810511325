"""Makes an instance of every event class, by the types of its fields, and short recordings."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from kvtop.events import Event, SampleBatch, SpiedBatch, StackSample, WaitBatch
from kvtop.profile.stacks import StackTable
from kvtop.recording.meta import RecordingMeta
from kvtop.recording.writer import RecordingWriter
from kvtop.store import RunInfo

STARTED = 1000.0
RUN = RunInfo("a run", "host", "6.1.0", "6.1.1", "on", STARTED, 1.7e9, has_cluster=True)
META = RecordingMeta(
    kvtop="0.1.0",
    host="host",
    kernel="6.1.0",
    perf="6.1.1",
    cpu="A CPU",
    cpus=2,
    event="cycles",
    frequency=99,
    call_graph="fp",
    command=("kvtop", "--attach", "1"),
    targets=("python -m http.server",),
    wall=1.7e9 + STARTED,
    run=RUN,
)
EVENT_CLASSES: tuple[type, ...] = get_args(Event)
BATCHES = (SampleBatch, SpiedBatch, WaitBatch)
printable = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), max_size=20)
times = st.integers(0, 10**15).map(lambda ns: (1000 * 10**9 + ns) / 1e9)


def table_of(stacks: int = 12) -> StackTable:
    """A table of this many stacks, some of which are prefixes of others."""
    table = StackTable()
    frames = [table.frame_id(f"function_{n}", "/lib/libc.so.6") for n in range(stacks)]
    for n in range(stacks):
        table.stack_id(frames[n % 3 : n + 1])
    return table


def strategy(tp: Any, table: StackTable) -> st.SearchStrategy[Any]:
    """Any value of a type that events are made of."""
    if get_origin(tp) in (Union, UnionType):
        return st.one_of([strategy(a, table) for a in get_args(tp)])
    if get_origin(tp) is tuple:
        arguments = get_args(tp)
        if arguments[-1] is Ellipsis:
            return st.lists(strategy(arguments[0], table), max_size=4).map(tuple)
        return st.tuples(*(strategy(a, table) for a in arguments))
    if tp is StackSample:
        ids, weights = st.integers(0, 2**31), st.integers(0, 2**40)
        stacks = st.sampled_from(sorted(table._stacks))
        return st.builds(StackSample, times, ids, ids, printable, printable, weights, stacks)
    if dataclasses.is_dataclass(tp):
        hints = get_type_hints(tp)
        return st.builds(
            tp, **{name: field_strategy(name, hint, table) for name, hint in hints.items()}
        )
    if isinstance(tp, type) and issubclass(tp, Enum):
        return st.sampled_from(list(tp))
    plain: dict[Any, st.SearchStrategy[Any]] = {
        int: st.integers(-(2**62), 2**62),
        float: st.floats(-1e15, 1e15),
        bool: st.booleans(),
        str: printable,
        type(None): st.none(),
    }
    return plain[tp]


def field_strategy(name: str, hint: Any, table: StackTable) -> st.SearchStrategy[Any]:
    """What a field holds: a time near the start, buckets that exist, or anything of its type."""
    if name == "time":
        return times
    if name.endswith("buckets"):
        return st.lists(st.tuples(st.integers(0, 40), st.integers(0, 10**9)), max_size=3).map(tuple)
    return strategy(hint, table)


def write(
    path: Path, events: Sequence[Event], table: StackTable, meta: RecordingMeta = META
) -> Path:
    """A whole recording of these events."""
    writer = RecordingWriter(path, meta, table)
    for event in events:
        writer.write(event)
    writer.close(STARTED + 100)
    return path


def stacks_of(event: Any, table: StackTable) -> list[list[Any]]:
    """The frames of the samples of a batch."""
    return [[table.frame(f) for f in table.frames(s.stack)] for s in event.samples]
