"""The cluster measured, and benchmarks profiled, for real."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import psutil
import pytest

from kvtop.bench.macro import MACROS, Macro, calibrated, run_macro
from kvtop.bench.profiles import save
from kvtop.bench.sampling import NoProfile, Sampled, sample

pytestmark = pytest.mark.e2e
needs_perf = pytest.mark.skipif(shutil.which("perf") is None, reason="needs perf")


def symbols(sampled: Sampled) -> set[str]:
    table = sampled.table
    return {
        table.frame(frame).symbol
        for counts in sampled.groups.values()
        for stack in counts
        for frame in table.frames(stack)
    }


def test_the_cluster_in_a_run() -> None:
    told: list[int] = []
    measured = run_macro(Macro("write", 8), 1, 0.1, lambda: told.append(1))
    assert measured.get_name() == "cluster.write.8"
    assert len(measured.get_values()) == len(told) == 1
    metadata = measured.get_metadata()
    assert (metadata["clients"], metadata["nodes"]) == (8, 3)
    assert 0 < metadata["latency_p50"] <= metadata["latency_p99"]
    # A run is so many operations, all of them acknowledged: its time is theirs together.
    assert measured.get_inner_loops() >= 8 * 20
    assert metadata["cpu_count"] and metadata["hostname"]


@needs_perf
def test_a_micro_benchmark_under_perf(tmp_path: Path) -> None:
    sampled = sample("skiplist.insert", 0.5)
    assert sampled.operations > 0
    assert sampled.seconds >= 0.5
    if sys.version_info >= (3, 13):
        assert "SkipList.set" in symbols(sampled)
    assert save(tmp_path, "skiplist.insert", sampled).exists()
    assert not psutil.Process().children(recursive=True)


@needs_perf
@pytest.mark.slow
def test_the_cluster_under_perf() -> None:
    sampled = sample("cluster.write.8", 1.0)
    assert set(sampled.groups) == {"leader", "follower"}
    assert not psutil.Process().children(recursive=True)


def test_why_there_is_no_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(NoProfile, match="perf"):
        sample("codec.frame", 0.1)
    assert not psutil.Process().children(recursive=True)


def test_operations_that_fill_the_time() -> None:
    assert calibrated(lambda count: 1000.0, 20, 2.0) == 2000
    assert calibrated(lambda count: 1.0, 20, 2.0) == 20  # no less than it began with


def test_the_four_of_the_cluster() -> None:
    assert list(MACROS) == [
        "cluster.write.1",
        "cluster.write.8",
        "cluster.write.64",
        "cluster.read.64",
    ]
