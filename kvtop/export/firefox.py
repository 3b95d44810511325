"""Profiles for https://profiler.firefox.com, with the real times of the samples where known.

The "processed" format, version 47; what its fields mean is in the types/profile.js of
github.com/firefox-devtools/profiler. One Firefox thread per profiled thread.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from kvtop.profile.frames import Kind
from kvtop.profile.preorder import Groups
from kvtop.profile.ring import EVERYTHING, Filter, SampleRing
from kvtop.profile.stacks import StackTable
from kvtop.profile.text import safe_text

_CATEGORIES = {
    Kind.PYTHON: ("Python", "green"),
    Kind.NATIVE: ("native", "yellow"),
    Kind.KERNEL: ("kernel", "red"),
    Kind.GLUE: ("interpreter glue", "blue"),
    Kind.UNKNOWN: ("unknown", "purple"),
    Kind.GROUP: ("Other", "grey"),
}
_WEIGHTS = {"ms": "tracing-ms", "bytes": "bytes"}
"""Unit -> weightType of the format; all others are shown as samples."""
_LIBRARY = 1
"""resourceType of the format."""


@dataclass(frozen=True, slots=True)
class FirefoxMeta:
    """``wall_offset``: Unix time minus monotonic time, s; ``interval``: between samples, s."""

    product: str = "kvtop"
    wall_offset: float = 0.0
    interval: float = 0.001


def write_firefox(ring: SampleRing, meta: FirefoxMeta, filter: Filter = EVERYTHING) -> str:
    """The samples that pass as JSON text."""
    start: float | None = None
    threads: dict[tuple[str, int, int, str], _Thread] = {}
    for sample, label, _role in ring.iter_samples(filter):
        if start is None:
            start = sample.time
        key = label, sample.pid, sample.tid, sample.comm
        thread = threads.get(key)
        if thread is None:
            thread = threads[key] = _Thread(ring.table)
        thread.add((sample.time - start) * 1000, sample.stack)
    columns = [
        thread.columns(safe_text(f"{label} {comm}"), pid, tid)
        for (label, pid, tid, comm), thread in threads.items()
    ]
    return _document(columns, meta, (start or 0.0) + meta.wall_offset)


def write_firefox_fold(groups: Groups, table: StackTable, meta: FirefoxMeta, unit: str) -> str:
    """Folds as JSON text, a thread for each group: a fold knows no times, so there is one sample a
    stack, with the stack's weight, and the times only number them."""
    columns = []
    for number, (name, counts) in enumerate(groups.items(), 1):
        thread = _Thread(table)
        for at, (stack, weight) in enumerate(counts.items()):
            thread.add(at * meta.interval * 1000, stack, weight)
        shown = safe_text(name or meta.product)
        columns.append(thread.columns(f"{shown} (no times)", number, number, _WEIGHTS.get(unit)))
    return _document(columns, meta, 0.0)


def _document(threads: list[dict[str, Any]], meta: FirefoxMeta, start: float) -> str:
    """The whole file; ``start`` is Unix time."""
    return json.dumps(
        {
            "meta": {
                "interval": meta.interval * 1000,
                "startTime": start * 1000,
                "processType": 0,
                "product": safe_text(meta.product),
                "stackwalk": 1,
                "version": 28,
                "preprocessedProfileVersion": 47,
                "symbolicated": True,
                "markerSchema": [],
                "categories": [
                    {"name": name, "color": colour, "subcategories": ["Other"]}
                    for name, colour in _CATEGORIES.values()
                ],
            },
            "libs": [],
            "threads": threads,
        },
        separators=(",", ":"),
    )


class _Thread:
    """The tables of one thread, filled as its samples come."""

    def __init__(self, table: StackTable) -> None:
        self._table = table
        self._strings: dict[str, int] = {}
        self._frames: dict[int, int] = {}
        self._resources: dict[str, int] = {}
        self._prefixes: dict[tuple[int | None, int], int] = {}
        self._ends: dict[int, int | None] = {}
        self._times: list[float] = []
        self._stacks: list[int | None] = []
        self._weights: list[int] = []

    def add(self, milliseconds: float, stack: int, weight: int | None = None) -> None:
        """Take one sample; all have a weight, or none."""
        if stack not in self._ends:
            end: int | None = None
            for frame in self._table.frames(stack):
                at = self._frames.setdefault(frame, len(self._frames))
                end = self._prefixes.setdefault((end, at), len(self._prefixes))
            self._ends[stack] = end
        self._times.append(milliseconds)
        self._stacks.append(self._ends[stack])
        if weight is not None:
            self._weights.append(weight)

    def columns(
        self, name: str, pid: int, tid: int, weight_type: str | None = None
    ) -> dict[str, Any]:
        """The thread as the format wants it: tables of columns."""
        functions, frames = self._functions()
        categories = frames["category"]
        size = len(self._prefixes)
        return {
            "name": name,
            "pid": str(pid),
            "tid": tid,
            "isMainThread": pid == tid,
            "processType": "default",
            "processName": name,
            "processStartupTime": 0,
            "processShutdownTime": None,
            "registerTime": 0,
            "unregisterTime": None,
            "pausedRanges": [],
            "samples": {
                "length": len(self._times),
                "stack": self._stacks,
                "time": self._times,
                "weight": self._weights or None,
                "weightType": weight_type or "samples",
            },
            "stackTable": {
                "length": size,
                "prefix": [prefix for prefix, _ in self._prefixes],
                "frame": [frame for _, frame in self._prefixes],
                "category": [categories[frame] for _, frame in self._prefixes],
                "subcategory": [0] * size,
            },
            "frameTable": frames,
            "funcTable": functions,
            "resourceTable": {
                "length": len(self._resources),
                "lib": [None] * len(self._resources),
                "name": [self._string(name) for name in self._resources],
                "host": [None] * len(self._resources),
                "type": [_LIBRARY] * len(self._resources),
            },
            "nativeSymbols": {
                "length": 0,
                "libIndex": [],
                "address": [],
                "name": [],
                "functionSize": [],
            },
            "markers": {
                "length": 0,
                "category": [],
                "data": [],
                "endTime": [],
                "name": [],
                "phase": [],
                "startTime": [],
            },
            "stringArray": list(self._strings),
        }

    def _functions(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Function and frame tables; each frame is its function's only one."""
        found = [self._table.frame(frame) for frame in self._frames]
        size = len(found)
        none = [None] * size
        kinds = list(_CATEGORIES)
        resources = [
            self._resources.setdefault(safe_text(f.object), len(self._resources))
            if f.object
            else -1
            for f in found
        ]
        files = [self._string(safe_text(f.file)) if f.file else None for f in found]
        lines = [f.line or None for f in found]
        functions = {
            "length": size,
            "name": [self._string(safe_text(f.symbol)) for f in found],
            "isJS": [False] * size,
            "relevantForJS": [False] * size,
            "resource": resources,
            "fileName": files,
            "lineNumber": lines,
            "columnNumber": none,
        }
        frames = {
            "length": size,
            "address": [-1] * size,
            "inlineDepth": [0] * size,
            "category": [kinds.index(f.kind) for f in found],
            "subcategory": [0] * size,
            "func": list(range(size)),
            "nativeSymbol": none,
            "innerWindowID": none,
            "implementation": none,
            "line": lines,
            "column": none,
        }
        return functions, frames

    def _string(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))
