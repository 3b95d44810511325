"""Options of sampling are checked with perf before anything starts."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from kvtop.collectors.perf_stat import EVENTS
from kvtop.collectors.perf_stream import RecordOptions
from kvtop.events import Health, PipelineStats
from kvtop.sampling import counted_events
from kvtop.session import Session
from tests.collectors.helpers import SPIN, processes, until
from tests.fake_session import config


def test_options_of_perf_record() -> None:
    by_rate = RecordOptions((1,), 99).command()
    assert by_rate[by_rate.index("-F") + 1] == "99" and "-c" not in by_rate and "-D" not in by_rate
    command = RecordOptions((1,), 99, "lbr", "{a,b}", period=1000, delay=250).command()
    assert "-F" not in command
    for option, value in (("-c", "1000"), ("-D", "250"), ("-e", "{a,b}"), ("--call-graph", "lbr")):
        assert command[command.index(option) + 1] == value


def test_what_is_sampled_is_counted_too() -> None:
    assert set(EVENTS) <= set(counted_events(None))
    assert counted_events("sched:sched_switch,page-faults")[-1] == "sched:sched_switch"


def test_the_rate_in_words() -> None:
    stats = PipelineStats(0, 0, 0, 0, 0, None, "cpu-clock", 99, "fp")
    assert stats.rate_text == "99 Hz"
    stats = PipelineStats(0, 0, 0, 0, 0, None, "cpu-clock", 0, "fp", period=1_000_000)
    assert stats.rate_text == "every 1,000,000"


@pytest.mark.e2e
@pytest.mark.parametrize("options", [("-e", "nosuch"), ("--call-graph", "lbr", "-e", "cpu-clock")])
def test_a_bad_event_is_one_sentence_and_exit_code_2(options: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kvtop", "--attach", str(os.getpid()), "--once", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.startswith("kvtop: ") and done.stderr.count("\n") == 1


@pytest.mark.e2e
async def test_another_event_is_sampled_and_the_history_stays() -> None:
    with processes(SPIN) as (process,):
        session = Session(config("--attach", str(process.pid), "-e", "cpu-clock", "-D", "100"))
        await session.start()
        try:
            store = session.store
            await until(lambda: len(store.ring) > 5)
            first = store.ring.first_time
            assert "does not know" in await session.sample("nosuch")
            assert session.event == "cpu-clock"
            assert await session.sample("task-clock,cpu-clock") == ""
            await until(
                lambda: {"task-clock", "cpu-clock"} <= {o.event for o in store.ring.origins}
            )
            assert store.ring.first_time == first
            await until(
                lambda: (
                    store.pipeline is not None
                    and set(store.pipeline.events) == {"task-clock", "cpu-clock"}
                )
            )
            await until(lambda: "cpu-clock" in store.counters.events)
            assert store.health("perf_record").health is Health.OK
        finally:
            await asyncio.wait_for(session.stop(), 20)
