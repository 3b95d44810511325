"""The bounded ring of samples, and the folds that every view is made of.

Samples are columns of machine numbers (28 bytes each) in time order; who a sample belongs to
(process, thread, event, label, role) is one small int that many samples share.
"""

from __future__ import annotations

import copy
import re
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import compress
from math import inf
from typing import Literal, NamedTuple

from kvtop.events import Role, StackSample
from kvtop.profile.stacks import StackTable

Weight = Literal["samples", "period"]


class GroupKey(StrEnum):
    """What a fold can be split by."""

    LABEL = "label"
    ROLE = "role"
    PROCESS = "process"
    THREAD = "thread"
    EVENT = "event"


class Origin(NamedTuple):
    """Whose sample it is."""

    pid: int
    tid: int
    comm: str
    event: str
    label: str
    role: Role

    def group(self, key: GroupKey) -> str:
        """The name of the group that this origin falls into (raw text, not yet safe)."""
        match key:
            case GroupKey.LABEL:
                return self.label
            case GroupKey.ROLE:
                return self.role.value
            case GroupKey.PROCESS:
                return f"{self.label} ({self.pid})"
            case GroupKey.THREAD:
                return f"{self.comm} ({self.tid})"
            case GroupKey.EVENT:
                return self.event


@dataclass(frozen=True, slots=True)
class Filter:
    """Which samples to fold; ``None`` means "any".

    ``start`` and ``end`` are monotonic seconds, both inclusive. ``pattern`` is searched in the
    symbols of the stack: one frame that matches is enough.
    """

    start: float | None = None
    end: float | None = None
    labels: frozenset[str] | None = None
    roles: frozenset[Role] | None = None
    pids: frozenset[int] | None = None
    tids: frozenset[int] | None = None
    comms: frozenset[str] | None = None
    events: frozenset[str] | None = None
    pattern: re.Pattern[str] | None = None

    def accepts(self, origin: Origin) -> bool:
        """Whether samples of this origin pass, time and pattern aside."""
        return (
            (self.labels is None or origin.label in self.labels)
            and (self.roles is None or origin.role in self.roles)
            and (self.pids is None or origin.pid in self.pids)
            and (self.tids is None or origin.tid in self.tids)
            and (self.comms is None or origin.comm in self.comms)
            and (self.events is None or origin.event in self.events)
        )


EVERYTHING = Filter()
_SLACK = 65536
"""Dropped samples that may wait for their room to be given back, all at once."""
_COMPACT_EVERY = 256


