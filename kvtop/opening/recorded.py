"""Reads kvtop's recordings: the samples of the whole time, or of a part of it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import IO

from kvtop.events import (
    NodeStatus,
    PipelineStats,
    SampleBatch,
    SpiedBatch,
    TargetsChanged,
)
from kvtop.export.svg import SvgMeta
from kvtop.opening.copied import copied
from kvtop.opening.folding import Folding, Folds
from kvtop.opening.model import Profile, ProfileError, Sink, Thread, Wanted
from kvtop.recording.meta import RecordingError
from kvtop.recording.reader import Recording


def read_recording(path: str, wanted: Wanted, sink: Sink | None = None) -> Profile:
    """Read a recording; ProfileError says why not."""
    try:
        return _read(Recording.open(path), wanted, sink)
    except RecordingError as error:
        raise ProfileError(str(error)) from error


def read_recording_stream(
    head: bytes, file: IO[bytes], wanted: Wanted, sink: Sink | None = None
) -> Profile:
    """Read a recording that comes through a pipe; it is read more than once, so from a copy."""
    with copied(head, file, ".kvtop") as path:
        try:
            return read_recording(path, wanted, sink)
        except ProfileError as error:
            raise ProfileError(str(error).replace(path, "standard input")) from error


def _read(recording: Recording, wanted: Wanted, sink: Sink | None) -> Profile:
    # The time range counts from the first event of any kind, as the replay's does.
    origin = recording.span[0] if wanted.has_range else None
    folding, spied = (Folding(wanted, sink, origin) for _ in range(2))
    owners: dict[int, str] = {}
    last: PipelineStats | None = None
    for event in recording.events():
        match event:
            case SampleBatch():
                folding.add(event.samples)
            case SpiedBatch():
                spied.add(event.samples)
            case TargetsChanged():
                owners.update({target.pid: target.label for target in event.targets})
            case NodeStatus() if event.pid is not None:
                owners[event.pid] = event.name
            case PipelineStats():
                last = event
    if not folding.events:
        folding.first, folding.last = spied.first, spied.last
    # py-spy's samples are others than perf's: they are shown where they are asked for.
    folding.events |= spied.events
    name, folds = folding.chosen()
    meta = recording.meta
    by_perf = last is not None and name not in spied.events
    notes = folding.notes(name)
    if recording.cut:
        notes.append(recording.cut.rstrip("."))
    if recording.skipped:
        notes.append(f"{recording.skipped:,} of its events are of another version and left out")
    return Profile(
        recording.table,
        SvgMeta(
            title=meta.run.title,
            command=shlex.join(meta.command),
            host=meta.host,
            kernel=meta.kernel,
            event=name,
            frequency=last.rate_text if last is not None and by_perf else "",
            window=folding.window,
            version=meta.kvtop,
            unit=folding.unit(name),
        ),
        _owned(folds, owners),
        notes,
        meta.run.wall_offset + folding.first,
        folding.seconds,
    )


def _owned(folds: Folds, owners: Mapping[int, str]) -> Folds:
    """The same folds by threads that know which target they belong to."""
    return {
        Thread(thread.comm, thread.pid, thread.tid, owners.get(thread.pid, "")): counts
        for thread, counts in folds.items()
    }
