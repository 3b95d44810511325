"""The wall clock jumps: what is measured goes by the monotonic one."""

from __future__ import annotations

import time

import pytest

from kvtop.app import KvtopApp
from kvtop.events import Health, SampleBatch, StackSample
from tests.collectors.helpers import SPIN, processes, until
from tests.faults.helpers import attached, needs_perf, samples_of
from tests.widgets.render import screen_text

pytestmark = [pytest.mark.e2e, needs_perf]


@pytest.mark.parametrize("jump", [-7200.0, 7200.0])
async def test_the_wall_clock_is_set(jump: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """``time.time`` is moved, which is what a clock that is set looks like from inside."""
    real = time.time
    with processes(SPIN) as (program,):
        async with attached(program.pid) as session:
            store = session.store
            (label,) = store.targets
            await until(lambda: samples_of(session) > 20 and store.cluster.usage.get(label))
            monkeypatch.setattr(time, "time", lambda: real() + jump)
            seen, last = samples_of(session), store.ring.last_time or 0.0
            usage = store.cluster.usage[label].time
            await until(lambda: (store.ring.last_time or 0.0) > last + 1)
            assert samples_of(session) > seen
            await until(lambda: store.cluster.usage[label].time > usage + 1)
            newest = store.ring.last_time or 0.0
            assert abs(newest - time.monotonic()) < 60, "not by the hours of the jump"
            app = KvtopApp(session)
            async with app.run_test(size=(120, 40)) as pilot:
                app.tick()
                await pilot.pause()
                assert "no samples" not in screen_text(app)
            assert store.health("perf_record").health is Health.OK


async def test_a_sample_that_is_hours_late() -> None:
    """It is left out, and those of the present go on."""
    with processes(SPIN) as (program,):
        async with attached(program.pid) as session:
            await until(lambda: samples_of(session) > 20)
            stack = next(iter(session.fold(30)))
            dropped = session.store.ring.dropped
            wrong = StackSample(
                time.monotonic() - 7200, program.pid, program.pid, "x", "cpu-clock", 1, stack
            )
            session.emit(SampleBatch((wrong,)))
            assert session.store.ring.dropped == dropped + 1
            seen = samples_of(session)
            await until(lambda: samples_of(session) > seen + 20)
