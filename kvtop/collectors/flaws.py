"""What a stack lacks, its likely cause, and the remedy: one short clause each."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from pathlib import Path

from kvtop.events import Flaw, FlawKind
from kvtop.profile.frames import UNKNOWN_SYMBOL, Kind
from kvtop.profile.stacks import StackTable

FlawKey = tuple[FlawKind, str]
"""The kind, and the object that is at fault."""
KERNEL_SPACE = 1 << 63
KERNEL_OBJECT = "[kernel]"
_NO_STACK = "no stack"
_DELETED = "(deleted)"
_RUN_TIME_CODE = re.compile(
    r"perf-\d+\.map|anon|anon_hugepage\b.*|memfd:.*|zero|SYSV[0-9a-f]+"
    r"|\[(anon|heap|stack)\b.*\]|jit"
)
_KPTR_RESTRICT = Path("/proc/sys/kernel/kptr_restrict")
_TMP = Path("/tmp")
"""Where CPython, Node.js and Java write the names of compiled functions, whatever TMPDIR says."""
_BUFFER = 64 << 10
"""Bytes of names that CPython writes at once; with less room they are lost, without a word."""
_MOST_KINDS = 64
_REST = "others"
_DWARF = "try --call-graph dwarf"
_LOST = "perf's buffers ran over", "try a lower --frequency, or --call-graph fp"


def flaws_of(table: StackTable, stack: int) -> tuple[FlawKey, ...] | None:
    """What a stack lacks, None where it is whole and its leaf has a name."""
    broken, unresolved = table.is_broken(stack), table.leaf_unresolved(stack)
    if not broken and not unresolved:
        return None
    frames = [table.frame(f) for f in table.frames(stack)]
    flaws: list[FlawKey] = []
    if broken:
        # Where unwinding went astray stand addresses that are in no file.
        known = [f for f in frames if f.kind is not Kind.UNKNOWN or f.object != UNKNOWN_SYMBOL]
        flaws.append((FlawKind.BROKEN, known[0].object if known else _NO_STACK))
    if unresolved:
        flaws.append((FlawKind.UNRESOLVED, frames[-1].object if frames else _NO_STACK))
    return tuple(flaws)


class FlawCounts:
    """Samples by flaw since the start; the number of different ones is bounded."""

    def __init__(self) -> None:
        self._counts: Counter[FlawKey] = Counter()

    def add(self, flaws: tuple[FlawKey, ...], samples: int) -> None:
        """Count so many samples whose stacks lack the same."""
        for kind, culprit in flaws:
            known = (kind, culprit) in self._counts or len(self._counts) < _MOST_KINDS
            self._counts[kind, culprit if known else _REST] += samples

    def total(self, kind: FlawKind) -> int:
        """Samples with a flaw of a kind."""
        return sum(count for (k, _), count in self._counts.items() if k is kind)

    def explained(
        self, call_graph: str, jit_dumps: bool = False, lost: int = 0
    ) -> tuple[Flaw, ...]:
        """Every flaw with cause and remedy, the most frequent first.

        ``jit_dumps``: whether a target writes the names of its compiled functions to a dump.
        ``lost``: samples that perf said it had no room for.
        """
        found = [
            Flaw(kind, culprit, samples, *_explain(kind, culprit, call_graph, jit_dumps))
            for (kind, culprit), samples in self._counts.items()
        ]
        if lost:
            found.append(Flaw(FlawKind.LOST, "perf", lost, *_LOST))
        return tuple(sorted(found, key=lambda flaw: -flaw.samples))


def _explain(kind: FlawKind, culprit: str, call_graph: str, jit_dumps: bool) -> tuple[str, str]:
    """Cause and remedy."""
    if culprit == _NO_STACK:
        if os.geteuid():
            return "perf gave no stack", "give kvtop more rights: start it with sudo"
        return "perf gave no stack: the process was just starting or ending", "none is known"
    frame_pointers = call_graph.startswith("fp")
    if kind is FlawKind.BROKEN:
        return _explain_broken(culprit, frame_pointers, jit_dumps)
    if culprit.startswith("["):
        if culprit.startswith("[kernel"):
            return _explain_kernel()
        if culprit == UNKNOWN_SYMBOL:
            cause = "addresses outside of every mapped file"
            return cause, _DWARF if frame_pointers else "none is known"
    if _RUN_TIME_CODE.fullmatch(culprit):
        return _no_room_for_names() or (
            "compiled by a JIT without a map",
            "try node --perf-basic-prof, python -X perf, Java's perf-map-agent",
        )
    if culprit.endswith(_DELETED):
        return f"{culprit.removesuffix(_DELETED).strip()} was replaced", "restart the process"
    return (
        f"{culprit} has no symbols for this code",
        "install its debug symbols (see find-dbgsym-packages or debuginfo-install)",
    )


def _explain_broken(culprit: str, frame_pointers: bool, jit_dumps: bool) -> tuple[str, str]:
    if culprit.startswith("[kernel"):
        return "the stack was left between kernel and program", "none is known"
    if _RUN_TIME_CODE.fullmatch(culprit) and (no_room := _no_room_for_names()):
        return no_room
    if frame_pointers:
        return f"{culprit} keeps no frame pointers", _DWARF
    if jit_dumps:
        return _no_room_for_names() or (
            "names of Python functions still in a buffer of the program",
            "let it call ctypes.CDLL(None).fflush(None) once a second",
        )
    return (
        f"{culprit} has no unwind tables, or the stack is deeper than perf copies",
        "try --call-graph fp, or dwarf,65528; for Python python3.13 -X perf_jit",
    )


def _no_room_for_names() -> tuple[str, str] | None:
    try:
        free = shutil.disk_usage(_TMP).free
    except OSError:
        free = 0
    if free >= _BUFFER:
        return None
    cause = f"{_TMP} has no room for the names of compiled functions"
    return cause, "free some there, then restart the program"


def _explain_kernel() -> tuple[str, str]:
    try:
        value = _KPTR_RESTRICT.read_text().strip()
    except OSError:
        value = "?"
    if value == "0":
        return (
            "kernel code without a name here",
            "run sudo sysctl kernel.perf_event_paranoid=1, or start kvtop with sudo",
        )
    return (
        f"kernel names are hidden (kernel.kptr_restrict is {value})",
        "run sudo sysctl kernel.kptr_restrict=0, or start kvtop with sudo",
    )