class SampleRing:
    """The newest ``seconds`` of samples, at most ``max_samples`` of them.

    ``revision`` moves with every change. ``dropped`` counts samples that had to leave, or could
    not come in, for want of room or because their stack was forgotten; those that merely grew
    older than ``seconds`` are not counted.
    """

    def __init__(
        self, table: StackTable, seconds: float = 600.0, max_samples: int = 2_000_000
    ) -> None:
        if seconds <= 0 or max_samples < 1:
            raise ValueError("a ring needs a positive time span and room for a sample")
        self.table = table
        self.seconds = seconds
        self.max_samples = max_samples
        self.revision = 0
        self.dropped = 0
        self._head = 0
        self._times = array("d")
        self._stacks = array("q")
        self._periods = array("q")
        self._who = array("i")
        self._origins: dict[int, Origin] = {}
        self._origin_ids: dict[Origin, int] = {}
        self._origin_count: dict[int, int] = {}
        self._free: list[int] = []
        self._one_event = False
        self._event: str | None = None
        self._first_event = ""

    def __len__(self) -> int:
        return len(self._times) - self._head

    @property
    def first_time(self) -> float | None:
        """Time of the oldest sample held, monotonic seconds."""
        return self._times[self._head] if len(self) else None

    @property
    def last_time(self) -> float | None:
        """Time of the newest sample held, monotonic seconds."""
        return self._times[-1] if len(self) else None

    @property
    def origins(self) -> list[Origin]:
        """Whose samples the ring holds, in no particular order."""
        return list(self._origins.values())

    @property
    def events(self) -> list[str]:
        """The events of the samples held, sorted."""
        return sorted({origin.event for origin in self._origins.values()})

    @property
    def event(self) -> str | None:
        """The one event whose samples are folded and counted; None where there is but one."""
        return self._event

    def one_event(self) -> None:
        """From now on samples of different events, whose weights have different units, are never
        added up: folds and histograms are of one, the first that came until ``show_event``."""
        self._one_event = True
        self.revision += 1

    def show_event(self, event: str | None) -> None:
        """Fold and count the samples of this event; a filter that names events is obeyed still."""
        self._event = event
        self.revision += 1

    def append(self, sample: StackSample, label: str, role: Role) -> None:
        """Take a sample; one that comes late (perf's per-CPU buffers) is put in its place."""
        time, times = sample.time, self._times
        newest = times[-1] if len(times) > self._head else time
        if time < newest - self.seconds:
            self.dropped += 1
            return
        try:
            self.table.retain(sample.stack)
        except KeyError:
            self.dropped += 1
            return
        who = self._origin_id(
            Origin(sample.pid, sample.tid, sample.comm, sample.event, label, role)
        )
        if time >= newest:
            newest = time
            times.append(time)
            self._stacks.append(sample.stack)
            self._periods.append(sample.period)
            self._who.append(who)
        else:
            at = bisect_right(times, time, self._head)
            times.insert(at, time)
            self._stacks.insert(at, sample.stack)
            self._periods.insert(at, sample.period)
            self._who.insert(at, who)
        self.revision += 1
        if times[self._head] < newest - self.seconds or len(self) > self.max_samples:
            self._evict(newest - self.seconds)
        if not self.revision % _COMPACT_EVERY:
            self.table.maybe_compact()

    def copy(self) -> SampleRing:
        """The same samples, for reading; it keeps no stack from being forgotten."""
        twin = copy.copy(self)
        twin._times, twin._stacks = self._times[:], self._stacks[:]
        twin._periods, twin._who = self._periods[:], self._who[:]
        twin._origins = dict(self._origins)
        return twin

    def clear(self) -> None:
        """Forget every sample."""
        while len(self):
            self._drop_oldest()
        self._trim(0)
        self.revision += 1

    def fold(self, filter: Filter = EVERYTHING, weight: Weight = "samples") -> dict[int, int]:
        """Stack id -> number of samples, or the sum of their periods."""
        low, high = self._span(filter)
        chosen = self._chosen(filter)
        counts: dict[int, int]
        if weight == "samples":
            stacks = self._stacks[low:high]
            counts = Counter(
                stacks if chosen is None else compress(stacks, self._mask(low, high, chosen))
            )
        else:
            counts = {}
            for at in self._indices(low, high, chosen):
                stack = self._stacks[at]
                counts[stack] = counts.get(stack, 0) + self._periods[at]
        if filter.pattern is None:
            return dict(counts)
        matching = matching_stacks(self.table, counts, filter.pattern)
        return {s: n for s, n in counts.items() if s in matching}

    def fold_by(
        self, filter: Filter, key: GroupKey, weight: Weight = "samples"
    ) -> dict[str, dict[int, int]]:
        """Group name -> fold of that group, groups in name order."""
        low, high = self._span(filter)
        chosen = self._chosen(filter)
        names = {who: origin.group(key) for who, origin in self._origins.items()}
        groups: dict[str, dict[int, int]] = {}
        for at in self._indices(low, high, chosen):
            counts = groups.setdefault(names[self._who[at]], {})
            stack = self._stacks[at]
            counts[stack] = counts.get(stack, 0) + (1 if weight == "samples" else self._periods[at])
        if filter.pattern is not None:
            every = {s for counts in groups.values() for s in counts}
            matching = matching_stacks(self.table, every, filter.pattern)
            groups = {
                name: kept
                for name, counts in groups.items()
                if (kept := {s: n for s, n in counts.items() if s in matching})
            }
        return dict(sorted(groups.items()))

    def times(self, filter: Filter = EVERYTHING) -> array[float]:
        """Times of the samples that pass, oldest first."""
        low, high = self._span(filter)
        chosen = self._chosen(filter)
        if filter.pattern is None and chosen is None:
            return self._times[low:high]
        indices: Iterator[int] = self._indices(low, high, chosen)
        if filter.pattern is not None:
            matching = matching_stacks(self.table, set(self._stacks[low:high]), filter.pattern)
            indices = (at for at in indices if self._stacks[at] in matching)
        return array("d", (self._times[at] for at in indices))

    def histogram(
        self, start: float, end: float, buckets: int, filter: Filter = EVERYTHING
    ) -> list[int]:
        """Samples that pass per bucket of ``(end - start) / buckets`` seconds."""
        if buckets < 1 or end <= start:
            raise ValueError("a histogram needs a bucket and a time span")
        counts = [0] * buckets
        scale = buckets / (end - start)
        times = self.times(filter)
        for time in times[bisect_left(times, start) : bisect_left(times, end)]:
            counts[min(int((time - start) * scale), buckets - 1)] += 1
        return counts

    def histogram_by(
        self, start: float, end: float, buckets: int, key: GroupKey, filter: Filter = EVERYTHING
    ) -> dict[str, list[int]]:
        """As `histogram`, a list per group; the filter's pattern is of no account."""
        if buckets < 1 or end <= start:
            raise ValueError("a histogram needs a bucket and a time span")
        scale = buckets / (end - start)
        names = {who: origin.group(key) for who, origin in self._origins.items()}
        low, high = self._span(filter)
        low, high = max(low, self._first(start)), min(high, self._first(end))
        groups: dict[str, list[int]] = {}
        for at in self._indices(low, high, self._chosen(filter)):
            row = groups.setdefault(names[self._who[at]], [0] * buckets)
            row[min(int((self._times[at] - start) * scale), buckets - 1)] += 1
        return groups

    def count(self, start: float, end: float) -> int:
        """Samples from ``start`` up to, and without, ``end``; costs next to nothing."""
        return self._first(end) - self._first(start) if end > start else 0

    def newest(self, time: float) -> float | None:
        """Time of the last sample up to a moment, None where there is none."""
        at = bisect_right(self._times, time, self._head)
        return self._times[at - 1] if at > self._head else None

    def _first(self, time: float) -> int:
        """Index of the first sample at or after a time."""
        return bisect_left(self._times, time, self._head)

    def iter_samples(self, filter: Filter = EVERYTHING) -> Iterator[tuple[StackSample, str, Role]]:
        """Sample, label and role of what passes, oldest first, of every event that the filter lets
        pass; do not append meanwhile."""
        low, high = self._span(filter)
        matching: set[int] | None = None
        if filter.pattern is not None:
            matching = matching_stacks(self.table, set(self._stacks[low:high]), filter.pattern)
        for at in self._indices(low, high, self._passing(filter)):
            stack = self._stacks[at]
            if matching is not None and stack not in matching:
                continue
            who = self._origins[self._who[at]]
            sample = StackSample(
                self._times[at], who.pid, who.tid, who.comm, who.event, self._periods[at], stack
            )
            yield sample, who.label, who.role

    def _span(self, filter: Filter) -> tuple[int, int]:
        low = -inf if filter.start is None else filter.start
        high = inf if filter.end is None else filter.end
        first = bisect_left(self._times, low, self._head)
        return first, bisect_right(self._times, high, first)

    def _chosen(self, filter: Filter) -> dict[int, bool] | None:
        """Origin -> passes or not; None where all do."""
        if self._event is not None and filter.events is None:
            filter = replace(filter, events=frozenset((self._event,)))
        return self._passing(filter)

    def _passing(self, filter: Filter) -> dict[int, bool] | None:
        """As `_chosen`, of every event."""
        chosen = {who: filter.accepts(origin) for who, origin in self._origins.items()}
        return None if all(chosen.values()) else chosen

    def _mask(self, low: int, high: int, chosen: dict[int, bool]) -> Iterator[bool]:
        return map(chosen.__getitem__, self._who[low:high])

    def _indices(self, low: int, high: int, chosen: dict[int, bool] | None) -> Iterator[int]:
        span = range(low, high)
        return iter(span) if chosen is None else compress(span, self._mask(low, high, chosen))

    def _origin_id(self, origin: Origin) -> int:
        who = self._origin_ids.get(origin)
        if who is None:
            self._first_event = self._first_event or origin.event
            if self._one_event and self._event is None and origin.event != self._first_event:
                self._event = self._first_event
            who = self._free.pop() if self._free else len(self._origins)
            self._origins[who] = origin
            self._origin_ids[origin] = who
            self._origin_count[who] = 0
        self._origin_count[who] += 1
        return who

    def _evict(self, oldest: float) -> None:
        while len(self) > self.max_samples:
            self._drop_oldest()
            self.dropped += 1
        while self._times[self._head] < oldest:
            self._drop_oldest()
        self._trim(_SLACK)

    def _drop_oldest(self) -> None:
        self.table.release(self._stacks[self._head])
        who = self._who[self._head]
        self._origin_count[who] -= 1
        if not self._origin_count[who]:
            del self._origin_ids[self._origins.pop(who)]
            del self._origin_count[who]
            self._free.append(who)
        self._head += 1

    def _trim(self, slack: int) -> None:
        """Give the room of dropped samples back, many at a time."""
        if self._head > min(slack, self.max_samples):
            for column in (self._times, self._stacks, self._periods, self._who):
                del column[: self._head]
            self._head = 0


def matching_stacks(
    table: StackTable, stacks: dict[int, int] | set[int], pattern: re.Pattern[str]
) -> set[int]:
    """Those of ``stacks`` in which a frame's symbol matches."""
    verdicts: dict[int, bool] = {}

    def matches(frame: int) -> bool:
        known = verdicts.get(frame)
        if known is None:
            known = verdicts[frame] = pattern.search(table.frame(frame).symbol) is not None
        return known

    return {s for s in stacks if any(matches(f) for f in table.frames(s))}
