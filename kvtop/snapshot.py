"""Saves a window of the past: the SVG alone, or SVG, folded stacks, perf.data and perf.unfold."""

from __future__ import annotations

import asyncio
import shlex
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kvtop import __version__
from kvtop.export.folded import write_folded
from kvtop.export.svg import SvgMeta, write_svg
from kvtop.profile.diff import Side
from kvtop.profile.stacks import StackTable
from kvtop.session import Session

_ON_THE_WAY = 2.0
"""Seconds between a sample and its arrival that no one need be told of."""


class SaveError(Exception):
    """A file that could not be written: one sentence with the reason."""


@dataclass(frozen=True, slots=True)
class Shot:
    """What is to be saved: the fold (stack id -> samples) of ``window`` seconds.

    ``until`` is its newest moment, monotonic seconds (now where None); ``label`` the one target
    that it is limited to, if it is. Weights of another ``unit`` than samples are of ``event``.
    """

    counts: Mapping[int, int]
    window: float
    until: float | None = None
    label: str | None = None
    unit: str = "samples"
    event: str = ""


async def save_svg(session: Session, shot: Shot) -> Path:
    """Write the fold as an interactive SVG into the output directory; returns its path."""
    path = _unused(session.config.output, ".svg")
    table, meta = session.store.table, _meta(session, shot)
    text = await asyncio.to_thread(write_svg, shot.counts, table, meta)
    _write(path, text)
    return path.absolute()


async def save_all(session: Session, shot: Shot) -> Path:
    """Write perf.data, perf.unfold, perf.folded and perf.svg into a directory of their own.

    The former two hold every target, and all from the beginning of the window until now; they
    are left out where the weights are no samples.
    """
    directory = _unused(session.config.output, "")
    table = session.store.table
    svg = await asyncio.to_thread(write_svg, shot.counts, table, _meta(session, shot))
    try:
        directory.mkdir(parents=True)
    except OSError as error:
        raise SaveError(f"cannot make {directory}: {error.strerror}.") from error
    _write(directory / "perf.folded", write_folded(shot.counts, table))
    _write(directory / "perf.svg", svg)
    if shot.unit != "samples":
        return directory.absolute()
    try:
        ago = 0.0 if shot.until is None else time.monotonic() - shot.until
        await session.save_perf_data(directory, shot.window + max(0.0, ago))
    except (OSError, ValueError) as error:
        raise SaveError(f"{directory} has perf.svg and perf.folded only: {error}.") from error
    return directory.absolute()


def raw_remark(session: Session, shot: Shot) -> str:
    """A sentence where perf.data cannot hold all of the window; '' where it does.

    Stacks are held for minutes, perf's raw samples, which are a hundred times their size, for
    about one.
    """
    until = time.monotonic() if shot.until is None else shot.until
    since, first = session.raw_since, session.store.ring.first_time
    if since is None or first is None or shot.unit != "samples":
        return ""
    if since <= max(first, until - shot.window) + _ON_THE_WAY:
        return ""
    wall = session.store.wall
    if since >= until:
        return f"perf.data begins at {_clock(wall(since))} only, after all of the window."
    return f"perf.data begins at {_clock(wall(since))} only; the other files hold the whole window."


def _clock(wall: float) -> str:
    return f"{datetime.fromtimestamp(wall):%H:%M:%S}"


async def save_diff(session: Session, one: Side, two: Side, caption: str) -> Path:
    """Write both sides in one file, a line ``stack before after`` each; returns its path.

    That is what difffolded.pl makes and flamegraph.pl draws in red and blue. The first line, a
    comment, says what is compared.
    """
    path = _unused(session.config.output, ".diff.folded")
    text = await asyncio.to_thread(_folded_diff, one, two, session.store.table, caption)
    _write(path, text)
    return path.absolute()


def _folded_diff(one: Side, two: Side, table: StackTable, caption: str) -> str:
    sides: list[dict[str, str]] = []
    for side in (one, two):
        lines = write_folded(side.counts, table).splitlines()
        sides.append({stack: n for stack, _, n in (line.rpartition(" ") for line in lines)})
    before, after = sides
    stacks = sorted(before.keys() | after.keys())
    rows = [f"{stack} {before.get(stack, 0)} {after.get(stack, 0)}\n" for stack in stacks]
    return f"# {caption}\n" + "".join(rows)


def _unused(parent: Path, suffix: str) -> Path:
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    path = parent / f"kvtop-{stamp}{suffix}"
    number = 2
    while path.exists():
        path = parent / f"kvtop-{stamp}-{number}{suffix}"
        number += 1
    return path


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SaveError(f"cannot write {path}: {error.strerror}.") from error


def _meta(session: Session, shot: Shot) -> SvgMeta:
    store = session.store
    pipeline = store.pipeline
    sampled = pipeline if shot.unit == "samples" else None
    until = store.wall(time.monotonic() if shot.until is None else shot.until)
    return SvgMeta(
        title=store.info.title if shot.label is None else f"{shot.label} of {store.info.title}",
        command=shlex.join(["kvtop", *sys.argv[1:]]),
        host=store.info.host,
        kernel=store.info.kernel,
        event=sampled.event if sampled else shot.event,
        frequency=f"{sampled.frequency} Hz" if sampled else "",
        window=f"{shot.window:g} s up to {datetime.fromtimestamp(until):%Y-%m-%d %H:%M:%S}",
        version=__version__,
        unit=shot.unit,
    )
