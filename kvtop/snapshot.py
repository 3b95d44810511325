"""Saves a window of the past: the SVG alone, or SVG, folded stacks, perf.data and perf.unfold."""

from __future__ import annotations

import asyncio
import shlex
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from kvtop import __version__
from kvtop.export.folded import write_folded
from kvtop.export.svg import SvgMeta, write_svg
from kvtop.session import Session


class SaveError(Exception):
    """A file that could not be written: one sentence with the reason."""


async def save_svg(session: Session, counts: Mapping[int, int], window: float) -> Path:
    """Write the fold as an interactive SVG into the output directory; returns its path."""
    path = _unused(session.config.output, ".svg")
    text = await asyncio.to_thread(write_svg, counts, session.store.table, _meta(session, window))
    _write(path, text)
    return path.absolute()


async def save_all(session: Session, counts: Mapping[int, int], window: float) -> Path:
    """Write perf.data, perf.unfold, perf.folded and perf.svg into a directory of their own."""
    directory = _unused(session.config.output, "")
    table = session.store.table
    svg = await asyncio.to_thread(write_svg, counts, table, _meta(session, window))
    try:
        directory.mkdir(parents=True)
    except OSError as error:
        raise SaveError(f"cannot make {directory}: {error.strerror}.") from error
    _write(directory / "perf.folded", write_folded(counts, table))
    _write(directory / "perf.svg", svg)
    try:
        await session.save_perf_data(directory, window)
    except (OSError, ValueError) as error:
        raise SaveError(f"{directory} has perf.svg and perf.folded only: {error}.") from error
    return directory.absolute()


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


def _meta(session: Session, window: float) -> SvgMeta:
    store = session.store
    pipeline = store.pipeline
    now = store.wall(time.monotonic())
    return SvgMeta(
        title=store.info.title,
        command=shlex.join(["kvtop", *sys.argv[1:]]),
        host=store.info.host,
        kernel=store.info.kernel,
        event=pipeline.event if pipeline else "",
        frequency=f"{pipeline.frequency} Hz" if pipeline else "",
        window=f"{window:g} s up to {datetime.fromtimestamp(now):%Y-%m-%d %H:%M:%S}",
        version=__version__,
    )
