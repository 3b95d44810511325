"""Opens what is compared: recordings, and every profile that kvtop reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kvtop.compare.blocks import CLOCKS, Edges, add_samples
from kvtop.compare.model import CPU, Block, CompareError, Pair, Run
from kvtop.compare.stacks import moved, moved_ids
from kvtop.events import StackSample
from kvtop.export.detect import HEAD, is_recording
from kvtop.opening.files import STDIN, open_profile
from kvtop.opening.model import ProfileError, Split, Wanted
from kvtop.profile.stacks import StackTable
from kvtop.profile.text import safe_text


@dataclass(frozen=True, slots=True)
class Choice:
    """What of the files is compared: targets whose label matches one of the globs (all where
    there is none), without the first ``skip`` seconds; ``event`` None takes the first."""

    targets: tuple[str, ...] = ()
    skip: float = 0.0
    event: str | None = None


def open_pair(before: Sequence[str], after: Sequence[str], choice: Choice) -> Pair:
    """Read all files of both sides; CompareError says why not."""
    table = StackTable()
    sides = [[_open(name, table, choice) for name in names] for names in (before, after)]
    runs = [*sides[0], *sides[1]]
    units = sorted({run.unit for run in runs if run.samples})
    if len(units) > 1:
        raise CompareError(
            f"one of the profiles counts {units[0]}, another {units[1]}: they cannot be compared."
        )
    return Pair(sides[0], sides[1], table)


def _open(name: str, table: StackTable, choice: Choice) -> Run:
    if name != STDIN and _is_recording(name):
        from kvtop.compare.recorded import open_run

        return open_run(name, table, choice)
    if choice.targets:
        raise CompareError(
            f"--target chooses in recordings, which know their targets; "
            f"{safe_text(name, 200)} is a profile."
        )
    return _profile_run(name, table, choice)


def _is_recording(name: str) -> bool:
    try:
        with Path(name).open("rb") as file:
            return is_recording(file.read(HEAD))
    except OSError:
        return False  # the reader of profiles says what is wrong with it


def _profile_run(name: str, table: StackTable, choice: Choice) -> Run:
    samples: list[StackSample] = []
    try:
        profile = open_profile(name, Wanted(event=choice.event), samples.extend)
    except ProfileError as error:
        raise CompareError(str(error)) from error
    meta = profile.meta
    samples = [sample for sample in samples if sample.event == meta.event]
    samples.sort(key=lambda sample: sample.time)
    counts = profile.groups(Split.NONE).get("", {})
    ids = moved_ids(profile.table, table, counts)
    notes = list(profile.notes)
    if samples:
        blocks = _timed(samples, choice, name)
    else:
        if choice.skip:
            raise CompareError(
                f"--skip needs times, which {safe_text(name, 200)} does not have: leave it out."
            )
        blocks = [Block(profile.duration, dict(counts))]
    for block in blocks:
        block.counts = moved(block.counts, ids)
    return Run(meta.title or name, blocks, meta.unit, meta.event, meta.host, meta.kernel, notes)


def _timed(samples: list[StackSample], choice: Choice, name: str) -> list[Block]:
    """Blocks of perf's samples, with their CPU time where the event is a clock."""
    start, end = samples[0].time + choice.skip, samples[-1].time
    if start >= end:
        if not choice.skip:
            return [Block(0.0, _counted(samples))]
        raise CompareError(f"--skip leaves nothing of {safe_text(name, 200)}: skip less.")
    edges = Edges.of(start, end)
    blocks = edges.blocks()
    add_samples(blocks, edges, samples)
    if is_clock(samples):
        add_clock(blocks, edges, samples)
    return blocks


def _counted(samples: Sequence[StackSample]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for sample in samples:
        counts[sample.stack] = counts.get(sample.stack, 0) + 1
    return counts


def is_clock(samples: Sequence[StackSample]) -> bool:
    """Whether their periods, which text of perf script may lack, are CPU time."""
    return samples[0].event.partition(":")[0] in CLOCKS and all(s.period > 1 for s in samples)


def add_clock(blocks: list[Block], edges: Edges, samples: Sequence[StackSample]) -> None:
    """CPU seconds of each block by the periods of its samples, which are of a clock."""
    for block in blocks:
        block.amounts[CPU] = 0.0
    for sample in samples:
        at = edges.index(sample.time)
        if at is not None:
            blocks[at].amounts[CPU] += sample.period / 1e9
