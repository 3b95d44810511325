"""Opens what a report is of: a recording, or a profile that `kvtop.opening` can read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from kvtop.events import Role, StackSample
from kvtop.export.detect import HEAD, is_recording
from kvtop.opening.files import open_profile
from kvtop.opening.model import Profile, Split
from kvtop.profile.layers import Rule
from kvtop.profile.ring import EVERYTHING, GroupKey, SampleRing
from kvtop.profile.series import Series
from kvtop.profile.stacks import StackTable
from kvtop.recording.meta import RecordingMeta
from kvtop.recording.reader import Recording
from kvtop.report.history import History
from kvtop.report.readings import ToolReadings
from kvtop.store import Store
from kvtop.tool_events import ToolReading

Counts = Mapping[int, int]
_POINTS = 1 << 20
"""Intervals of the clients that are kept: twelve days of seconds."""


@dataclass(slots=True)
class Recorded:
    """What only a recording has; ``start`` and ``end`` are monotonic times of its events.

    ``readings`` are what perf's other tools told.
    """

    meta: RecordingMeta
    store: Store
    history: History
    start: float
    end: float
    readings: ToolReadings = field(default_factory=ToolReadings)

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.start


@dataclass(slots=True)
class Material:
    """Everything that a report is made of.

    ``groups`` are folds (stack id -> weight in ``unit``) of what ran on a CPU, by target or
    command; ``seconds`` is the time that they cover, 0 where that is not known. ``ring`` has the
    samples with their times, where the file has those. ``notes`` are sentences without their stop.
    """

    path: str
    name: str
    table: StackTable
    rules: Sequence[Rule]
    groups: dict[str, dict[int, int]]
    unit: str
    seconds: float
    notes: list[str] = field(default_factory=list)
    ring: SampleRing | None = None
    recorded: Recorded | None = None
    profile: Profile | None = None

    @property
    def counts(self) -> dict[int, int]:
        """All groups together."""
        return together(self.groups.values())


def together(folds: Iterable[Counts]) -> dict[int, int]:
    """The sum of folds."""
    every: dict[int, int] = {}
    for fold in folds:
        for stack, weight in fold.items():
            every[stack] = every.get(stack, 0) + weight
    return every


def _is_recording(path: str) -> bool:
    """Whether the file's first bytes are those of a recording; False where it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return is_recording(file.read(HEAD))
    except OSError:
        return False


def open_material(path: str, rules: Sequence[Rule]) -> Material:
    """Read the file; RecordingError or ProfileError says in a sentence why not."""
    return _recorded(path, rules) if _is_recording(path) else _profile(path, rules)


def _recorded(path: str, rules: Sequence[Rule]) -> Material:
    recording = Recording.open(path)
    store, history = recording.empty_store(), History()
    readings = ToolReadings()
    for series in ("rate", "p50", "p99", "p999"):
        setattr(store.stress, series, Series(_POINTS))
    for event in recording.events():
        store.apply(event)
        history.add(event)
        if isinstance(event, ToolReading):
            readings.add(event)
    # Who died is one of those that the layers and findings are of.
    store.targets = {t.label: t for t in history.targets.values()} | store.targets
    start, end = recording.span
    notes = [recording.cut.rstrip(".")] if recording.cut else []
    if recording.skipped:
        notes.append(f"{recording.skipped:,} of its events are of another version and left out")
    return Material(
        path,
        Path(path).name,
        recording.table,
        rules,
        store.ring.fold_by(EVERYTHING, GroupKey.LABEL),
        "samples",
        ring_seconds(store.ring),
        notes,
        store.ring,
        Recorded(recording.meta, store, history, start, end, readings),
    )


def ring_seconds(ring: SampleRing) -> float:
    """From the first sample to the last."""
    if ring.first_time is None or ring.last_time is None:
        return 0.0
    return ring.last_time - ring.first_time


def _profile(path: str, rules: Sequence[Rule]) -> Material:
    samples: list[StackSample] = []
    profile = open_profile(path, None, samples.extend)
    ring = None
    if samples:
        ring = SampleRing(profile.table, inf, len(samples))
        for sample in samples:
            if sample.event == profile.meta.event:
                ring.append(sample, sample.comm, Role.OTHER)
    return Material(
        path,
        Path(path).name,
        profile.table,
        rules,
        profile.groups(Split.COMMAND),
        profile.meta.unit,
        profile.duration,
        list(profile.notes),
        ring,
        profile=profile,
    )
