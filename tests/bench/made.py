"""Figures that nobody measured: benchmarks with given values, on a given machine."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pyperf

MACHINE = {"hostname": "here", "cpu_model_name": "a CPU", "cpu_count": 2, "platform": "Linux-6"}


def values(mean: float, seed: int, count: int = 20, spread: float = 0.02) -> list[float]:
    """A normal sample, the same in every run."""
    chance = random.Random(seed)
    return [chance.gauss(mean, spread * mean) for _ in range(count)]


def benchmark(name: str, numbers: Sequence[float], **machine: object) -> pyperf.Benchmark:
    metadata = {"name": name, "unit": "second", "loops": 1, **MACHINE, **machine}
    return pyperf.Benchmark(
        [pyperf.Run([number], metadata=metadata, collect_metadata=False) for number in numbers]
    )


def suite(figures: dict[str, Sequence[float]], **machine: object) -> pyperf.BenchmarkSuite:
    return pyperf.BenchmarkSuite(
        [benchmark(name, numbers, **machine) for name, numbers in figures.items()]
    )


def file(path: Path, figures: dict[str, Sequence[float]], **machine: object) -> Path:
    suite(figures, **machine).dump(str(path))
    return path
