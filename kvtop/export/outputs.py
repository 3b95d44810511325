"""The files that a profile can be written as: which by the end of a name, made whole in memory,
and put in their place whole or not at all."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from kvtop.export.firefox import FirefoxMeta, write_firefox, write_firefox_fold
from kvtop.export.folded import write_folded
from kvtop.export.pprof import PprofMeta, write_pprof
from kvtop.export.speedscope import write_speedscope
from kvtop.export.svg import PLAIN, SvgMeta, SvgView, write_svg_groups
from kvtop.profile.preorder import Groups
from kvtop.profile.ring import SampleRing
from kvtop.profile.stacks import StackTable


class Output(StrEnum):
    """What can be written; the values are what a person types."""

    SVG = "svg"
    FOLDED = "folded"
    SPEEDSCOPE = "speedscope"
    PPROF = "pprof"
    FIREFOX = "firefox"


_SUFFIXES = {
    ".svg": Output.SVG,
    ".folded": Output.FOLDED,
    ".collapsed": Output.FOLDED,
    ".txt": Output.FOLDED,
    ".speedscope.json": Output.SPEEDSCOPE,
    ".speedscope": Output.SPEEDSCOPE,
    ".pb.gz": Output.PPROF,
    ".pprof": Output.PPROF,
    ".firefox.json": Output.FIREFOX,
}
KNOWN = ".svg, .folded, .speedscope.json, .pb.gz, .firefox.json"


def output_of(name: str) -> Output | None:
    """What a file of this name is to hold; None where the name does not say."""
    return next((form for end, form in _SUFFIXES.items() if name.lower().endswith(end)), None)


@dataclass(frozen=True, slots=True)
class Content:
    """What is written: folds by group; ``ring`` has the same samples where their times are known.

    ``start`` is the Unix time of the first sample and ``duration`` their span, s; 0 where unknown.
    """

    groups: Groups
    table: StackTable
    meta: SvgMeta
    view: SvgView = PLAIN
    ring: SampleRing | None = None
    start: float = 0.0
    duration: float = 0.0


def render(form: Output, content: Content) -> bytes:
    """The file."""
    groups, table, meta = content.groups, content.table, content.meta
    if form is Output.SVG:
        return write_svg_groups(groups, table, meta, content.view).encode()
    if form is Output.FOLDED:
        return "".join(write_folded(fold, table, name) for name, fold in groups.items()).encode()
    if form is Output.SPEEDSCOPE:
        exporter = f"kvtop {meta.version}".strip()
        return write_speedscope(groups, table, meta.title, meta.unit, exporter).encode()
    if form is Output.PPROF:
        pprof = PprofMeta(
            event=meta.event,
            unit=meta.unit,
            time=content.start,
            duration=content.duration,
            comment=meta.title,
        )
        return write_pprof(groups, table, pprof)
    if content.ring is None:
        return write_firefox_fold(groups, table, FirefoxMeta(meta.title), meta.unit).encode()
    first = content.ring.first_time or 0.0
    offset = content.start - first if content.start else 0.0
    interval = content.duration / max(len(content.ring), 1)
    return write_firefox(content.ring, FirefoxMeta(meta.title, offset, interval)).encode()


def write_file(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` in one step, so that no half of it is ever seen; OSError.

    What is no regular file (a pipe, a terminal) is written to as it is.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        target.write_bytes(data)
        return
    aside = target.with_name(f".{target.name[:200]}.{os.getpid()}")
    try:
        aside.write_bytes(data)
        aside.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise
