"""A recording as a run in blocks: what its clients did, what was counted, and its samples."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from kvtop.compare.blocks import CLOCKS, Edges
from kvtop.compare.metrics import ERRORS, FDATASYNC, FDATASYNC_P99, LATENCIES, MEMORY
from kvtop.compare.model import CPU, OPS, Block, CompareError, Run
from kvtop.compare.stacks import moved, moved_ids
from kvtop.events import (
    CountedBy,
    CounterReading,
    Event,
    Marker,
    MarkerKind,
    NodeStatus,
    PipelineStats,
    ProcessUsage,
    SampleBatch,
    StressStats,
    TargetsChanged,
)
from kvtop.profile.cumulative import Cumulative
from kvtop.profile.stacks import StackTable
from kvtop.profile.text import safe_text
from kvtop.recording.meta import RecordingError
from kvtop.recording.reader import Recording

if TYPE_CHECKING:
    from kvtop.compare.inputs import Choice

_ALL = 1 << 31
"""Intervals that are kept: every one."""


def open_run(name: str, table: StackTable, choice: Choice) -> Run:
    """Read a recording; CompareError says why not."""
    try:
        recording = Recording.open(name)
        readings = _Readings(choice)
        for event in recording.events():
            readings.add(event)
    except RecordingError as error:
        raise CompareError(str(error)) from error
    shown = safe_text(name, 200)
    start, end = readings.span(choice.skip)
    if start >= end:
        remedy = "skip less" if choice.skip else "record for longer"
        raise CompareError(f"{shown} holds nothing that can be compared: {remedy}.")
    edges = Edges.of(start, end)
    blocks = edges.blocks()
    readings.fill(blocks, edges)
    ids = moved_ids(recording.table, table, {s for block in blocks for s in block.counts})
    for block in blocks:
        block.counts = moved(block.counts, ids)
    kept = [
        b for b, (one, two) in zip(blocks, edges.pairs(), strict=True) if readings.whole(one, two)
    ]
    if not kept:
        raise CompareError(f"{shown} has a gap in its samples in every block: record again.")
    notes = readings.notes()
    if len(kept) < len(blocks):
        notes.append(
            f"{len(blocks) - len(kept)} of {len(blocks)} blocks have gaps in their samples"
        )
    if recording.cut:
        notes.append(recording.cut.rstrip("."))
    meta = recording.meta
    return Run(
        Path(name).name, kept, event=readings.event, host=meta.host, kernel=meta.kernel, notes=notes
    )


class _Readings:
    """What of a recording's events is compared."""

    def __init__(self, choice: Choice) -> None:
        self._wanted = choice.event
        self._globs = choice.targets
        self._labels: dict[int, str] = {}
        self._stress: list[StressStats] = []
        self._counters: dict[str, dict[str, Cumulative]] = {}
        """By event and label."""
        self._fdatasyncs: dict[str, Cumulative] = {}
        self._levels: dict[str, dict[str, list[tuple[float, float]]]] = {}
        """Times and heights by name and label."""
        self._gaps: list[float] = []
        self._looked: float | None = None
        """Until when the sampling is known to have gone on."""
        self.event = ""
        self._others: set[str] = set()
        self._times, self._stacks, self._periods = array("d"), array("L"), array("d")

    def add(self, event: Event) -> None:
        """Take the next event."""
        match event:
            case SampleBatch():
                self._add_samples(event)
            case StressStats():
                self._stress.append(event)
            case CounterReading():
                self._add_counter(event)
            case NodeStatus():
                if event.pid is not None:
                    self._labels[event.pid] = event.name
                self._add_status(event)
            case ProcessUsage():
                self._add_level(MEMORY, event.label, event.time, event.rss)
            case PipelineStats():
                self._looked = event.time
            case TargetsChanged():
                self._labels.update({t.pid: t.label for t in event.targets})
            case Marker() if event.kind is MarkerKind.GAP:
                self._gaps.append(event.time)

    def span(self, skip: float) -> tuple[float, float]:
        """From when to when everything that there is was measured at the same time."""
        starts, ends = [], []
        busy = [s.time - s.interval for s in self._stress if s.operations]
        if busy:
            starts.append(busy[0])
            ends.append(self._stress[-1].time)
        if self._times:
            starts.append(min(self._times))
            ends.append(max(self._looked or 0.0, max(self._times)))
        clocks = list(self._counters.get(CPU, {}).values())
        covered = [span for clock in clocks if (span := _covered(clock)) is not None]
        if covered:
            starts.append(min(one for one, _ in covered))
            ends.append(max(two for _, two in covered))
        return (max(starts) + skip, min(ends)) if starts else (0.0, 0.0)

    def whole(self, start: float, end: float) -> bool:
        """Whether no sample is known to be missing from this stretch."""
        return bisect_left(self._gaps, start) == bisect_right(self._gaps, end)

    def fill(self, blocks: Sequence[Block], edges: Edges) -> None:
        """Put everything into the block of its time."""
        for time, stack in zip(self._times, self._stacks, strict=True):
            at = edges.index(time)
            if at is not None:
                counts = blocks[at].counts
                counts[stack] = counts.get(stack, 0) + 1
        for block, (start, end) in zip(blocks, edges.pairs(), strict=True):
            for name, by_label in self._amounts():
                amount = _amount(by_label, start, end)
                if amount is not None:
                    block.amounts[name] = amount
            for name, heights in self._levels.items():
                level = _level(list(heights.values()), start, end, name == MEMORY)
                if level is not None:
                    block.levels[name] = level
        self._fill_latencies(blocks, edges)
        if CPU not in self._counters and self._is_clock():
            self._fill_clock(blocks, edges)

    def notes(self) -> list[str]:
        """What the reader should know."""
        if not self._others:
            return []
        others = safe_text(", ".join(sorted(self._others)))
        return [f"only samples of {self.event} are compared; --event chooses others ({others})"]

    def _is_clock(self) -> bool:
        return self.event.partition(":")[0] in CLOCKS and all(p > 1 for p in self._periods)

    def _fill_clock(self, blocks: Sequence[Block], edges: Edges) -> None:
        for block in blocks:
            block.amounts[CPU] = 0.0
        for time, period in zip(self._times, self._periods, strict=True):
            at = edges.index(time)
            if at is not None:
                blocks[at].amounts[CPU] += period / 1e9

    def _fill_latencies(self, blocks: Sequence[Block], edges: Edges) -> None:
        for stats in self._stress:
            at = edges.index(stats.time - stats.interval / 2)
            if at is None:
                continue
            heights = zip(LATENCIES, (stats.p50, stats.p99, stats.p999), strict=True)
            for name, seconds in heights:
                if seconds is not None:
                    total, weight = blocks[at].levels.get(name, (0.0, 0.0))
                    n = stats.operations
                    blocks[at].levels[name] = total + n * seconds, weight + n

    def _amounts(self) -> Iterator[tuple[str, list[Cumulative]]]:
        if self._stress:
            operations, errors = Cumulative(_ALL), Cumulative(_ALL)
            for stats in self._stress:
                operations.add(stats.time - stats.interval, stats.time, stats.operations)
                errors.add(stats.time - stats.interval, stats.time, stats.errors)
            yield from ((OPS, [operations]), (ERRORS, [errors]))
        yield from ((event, list(c.values())) for event, c in self._counters.items())
        if self._fdatasyncs:
            yield FDATASYNC, list(self._fdatasyncs.values())

    def _add_samples(self, batch: SampleBatch) -> None:
        for sample in batch.samples:
            if self._globs and not self._is_wanted(self._labels.get(sample.pid, "")):
                continue
            if not self.event and self._wanted in (None, sample.event, _base(sample.event)):
                self.event = sample.event
            if sample.event != self.event:
                self._others.add(sample.event)
                continue
            self._times.append(sample.time)
            self._stacks.append(sample.stack)
            self._periods.append(sample.period)

    def _add_counter(self, reading: CounterReading) -> None:
        if reading.by is not CountedBy.TARGET or reading.value is None:
            return
        if self._is_wanted(reading.label):
            value = reading.value / 1e3 if reading.event == CPU else reading.value
            labels = self._counters.setdefault(reading.event, {})
            total = labels.setdefault(reading.label, Cumulative(_ALL))
            total.add(reading.time - reading.interval, reading.time, value)

    def _add_status(self, status: NodeStatus) -> None:
        if not self._is_wanted(status.name):
            return
        if status.fdatasyncs is not None:
            calls = self._fdatasyncs.setdefault(status.name, Cumulative(_ALL))
            calls.add_total(status.time, status.fdatasyncs)
        if status.fdatasync_p99 is not None:
            self._add_level(FDATASYNC_P99, status.name, status.time, status.fdatasync_p99)

    def _add_level(self, name: str, label: str, time: float, height: float) -> None:
        if self._is_wanted(label):
            heights = self._levels.setdefault(name, {}).setdefault(label, [])
            if not heights or time > heights[-1][0]:
                heights.append((time, height))

    def _is_wanted(self, label: str) -> bool:
        return not self._globs or any(fnmatchcase(label, glob) for glob in self._globs)


