"""A program whose CPU split is known by construction, shown live by the collector."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kvtop.collectors.perf_record import PerfRecord
from kvtop.events import Event, PipelineStats, Role, SampleBatch
from kvtop.profile.hotspots import hotspots
from kvtop.profile.ring import SampleRing
from kvtop.profile.stacks import StackTable
from tests.collectors.helpers import collect, compiled, processes

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("perf") is None, reason="needs perf"),
]
SPLIT = {"work::heavy": 70, "work::medium": 20, "work::light": 10}
SAMPLES = 2000


def samples_in(events: list[Event]) -> int:
    return sum(len(e.samples) for e in events if isinstance(e, SampleBatch))


def build(directory: Path, graph: str) -> Path:
    pointers = "-fno-omit-frame-pointer" if graph == "fp" else "-fomit-frame-pointer"
    return compiled(directory, "known_split.cc", "-O1", pointers)


@pytest.mark.parametrize("graph", ["fp", "dwarf,8192"])
async def test_shown_within_two_points_at_two_thousand_samples(tmp_path: Path, graph: str) -> None:
    program = build(tmp_path, graph)
    table = StackTable()
    ring = SampleRing(table)
    with processes([str(program)]) as (process,):
        record = PerfRecord(table, [process.pid], frequency=997, call_graph=graph)
        events = await collect(
            record,
            lambda e: samples_in(e) >= SAMPLES and isinstance(e[-1], PipelineStats),
        )
    for event in events:
        if isinstance(event, SampleBatch):
            for sample in event.samples:
                ring.append(sample, "program", Role.OTHER)
    counts = ring.fold()
    taken = sum(counts.values())
    assert taken >= SAMPLES
    total = {spot.frame.symbol: spot.total for spot in hotspots(table, counts)}
    for symbol, share in SPLIT.items():
        assert 100 * total[symbol] / taken == pytest.approx(share, abs=2), symbol
    stats = next(e for e in reversed(events) if isinstance(e, PipelineStats))
    assert stats.samples == parsed(events, stats)
    assert stats.lost == 0 and stats.unresolved <= 0.01 * taken


def parsed(events: list[Event], until: PipelineStats) -> int:
    """Samples that were emitted before this reading."""
    return samples_in(events[: events.index(until)])
