"""Samples of the future: what the ring keeps does not suffer from them."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from kvtop.collectors.perf_record import PerfRecord
from kvtop.collectors.perf_stream import Stream
from kvtop.collectors.sample_times import not_ahead
from kvtop.events import Event, Role, SampleBatch, StackSample
from kvtop.profile.ring import SampleRing
from kvtop.profile.stacks import StackTable


def sample(time: float) -> StackSample:
    return StackSample(time, 1, 1, "a", "cycles", 1, 0)


def test_only_a_sample_of_the_future_gets_another_date() -> None:
    samples = [sample(8.0), sample(10.5), sample(9000.0), sample(9.0)]
    assert [s.time for s in not_ahead(samples, 10.0)] == [8.0, 10.5, 10.0, 9.0]
    assert not_ahead(samples[:2], 10.0) == samples[:2]


async def test_what_comes_after_a_sample_of_the_future_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Through the collector and the ring, with perf's text in place of a running perf."""
    now = time.monotonic()
    ages = [0.5, -9000.0, 0.4, 0.3, 0.2]
    texts = [f"a 1/1 {now - age:.6f}:  5 cycles: \n\t1 f (/bin/x)\n\n" for age in ages]

    async def told(self: Stream) -> str:
        for text in texts:
            self._deliver(text.encode())
        await asyncio.Event().wait()
        return ""

    monkeypatch.setattr(Stream, "run", told)
    table = StackTable()
    ring = SampleRing(table)
    complete = asyncio.Event()

    def emit(event: Event) -> None:
        if isinstance(event, SampleBatch):
            for one in event.samples:
                ring.append(one, "a", Role.OTHER)
            if len(ring) + ring.dropped == len(texts):
                complete.set()

    running = asyncio.create_task(PerfRecord(table, [os.getpid()], call_graph="fp").run(emit))
    try:
        await asyncio.wait_for(complete.wait(), 10.0)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert (len(ring), ring.dropped) == (len(texts), 0)
    assert ring.last_time is not None and now <= ring.last_time <= time.monotonic()