def _base(event: str) -> str:
    return event.partition(":")[0]


def _covered(total: Cumulative) -> tuple[float, float] | None:
    """Begin and end of what was counted."""
    first = next(iter(total.ends(float("-inf"), float("inf"))), None)
    return None if first is None or total.last_time is None else (first, total.last_time)


def _amount(totals: Sequence[Cumulative], start: float, end: float) -> float | None:
    """What all of them counted in a stretch; None where part of it is not known.

    A target that had not begun, or had ended, counts nothing; but somebody must have counted.
    """
    spans = [(total, span) for total in totals if (span := _covered(total)) is not None]
    if not spans or start < min(s[0] for _, s in spans) or end > max(s[1] for _, s in spans):
        return None
    amount = 0.0
    for total, (first, last) in spans:
        one, two = max(start, first), min(end, last)
        if one < two:
            part = total.between(one, two)
            if part is None:
                return None
            amount += part
    return amount


def _level(
    labels: Sequence[Sequence[tuple[float, float]]], start: float, end: float, summed: bool
) -> tuple[float, float] | None:
    """Mean height in a stretch, times its seconds, and the seconds; of all labels together or,
    where not ``summed``, of the mean one."""
    means = []
    for heights in labels:
        low = bisect_left(heights, (start, float("-inf")))
        high = bisect_left(heights, (end, float("-inf")))
        inside = [height for _, height in heights[low:high]]
        if inside:
            means.append(sum(inside) / len(inside))
    if not means:
        return None
    mean = sum(means) if summed else sum(means) / len(means)
    return mean * (end - start), end - start
