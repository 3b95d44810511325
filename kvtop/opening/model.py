"""A profile that was read from a file, whatever wrote it: folds by thread, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from typing import NamedTuple

from kvtop.events import StackSample
from kvtop.export.detect import Format
from kvtop.export.svg import SvgMeta
from kvtop.profile.stacks import StackTable

Sink = Callable[[list[StackSample]], None]
"""Is given the samples that have a time, in the order of the file, as they are read."""


class ProfileError(Exception):
    """What cannot be opened: one sentence with the remedy."""


class Split(StrEnum):
    """What folds can be kept apart by."""

    COMMAND = "command"
    PROCESS = "process"
    THREAD = "thread"
    NONE = "none"


class Thread(NamedTuple):
    """Whose stacks: for formats that know groups alone, ``comm`` is the group and the rest 0.

    ``target`` is the label of a recording's target, which stands for the name of its program.
    """

    comm: str
    pid: int = 0
    tid: int = 0
    target: str = ""

    def group(self, split: Split) -> str:
        """Name of the group that it falls into, '' where there is none."""
        match split:
            case Split.COMMAND:
                return self.target or self.comm
            case Split.PROCESS:
                name = self.target or self.comm
                return f"{name} ({self.pid})" if self.pid else name
            case Split.THREAD:
                return f"{self.comm} ({self.tid})" if self.tid else self.comm
            case Split.NONE:
                return ""


@dataclass(slots=True)
class Profile:
    """A profile in memory: folds (stack id -> weight in ``meta.unit``) by thread.

    ``notes`` are sentences, without their full stop, on what is left out or doubtful. ``start``
    is the Unix time of the first sample and ``duration`` the span of all, s; 0 where unknown.
    """

    table: StackTable
    meta: SvgMeta
    folds: dict[Thread, dict[int, int]]
    notes: list[str] = field(default_factory=list)
    start: float = 0.0
    duration: float = 0.0

    def groups(self, split: Split) -> dict[str, dict[int, int]]:
        """Group name -> fold, in name order."""
        found: dict[str, dict[int, int]] = {}
        for thread, counts in self.folds.items():
            group = found.setdefault(thread.group(split), {})
            for stack, weight in counts.items():
                group[stack] = group.get(stack, 0) + weight
        return dict(sorted(found.items()))

    def called(self, split: Split) -> str:
        """What a group of this split is."""
        targets = split is Split.COMMAND and any(thread.target for thread in self.folds)
        return "target" if targets else split.value

    @property
    def splits(self) -> list[Split]:
        """Those that make more than one group, NONE first."""
        more = [s for s in Split if len({thread.group(s) for thread in self.folds}) > 1]
        return [Split.NONE, *more]


@dataclass(frozen=True, slots=True)
class Wanted:
    """How to read: ``format`` None looks at the content; ``event`` None takes the first one.

    ``weight_by_period`` counts events (ns of cpu-clock, cycles) and not samples. ``start`` and
    ``end`` are seconds from the beginning: what lies between them is read.
    """

    format: Format | None = None
    event: str | None = None
    weight_by_period: bool = False
    start: float = 0.0
    end: float = inf

    @property
    def has_range(self) -> bool:
        """Whether a part of the time alone is wanted."""
        return self.start > 0 or self.end < inf
