"""``kvtop flame BEFORE --diff AFTER``: what changed between two profiles, as SVG or folded text."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kvtop.config import UsageError
from kvtop.export.folded import write_folded_diff
from kvtop.export.outputs import Output
from kvtop.export.svg import SvgView
from kvtop.export.svg_diff import DiffMeta, write_svg_diff
from kvtop.opening.files import STDIN
from kvtop.opening.model import Profile
from kvtop.profile.diff import Normalise
from kvtop.profile.preorder import Groups
from kvtop.profile.stacks import StackTable

WRITTEN = (Output.SVG, Output.FOLDED)
"""The formats that have room for two weights."""


def render_diff(
    form: Output, before: Profile, after: Profile, arguments: argparse.Namespace, view: SvgView
) -> bytes:
    """The file. UsageError where the two cannot be compared, or not in this format."""
    if form not in WRITTEN:
        raise UsageError(
            f"a {form} file has no room for two profiles: --diff writes .svg and .folded."
        )
    if before.meta.unit != after.meta.unit:
        raise UsageError(
            f"one of the profiles counts {before.meta.unit}, the other {after.meta.unit}: "
            "they cannot be compared."
        )
    seconds = before.duration, after.duration
    if arguments.per_second and min(seconds) <= 0:
        raise UsageError(
            "--per-second needs two profiles with times, such as those of perf: leave it out."
        )
    table = before.table
    one = before.groups(arguments.split)
    two = _moved(after.groups(arguments.split), after.table, table)
    if form is Output.FOLDED:
        return write_folded_diff(one, two, table).encode()
    names = _name(arguments.file, "before"), _name(arguments.diff, "after")
    same = before.meta.event == after.meta.event
    meta = replace(
        after.meta,
        title=arguments.title or " → ".join(names),
        event=after.meta.event if same else f"{before.meta.event} → {after.meta.event}",
        window="",
    )
    normalise: Normalise = "time" if arguments.per_second else "share"
    diff = DiffMeta(*names, seconds, normalise)
    return write_svg_diff(one, two, table, meta, diff, view).encode()


def _name(path: str | None, otherwise: str) -> str:
    return Path(path).name if path and path != STDIN else otherwise


def _moved(
    groups: Mapping[str, Mapping[int, int]], source: StackTable, table: StackTable
) -> Groups:
    """The same folds with the stack ids of another table."""
    stacks = {stack for counts in groups.values() for stack in counts}
    frames = {f: table.intern(source.frame(f)) for stack in stacks for f in source.frames(stack)}
    ids = {stack: table.stack_id([frames[f] for f in source.frames(stack)]) for stack in stacks}
    return {
        name: {ids[stack]: weight for stack, weight in counts.items()}
        for name, counts in groups.items()
    }
