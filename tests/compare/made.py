"""Recordings with a known truth: rates, costs and functions that were chosen beforehand."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kvtop.events import (
    CounterReading,
    Event,
    PipelineStats,
    Role,
    SampleBatch,
    StackSample,
    StressStats,
    Target,
    TargetsChanged,
)
from kvtop.profile.stacks import StackTable
from tests.recording.builders import STARTED, write

HERTZ = 500


@dataclass
class Made:
    """A run of ``seconds`` at about ``ops`` operations a second.

    ``costs`` are microseconds of CPU by operation and path (names joined by ";"); ``noise`` is
    the standard deviation of a second's operations and costs, relative.
    """

    seed: int
    seconds: int = 40
    ops: float = 1000.0
    p99: float = 0.010
    costs: Mapping[str, float] = field(
        default_factory=lambda: {
            "_start;main;serve;encode": 200.0,
            "_start;main;serve;decode": 200.0,
            "_start;main;apply;insert": 300.0,
            "_start;main;wait": 100.0,
        }
    )
    noise: float = 0.03
    labels: tuple[str, ...] = ("node0", "client0")

    def write(self, path: Path) -> Path:
        """The recording."""
        table = StackTable()
        return write(path, list(self._events(table)), table)

    def _events(self, table: StackTable) -> list[Event]:
        rng = random.Random(self.seed)
        stacks = {
            name: table.stack_id([table.frame_id(f, "/bin/store") for f in name.split(";")])
            for name in self.costs
        }
        targets = tuple(Target(n, 100 + i, Role.OTHER) for i, n in enumerate(self.labels))
        events: list[Event] = [TargetsChanged(STARTED, targets)]
        total = 0
        for second in range(self.seconds):
            begin, end = STARTED + second, STARTED + second + 1.0
            operations = round(self.ops * (1 + rng.gauss(0, self.noise)))
            cpu = {n: us * operations / 1e6 for n, us in self.costs.items()}
            batch = []
            for name, seconds in cpu.items():
                for _ in range(_poisson(rng, seconds * HERTZ)):
                    pid = rng.choice(targets).pid
                    batch.append((begin + rng.random(), pid, stacks[name]))
            total += len(batch)
            events.append(
                SampleBatch(
                    tuple(
                        StackSample(t, pid, pid, "store", "cpu-clock", 2_000_000, stack)
                        for t, pid, stack in sorted(batch)
                    )
                )
            )
            each = sum(cpu.values()) * 1e3 / len(targets) * (1 + rng.gauss(0, self.noise / 3))
            for target in targets:
                events.append(CounterReading(end, 1.0, target.label, "task-clock", each, "msec"))
                events.append(
                    CounterReading(end, 1.0, target.label, "context-switches", 2.0 * operations, "")
                )
            p99 = self.p99 * (1 + rng.gauss(0, self.noise))
            events.append(
                StressStats(end, 1.0, operations, 0, operations, 0, p99 / 4, p99, p99 * 2, 4, 0, 0)
            )
            events.append(PipelineStats(end, total, 0, 0, 0, 0.1, "cpu-clock", HERTZ, "fp"))
        return events


def _poisson(rng: random.Random, mean: float) -> int:
    """Arrivals in one unit of time."""
    count, at = 0, rng.expovariate(1.0)
    while at < mean:
        count += 1
        at += rng.expovariate(1.0)
    return count


def slower(costs: Mapping[str, float], name: str, by: float) -> dict[str, float]:
    """The same costs, one of them greater by a share."""
    assert any(path.endswith(name) for path in costs)
    return {p: us * (1 + by if p.endswith(name) else 1) for p, us in costs.items()}
