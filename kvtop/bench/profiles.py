"""Profiles of benchmarks as files beside a file of figures, and what changed between two.

Beside ``bench.json`` lies ``bench.profiles/`` with ``NAME.folded``, which says in its first line
how many operations it is of, ``NAME.svg``, and ``NAME.diff.svg`` where there was one to compare
with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import kvtop
from kvtop.bench.sampling import RATE, Sampled
from kvtop.export.folded import read_folded, write_folded
from kvtop.export.outputs import write_file
from kvtop.export.svg import SvgMeta, write_svg
from kvtop.export.svg_diff import DiffMeta, write_svg_diff
from kvtop.profile.diff import BAND, Side, SymbolChange, diff_symbols
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.stacks import StackTable

_HOME = f"{Path(kvtop.__file__).resolve().parent.parent}/"
_LIBRARY = re.compile(r"^.*/(?=(?:site-packages|python3\.\d+t?)/)")
_HEAD = re.compile(r"# kvtop bench (\S+): (\d+) operations in ([\d.]+) s, (\S+) at (\d+) Hz")
_NAMED = 3
"""Functions that a slower benchmark names."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A profile that was read back; ``counts`` are samples."""

    name: str
    operations: int
    seconds: float
    event: str
    rate: int
    counts: dict[int, int]


def directory_of(figures: Path) -> Path:
    """Where the profiles lie that belong to a file of figures."""
    name = figures.name.removesuffix(".gz").removesuffix(".json")
    return figures.with_name(f"{name}.profiles")


def save(directory: Path, name: str, sampled: Sampled) -> Path:
    """Write the folded profile and its flamegraph; the path of the first. OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    table = StackTable()
    lines = [
        f"# kvtop bench {name}: {sampled.operations} operations in {sampled.seconds:.3f} s, "
        f"{sampled.event} at {RATE} Hz\n"
    ]
    for group, counts in sampled.groups.items():
        lines.append(write_folded(_portable(counts, sampled.table, table), table, group))
    path = directory / f"{name}.folded"
    write_file(path, "".join(lines).encode())
    shown = StackTable()
    kept = read(path, shown)
    assert kept is not None
    write_file(directory / f"{name}.svg", write_svg(kept.counts, shown, _meta(kept)).encode())
    return path


def read(path: Path, table: StackTable) -> Kept | None:
    """A profile that `save` wrote, None where there is none; ValueError for another file."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return None
    head = _HEAD.fullmatch(lines[0]) if lines else None
    if head is None or not int(head[2]) or not float(head[3]):
        raise ValueError(f"{path.name} is no profile of kvtop bench")
    counts = read_folded(lines[1:], table)
    return Kept(head[1], int(head[2]), float(head[3]), head[4], int(head[5]), counts)


def save_diff(before: Path, after: Path, name: str) -> list[str] | None:
    """Compare a benchmark's profiles in two directories; None where one has none. OSError.

    Writes the red and blue flamegraph into ``after``. The lines name the functions that take
    more CPU an operation than before, more than noise would explain.
    """
    table = StackTable()
    file = f"{name}.folded"
    one, two = read(before / file, table), read(after / file, table)
    if one is None or two is None:
        return None
    diff = DiffMeta("baseline", "now", (one.seconds, two.seconds))
    meta = replace(_meta(two), title=f"{name}: baseline → now", window="")
    text = write_svg_diff({"": one.counts}, {"": two.counts}, table, meta, diff)
    write_file(after / f"{name}.diff.svg", text.encode())
    return list(_guilty(table, one, two))


def _guilty(table: StackTable, one: Kept, two: Kept) -> Iterator[str]:
    # By operation, not by second: the loop does as much as it can in either.
    sides = Side(one.counts, one.operations), Side(two.counts, two.operations)
    changes = [
        change
        for change in diff_symbols(table, *sides, "time", fold_glue=True)
        if change.own.delta > 0 and change.own.significant(BAND)
    ]
    for change in changes[:_NAMED]:
        yield _sentence(change, one.rate, two.rate)


def _sentence(change: SymbolChange, before: int, after: int) -> str:
    frame = change.frame
    where = f" ({frame.object})" if frame.object else ""
    was, now = change.own.before_rate / before, change.own.after_rate / after
    return f"{frame.symbol}{where}: {_time(was)} -> {_time(now)} of CPU an operation"


def _time(seconds: float) -> str:
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "us")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns" if seconds else "0"


def _meta(kept: Kept) -> SvgMeta:
    return SvgMeta(
        title=f"kvtop bench {kept.name}",
        event=kept.event,
        frequency=f"{kept.rate} Hz",
        window=f"{kept.operations:,} operations in {kept.seconds:.3g} s",
    )


def _portable(counts: dict[int, int], source: StackTable, target: StackTable) -> dict[int, int]:
    """The fold with source files as they are named wherever kvtop and Python are installed."""
    frames: dict[int, int] = {}
    made: dict[int, int] = {}
    for stack, weight in counts.items():
        ids = []
        for frame_id in source.frames(stack):
            if frame_id not in frames:
                frames[frame_id] = target.intern(_portable_frame(source.frame(frame_id)))
            ids.append(frames[frame_id])
        moved = target.stack_id(ids)
        made[moved] = made.get(moved, 0) + weight
    return made


def _portable_frame(frame: Frame) -> Frame:
    if frame.kind is not Kind.PYTHON:
        return frame
    return replace(frame, file=_LIBRARY.sub("", frame.file.removeprefix(_HOME)))
