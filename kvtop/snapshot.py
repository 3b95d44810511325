"""Saves a window of the past: the SVG alone, or SVG, folded stacks, perf.data and perf.unfold."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from kvtop import __version__
from kvtop.export.folded import write_folded, write_folded_diff
from kvtop.export.svg import SvgMeta, SvgView, write_svg, write_svg_groups
from kvtop.export.svg_diff import DiffMeta, write_svg_diff
from kvtop.profile.shape import Shown, shaped
from kvtop.profile.stacks import StackTable
from kvtop.session import Session
from kvtop.widgets.compare import Comparison

_ON_THE_WAY = 2.0
"""Seconds between a sample and its arrival that no one need be told of."""


class SaveError(Exception):
    """A file that could not be written: one sentence with the reason."""


@dataclass(frozen=True, slots=True)
class Shot:
    """What is to be saved: the fold (stack id -> samples) of ``window`` seconds.

    ``until`` is its newest moment, monotonic seconds (now where None); ``label`` the one target
    that it is limited to, if it is. Weights of another ``unit`` than samples are of ``event``.
    ``shown`` is how a flamegraph shows them, where one does.
    """

    counts: Mapping[int, int]
    window: float
    until: float | None = None
    label: str | None = None
    unit: str = "samples"
    event: str = ""
    shown: Shown | None = None


async def save_svg(session: Session, shot: Shot) -> Path:
    """Write what is shown as an interactive SVG into the output directory; returns its path.

    Filters, groups and folds are those of the flamegraph; the footer says what they leave out.
    """
    path = unused(session.config.output, ".svg")
    table, meta = session.store.table, _meta(session, shot)
    text = await asyncio.to_thread(_shown_svg, shot, table, meta)
    _write(path, text)
    return path.absolute()


def _shown_svg(shot: Shot, table: StackTable, meta: SvgMeta) -> str:
    if shot.shown is None:
        return write_svg(shot.counts, table, meta)
    groups, shaped_table = shaped(shot.shown, table)
    options = shot.shown.options
    view = SvgView(callers=options.inverted, glue=not options.fold_glue)
    meta = replace(meta, window="  ·  ".join((meta.window, *shot.shown.left_out)))
    return write_svg_groups(groups, shaped_table, meta, view)


async def save_all(session: Session, shot: Shot) -> Path:
    """Write perf.data, perf.unfold, perf.folded and perf.svg into a directory of their own.

    Nothing is filtered in them, whatever the flamegraph hides. The former two hold every target,
    and all from the beginning of the window until now; they are left out where the weights are no
    samples.
    """
    directory = unused(session.config.output, "")
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
        ago = 0.0 if shot.until is None else session.now - shot.until
        await session.save_perf_data(directory, shot.window + max(0.0, ago))
    except (OSError, ValueError) as error:
        raise SaveError(f"{directory} has perf.svg and perf.folded only: {error}.") from error
    return directory.absolute()


def raw_remark(session: Session, shot: Shot) -> str:
    """A sentence where perf.data does not hold all of the window, or is not there; else ''.

    Stacks are held for minutes, perf's raw samples, which are a hundred times their size, for
    about one.
    """
    until = session.now if shot.until is None else shot.until
    since, first = session.raw_since, session.store.ring.first_time
    if shot.unit != "samples":
        return (
            f"Without perf.data and perf.unfold, which hold samples: weighed by {shot.unit} here."
        )
    if since is None or first is None:
        return ""
    if since <= max(first, until - shot.window) + _ON_THE_WAY:
        return ""
    wall = session.store.wall
    if since >= until:
        return f"perf.data begins at {_clock(wall(since))} only, after all of the window."
    return f"perf.data begins at {_clock(wall(since))} only; the other files hold the whole window."


def _clock(wall: float) -> str:
    return f"{datetime.fromtimestamp(wall):%H:%M:%S}"


async def save_diff(session: Session, shown: Comparison) -> Path:
    """Write both sides as one interactive SVG, red where there is more; returns its path."""
    path = unused(session.config.output, ".diff.svg")
    store, (one, two) = session.store, (shown.before.side, shown.after.side)
    names = shown.before.name, shown.after.name
    pipeline = store.pipeline
    meta = SvgMeta(
        title=f"{' → '.join(names)} of {store.info.title}",
        command=shlex.join(["kvtop", *sys.argv[1:]]),
        host=store.info.host,
        kernel=store.info.kernel,
        event=pipeline.event if pipeline else "",
        frequency=pipeline.rate_text if pipeline else "",
        window="  ·  ".join(filter(None, (shown.stretch, shown.before.remark, shown.after.remark))),
        version=__version__,
    )
    diff = DiffMeta(*names, (one.seconds, two.seconds), shown.normalise)
    view = SvgView(callers=shown.options.inverted, glue=not shown.options.fold_glue)
    folds = {"": one.counts}, {"": two.counts}
    text = await asyncio.to_thread(write_svg_diff, *folds, store.table, meta, diff, view)
    _write(path, text)
    return path.absolute()


async def save_diff_folded(session: Session, shown: Comparison) -> Path:
    """Write both sides in one file, a line ``stack before after`` each; returns its path.

    That is what difffolded.pl makes and flamegraph.pl draws in red and blue. The first line, a
    comment, says what is compared.
    """
    path = unused(session.config.output, ".diff.folded")
    folds = {"": shown.before.side.counts}, {"": shown.after.side.counts}
    text = await asyncio.to_thread(write_folded_diff, *folds, session.store.table)
    _write(path, f"# {shown.words}\n{text}")
    return path.absolute()


def unused(parent: Path, suffix: str) -> Path:
    """A name of the present moment that no file has."""
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
    until = store.wall(session.now if shot.until is None else shot.until)
    return SvgMeta(
        title=store.info.title if shot.label is None else f"{shot.label} of {store.info.title}",
        command=shlex.join(["kvtop", *sys.argv[1:]]),
        host=store.info.host,
        kernel=store.info.kernel,
        event=(store.ring.event or sampled.event) if sampled else shot.event,
        frequency=sampled.rate_text if sampled else "",
        window=f"{shot.window:g} s up to {datetime.fromtimestamp(until):%Y-%m-%d %H:%M:%S}",
        version=__version__,
        unit=shot.unit,
    )
