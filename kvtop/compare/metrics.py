"""The figures of a comparison that are no functions: throughput, latency, counters, memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from kvtop.compare.model import CPU, OPS, Block, Pair, Pick
from kvtop.compare.statistics import Difference, difference, estimate

Better = Literal["less", "more", ""]
Unit = Literal["count", "us", "ms", "cores", "bytes"]

LATENCIES = ("p50", "p99", "p99.9")
MEMORY = "rss"
FDATASYNC = "fdatasync"
FDATASYNC_P99 = "fdatasync p99"
ERRORS = "errors"


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure by the name that conditions use; ``scale`` turns its SI value into ``unit``."""

    name: str
    pick: Pick
    better: Better
    unit: Unit = "count"
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class MetricChange:
    """A metric on both sides, in its unit."""

    metric: Metric
    change: Difference

    def significant(self, alpha: float) -> bool:
        """Whether chance brings such a change more seldom than ``alpha``."""
        return self.change.p is not None and self.change.p < alpha

    @property
    def worse(self) -> bool:
        """Whether the change is to the bad."""
        less = self.change.delta < 0
        return bool(self.change.delta) and (less == (self.metric.better == "more"))


def measure(pair: Pair, confidence: float) -> list[MetricChange]:
    """Every figure that both sides have, throughput first."""
    found = []
    for metric in metrics(pair):
        one, two = (pair.units(side, metric.pick) for side in pair.sides)
        if not one or not two:
            continue
        before, after = (estimate(units, pair.independent) for units in (one, two))
        if before.value == 0 == after.value:
            continue
        change = difference(before, after, confidence, pair.independent)
        found.append(MetricChange(metric, change))
    return found


def metrics(pair: Pair) -> list[Metric]:
    """What there may be in these runs."""
    blocks = [block for side in pair.sides for run in side for block in run.blocks]
    events = dict.fromkeys(name for block in blocks for name in block.amounts)
    known = [
        Metric("ops/s", per_second(OPS), "more"),
        *(Metric(name, level(name), "less", "ms", 1e3) for name in LATENCIES),
        Metric("errors/op", per(ERRORS, OPS), "less"),
        Metric("cpu/op", per(CPU, OPS), "less", "us", 1e6),
        Metric("cpu", per_second(CPU), "less", "cores"),
        Metric("ipc", per("instructions", "cycles"), "more"),
        Metric(MEMORY, level(MEMORY), "less", "bytes"),
        Metric(FDATASYNC_P99, level(FDATASYNC_P99), "less", "ms", 1e3),
    ]
    for event in events:
        if event not in (OPS, CPU, ERRORS):
            known.append(Metric(f"{event}/op", per(event, OPS), "less"))
            known.append(Metric(f"{event}/s", per_second(event), ""))
    return known


def per(name: str, exposure: str) -> Pick:
    """An amount by another one."""

    def pick(block: Block) -> tuple[float, float] | None:
        if name not in block.amounts or exposure not in block.amounts:
            return None
        return block.amounts[name], block.amounts[exposure]

    return pick


def per_second(name: str) -> Pick:
    """An amount by time."""

    def pick(block: Block) -> tuple[float, float] | None:
        return (block.amounts[name], block.seconds) if name in block.amounts else None

    return pick


def level(name: str) -> Pick:
    """The weighted mean of a height."""

    def pick(block: Block) -> tuple[float, float] | None:
        return block.levels.get(name)

    return pick


def names(changes: Iterable[MetricChange]) -> list[str]:
    """What conditions may name."""
    return [change.metric.name for change in changes]
