"""perf that is killed, too old, or stalls in the middle of a record."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from kvtop.collectors.doctor import probe
from kvtop.events import Event, Health, MarkerKind, SampleBatch
from tests.collectors.helpers import SPIN, processes, running, until
from tests.collectors.test_perf_record import Live
from tests.faults.helpers import attached, needs_perf, put_before_perf, samples_of

pytestmark = [pytest.mark.e2e, needs_perf]

OLD = """
import sys
if sys.argv[1:] == ["--version"]:
    print("perf version 4.19.37")
elif sys.argv[1] == "stat":
    print("1.5,msec,task-clock:u,1,100.00,,", file=sys.stderr)
else:
    sys.exit("Error: unknown option `no-such'")
"""

STALLING = """
import os, signal, subprocess, sys, time
if sys.argv[1] != "record":
    os.execv(REAL, ["perf", *sys.argv[1:]])
record = subprocess.Popen([REAL, *sys.argv[1:]], stdout=subprocess.PIPE)
while chunk := os.read(record.stdout.fileno(), 1 << 16):
    for part in chunk[:1], chunk[1:-1], chunk[-1:]:
        sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
        time.sleep(0.2)
"""


def perfs() -> list[int]:
    """The perfs that this process started."""
    family = psutil.Process().children(recursive=True)
    return [p.pid for p in family if p.is_running() and name_of(p) == "perf"]


def name_of(process: psutil.Process) -> str:
    """Empty for one that has ended."""
    try:
        return "" if process.status() == psutil.STATUS_ZOMBIE else process.name()
    except psutil.NoSuchProcess:
        return ""


async def test_every_perf_of_a_session_may_be_killed() -> None:
    with processes(SPIN) as (program,):
        async with attached(program.pid) as session:
            store = session.store
            (label,) = store.targets
            await until(lambda: samples_of(session) > 20)
            await until(lambda: store.counters.last(label, "task-clock"))
            await until(lambda: len(perfs()) == 3)
            victims = perfs()
            assert len(victims) == 3, "perf record, perf script, perf stat"
            for pid in victims:
                os.kill(pid, signal.SIGKILL)

            def restarted() -> bool:
                now = perfs()
                return len(now) == 3 and not set(now) & set(victims)

            await until(restarted)
            before = store.counters.last(label, "task-clock")
            assert before is not None
            gaps = [m for m in store.markers.items if m.kind is MarkerKind.GAP]
            assert gaps, "what was not recorded is marked"
            at = store.ring.last_time or 0.0
            await until(lambda: (store.ring.last_time or 0.0) > at + 0.5)

            def counted_again() -> bool:
                last = store.counters.last(label, "task-clock")
                return last is not None and last.time > before.time

            await until(counted_again)
            await until(lambda: store.health("perf_record").health is Health.OK)
            await until(lambda: store.health("perf_stat").health is Health.OK)


async def test_a_perf_that_is_too_old_is_named_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_before_perf(tmp_path, OLD, monkeypatch)
    facts = await probe()
    assert not facts.works and facts.version == "4.19.37"
    async with attached(os.getpid()) as session:
        for name in ("perf_record", "perf_stat"):
            status = session.store.health(name)
            assert status.health is Health.UNAVAILABLE
            assert "perf 4.19.37 is too old" in status.reason and "5.10" in status.reason


def batches(events: list[Event]) -> int:
    return sum(isinstance(event, SampleBatch) for event in events)


async def test_a_stream_that_stalls_after_one_byte_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_before_perf(tmp_path, STALLING, monkeypatch)
    with processes(SPIN) as (program,):
        run = Live([program.pid], "fp")
        async with running(run.record, run.events.append):
            await until(lambda: len(run.samples) > 100 and batches(run.events) > 2)
            stalled = psutil.Process(run.record.child_pids[0]).children()
            assert [p.name() for p in stalled] == ["perf"], "the stalling one is between"
        assert {s.pid for s in run.samples} == {program.pid}
        times = [s.time for s in run.samples]
        assert times == sorted(times) and len(set(times)) == len(times)
        assert [s.health for s in run.statuses] == [Health.OK]
        await until(lambda: not any(p.is_running() for p in stalled))
