"""Folded stacks, ``a;b;c 12``: the text that flamegraph.pl, inferno and speedscope read.

Python frames are written as perf names them (``py::name:/path``), kernel frames with the ``_[k]``
suffix that stackcollapse-perf.pl uses, so that a file that is read again keeps its kinds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from kvtop.profile.frames import Frame, Kind, short_source
from kvtop.profile.stacks import StackTable
from kvtop.profile.text import safe_text

_KERNEL_SUFFIX = "_[k]"
_ANNOTATION = re.compile(r"_\[[kwij]\]$")
_PY_SPY = re.compile(r"(?P<name>.+) \((?P<file>[^()]+\.pyx?)(:(?P<line>\d+))?\)")
KERNEL_OBJECT = "[kernel.kallsyms]"


def write_folded(counts: Mapping[int, int], table: StackTable, root: str = "") -> str:
    """One line per stack, sorted; ``root`` (a process or node) is put before each where given."""
    names: dict[int, str] = {}
    merged: dict[str, int] = {}
    prefix = [_escape(safe_text(root))] if root else []
    for stack, weight in counts.items():
        parts = prefix.copy()
        for frame_id in table.frames(stack):
            name = names.get(frame_id)
            if name is None:
                name = names[frame_id] = folded_name(table.frame(frame_id))
            parts.append(name)
        line = ";".join(parts)
        merged[line] = merged.get(line, 0) + weight
    return "".join(f"{line} {merged[line]}\n" for line in sorted(merged) if line)


def write_folded_diff(
    before: Mapping[str, Mapping[int, int]],
    after: Mapping[str, Mapping[int, int]],
    table: StackTable,
) -> str:
    """A line ``stack before after`` each, as difffolded.pl writes and flamegraph.pl draws.

    Both sides are folds by group, '' where there is none.
    """
    sides: list[dict[str, str]] = []
    for groups in (before, after):
        lines = "".join(write_folded(fold, table, name) for name, fold in groups.items())
        parted = (line.rpartition(" ") for line in lines.splitlines())
        sides.append({stack: weight for stack, _, weight in parted})
    one, two = sides
    stacks = sorted(one.keys() | two.keys())
    return "".join(f"{stack} {one.get(stack, 0)} {two.get(stack, 0)}\n" for stack in stacks)


def folded_name(frame: Frame) -> str:
    """A frame as one field of a folded line; ``;`` becomes ``:`` as in stackcollapse-perf.pl."""
    if frame.kind is Kind.PYTHON:
        if frame.line:
            return _escape(f"{frame.symbol} ({frame.file}:{frame.line})")
        return _escape(f"py::{frame.symbol}:{frame.file}")
    if frame.kind is Kind.KERNEL:
        return _escape(frame.symbol) + _KERNEL_SUFFIX
    return _escape(frame.symbol)


def read_folded(lines: Iterable[str], table: StackTable) -> dict[int, int]:
    """Stack id -> weight of folded lines, from any tool that writes them.

    Blank lines and ``#`` comments are passed over; another line that does not end in a
    weight is a ValueError that gives its number.
    """
    counts: dict[int, int] = {}
    ids: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if not text.strip():
            continue
        stack_text, _, weight = text.rstrip().rpartition(" ")
        try:
            value = int(float(weight))
        except (ValueError, OverflowError):
            value = -1
        if value < 0:
            if text.startswith("#"):
                continue
            raise ValueError(f"line {number}: no weight at the end: {safe_text(text, 80)}")
        names = stack_text.split(";")
        try:
            stack = table.stack_id([ids[name] for name in names])
        except KeyError:
            ids.update((name, _frame_id(name, table)) for name in names if name not in ids)
            stack = table.stack_id([ids[name] for name in names])
        counts[stack] = counts.get(stack, 0) + value
    return counts


def _frame_id(name: str, table: StackTable) -> int:
    if name.endswith(_KERNEL_SUFFIX):
        return table.frame_id(name.removesuffix(_KERNEL_SUFFIX), KERNEL_OBJECT)
    match = _PY_SPY.fullmatch(name)
    if match is not None:
        file = safe_text(match["file"])
        line = int(match["line"] or 0)
        symbol = safe_text(match["name"])
        return table.intern(Frame(symbol, short_source(file), Kind.PYTHON, file, line))
    return table.frame_id(_ANNOTATION.sub("", name), "")


def _escape(name: str) -> str:
    return name.replace(";", ":")
