"""Adds up the intervals of several stress processes into one event per interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kvtop.workload.histogram import Histogram
from kvtop.workload.supervisor_protocol import Stress

_GRACE = 0.2
"""Share of the interval to wait for the processes that are late."""


class StressMerger:
    """Gathers one interval of each process; ``due`` is when to give up on the late ones."""

    def __init__(self, emit: Callable[[Stress], None], interval: float) -> None:
        self._emit = emit
        self._interval = interval
        self._parts: dict[str, Mapping[str, Any]] = {}
        self._expected: set[str] = set()
        self._ending = 0
        self._operations = 0
        self._errors = 0
        self.due = float("inf")

    def expect(self, name: str) -> None:
        """The process ``name`` will report."""
        self._expected.add(name)

    def add(self, name: str, part: Mapping[str, Any]) -> None:
        """One interval of the process ``name``. Raises ValueError, KeyError for a bad one."""
        Histogram.from_json(part["latency"])
        ending = round(float(part["time"]) / self._interval)
        if self._parts and (ending != self._ending or name in self._parts):
            self._merge()
        self._ending = ending
        self._parts[name] = part
        if self._parts.keys() >= self._expected:
            self._merge()
        elif self.due == float("inf"):
            self.due = float(part["time"]) + self._interval * _GRACE

    def forget(self, name: str) -> None:
        """The process ended."""
        self._expected.discard(name)
        if self._parts and self._parts.keys() >= self._expected:
            self._merge()

    def flush(self, now: float) -> None:
        """Emit what there is if the late ones are too late."""
        if now >= self.due:
            self._merge()

    def _merge(self) -> None:
        parts, self._parts = list(self._parts.values()), {}
        self.due = float("inf")
        latency = Histogram()
        for part in parts:
            latency.merge(Histogram.from_json(part["latency"]))
        operations = sum(int(part["operations"]) for part in parts)
        errors = sum(int(part["errors"]) for part in parts)
        self._operations += operations
        self._errors += errors
        self._emit(
            Stress(
                time=max(float(part["time"]) for part in parts),
                interval=max(float(part["interval"]) for part in parts),
                operations=operations,
                errors=errors,
                reads=sum(int(part["reads"]) for part in parts),
                writes=sum(int(part["writes"]) for part in parts),
                p50=latency.quantile(0.5),
                p99=latency.quantile(0.99),
                p999=latency.quantile(0.999),
                clients=sum(int(part["clients"]) for part in parts),
                total_operations=self._operations,
                total_errors=self._errors,
            )
        )
