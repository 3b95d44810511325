"""Waits on real perf: known shares in C and Python, the whole of a thread's time, refusals."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

import kvtop.collectors.off_cpu
from kvtop.collectors.doctor import read_paranoid
from kvtop.collectors.off_cpu import OffCpu
from kvtop.collectors.switch_rate import plan
from kvtop.events import (
    Health,
    StackSample,
    WaitBatch,
    WaitState,
    WaitStats,
)
from tests.collectors.helpers import (
    FIXTURES,
    SPIN,
    Heard,
    answer,
    compiled,
    order,
    processes,
    running,
    until,
)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("perf") is None, reason="needs perf"),
]
permitted = pytest.mark.skipif(
    os.geteuid() != 0 and (read_paranoid() or 0) > 1,
    reason="the kernel's part of stacks needs root or perf_event_paranoid at 1",
)


class Live(Heard):
    """A collector that runs, and what it emitted."""

    def __init__(self, pids: list[int]) -> None:
        super().__init__()
        self.collector = OffCpu(self.table, pids)

    @property
    def waits(self) -> list[StackSample]:
        return [s for e in self.events if isinstance(e, WaitBatch) for s in e.samples]

    @property
    def stats(self) -> list[WaitStats]:
        return [e for e in self.events if isinstance(e, WaitStats)]

    def by(self, name: Callable[[StackSample], str | None], pid: int) -> Counter[str]:
        """Nanoseconds of a process's waits, by a name for each."""
        sums: Counter[str] = Counter()
        for sample in self.waits:
            if sample.pid == pid and (found := name(sample)) is not None:
                sums[found] += sample.period
        return sums

    def seconds(self, pid: int) -> float:
        return sum(s.period for s in self.waits if s.pid == pid) / 1e9


@asynccontextmanager
async def live(*pids: int) -> AsyncIterator[Live]:
    run = Live(list(pids))
    async with running(run.collector, run.events.append):
        yield run


@pytest.fixture(scope="module")
def waits_program(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(compiled(tmp_path_factory.mktemp("waits"), "waits.c"))


UNTIL_ORDERED = """
import sys, threading, time
order = threading.Thread(target=sys.stdin.readline, daemon=True)
order.start()
print("ready", flush=True)
while order.is_alive(): time.sleep({})
{}
"""
"""Naps of so many seconds until a line comes, then what follows."""


def on_cpu(pid: int) -> float:
    """Seconds that the main thread was on a CPU (proc(5), schedstat's first figure)."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9


@permitted
async def test_shares_and_sum_of_a_program_whose_waits_are_known(
    waits_program: str, tmp_path: Path
) -> None:
    diary = tmp_path / "diary"
    with processes([waits_program, str(diary)]) as (program,):
        pid = program.pid
        async with live(pid) as run:
            await until(lambda: bool(run.waits))
            start, worked = time.monotonic(), on_cpu(pid)
            await asyncio.sleep(4)
            end, worked = time.monotonic(), on_cpu(pid) - worked
            await until(lambda: run.waits[-1].time > end)
    within = [s for s in run.waits if s.pid == pid and start < s.time <= end]
    waited = sum(s.period for s in within) / 1e9
    # A wait at each edge may be wholly in or out, and 0.1 s is the longest of them.
    assert abs(waited + worked - (end - start)) < 0.25
    shares: Counter[str] = Counter()
    for sample in within:
        if sample.event == WaitState.BLOCKED:
            names = (n for n in run.symbols(sample) if n in ("sleeps", "reads", "works"))
            shares[next(names, "other")] += sample.period
    blocked = shares["sleeps"] + shares["reads"]
    turns = [[float(word) for word in line.split()] for line in diary.read_text().splitlines()]
    slept = sum(sleeps for at, sleeps, _ in turns if start < at <= end)
    read = sum(reads for at, _, reads in turns if start < at <= end)
    assert abs(shares["sleeps"] / blocked - slept / (slept + read)) < 0.05
    assert blocked > 0.95 * sum(shares.values())
    states = run.by(lambda s: s.event if "sleeps" in run.symbols(s) else None, pid)
    assert states[WaitState.BLOCKED] > 0.95 * sum(states.values())
    assert run.stats[-1].every == 1 and run.stats[-1].lost == 0
    assert max(s.switches for s in run.stats) > 10
    assert run.statuses[0].health is Health.OK


@permitted
@pytest.mark.skipif(sys.version_info < (3, 13), reason="-X perf_jit came with Python 3.13")
async def test_python_functions_that_wait_by_name() -> None:
    command = [sys.executable, "-X", "perf_jit", str(FIXTURES / "python_waits.py")]
    with processes(command) as (program,):
        async with live(program.pid) as run:
            names = ("naps", "awaits_an_answer")

            def name(sample: StackSample) -> str:
                return next((n for n in run.symbols(sample) if n in names), "other")

            await until(lambda: sum(run.by(name, program.pid)[n] for n in names) > 3e9)
            shares = run.by(name, program.pid)
            assert abs(shares["naps"] / sum(shares[n] for n in names) - 60 / 90) < 0.06
            whole = [s for s in run.waits if name(s) == "naps"]
            kernel = [s for s in whole if "schedule" in run.symbols(s)[-1]]
            assert len(kernel) == len(whole)
            assert all(run.symbols(s)[0] in ("_start", "clone3") for s in whole)


@permitted
async def test_a_thread_that_sleeps_on_is_seen_before_it_wakes() -> None:
    with processes([sys.executable, "-c", UNTIL_ORDERED.format(0.02, "time.sleep(100)")]) as (
        program,
    ):
        answer(program)
        async with live(program.pid) as run:

            def naps() -> list[StackSample]:
                return [s for s in run.waits if s.tid == program.pid]

            await until(naps)
            order(program, b"sleep on")
            await until(lambda: max(s.period for s in naps()) > 0.9e9)
            long = max(naps(), key=lambda s: s.period)
            assert "clock_nanosleep" in " ".join(run.symbols(long))


@permitted
async def test_another_process_is_followed_from_then_on() -> None:
    code = "import time\nwhile True: time.sleep(0.01)"
    naps = [sys.executable, "-c", code]
    with processes(naps, naps) as (one, other):
        async with live(one.pid) as run:
            await until(lambda: run.seconds(one.pid) > 0.5)
            assert not run.seconds(other.pid)
            run.collector.retarget([other.pid])
            await until(lambda: run.seconds(other.pid) > 0.5)


@permitted
async def test_too_many_switches_are_refused_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kvtop.collectors.off_cpu, "MOST_SWITCHES", 20)
    code = "import time\nwhile True: time.sleep(0.002)"
    with processes([sys.executable, "-c", code]) as (program,):
        async with live(program.pid) as run:
            await until(lambda: bool(run.statuses))
            assert run.statuses[-1].health is Health.UNAVAILABLE
            assert "context switches a second, the limit is 20" in run.statuses[-1].reason
            assert not run.collector.child_pids


@permitted
async def test_a_rate_that_grows_beyond_the_limit_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kvtop.collectors.off_cpu, "MOST_SWITCHES", 100)
    monkeypatch.setattr(kvtop.collectors.off_cpu, "_TOO_MANY_FOR", 1)
    code = UNTIL_ORDERED.format(0.1, "while True: time.sleep(0.002)")
    with processes([sys.executable, "-c", code]) as (program,):
        answer(program)
        async with live(program.pid) as run:
            await until(lambda: run.waits)
            order(program, b"faster")
            await until(lambda: bool(run.statuses) and "limit" in run.statuses[-1].reason)
            assert [s.health for s in run.statuses] == [Health.OK, Health.UNAVAILABLE]
            assert not run.collector.child_pids


@permitted
async def test_busy_threads_are_sampled_and_quiet_ones_seen_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kvtop.collectors.off_cpu, "_TOO_FEW_FOR", 1)
    monkeypatch.setattr(kvtop.collectors.off_cpu, "STACKS_A_SECOND", 20)
    monkeypatch.setattr(kvtop.collectors.off_cpu, "plan", partial(plan, budget=20))
    code = UNTIL_ORDERED.format(0.001, "while True: time.sleep(0.3)")
    with processes([sys.executable, "-c", code]) as (program,):
        answer(program)
        async with live(program.pid) as run:
            await until(lambda: any(s.stacks and s.since < s.time for s in run.stats))
            first = run.stats[-1]
            assert first.every >= 3 and first.stacks < first.switches / 2
            order(program, b"rest")
            await until(lambda: run.stats[-1].every == 1)
            assert run.stats[-1].since == first.since


async def test_a_target_that_exits_is_said() -> None:
    with processes(SPIN) as (program,):
        async with live(program.pid) as run:
            await until(lambda: bool(run.collector.child_pids))
            program.kill()
            program.wait()
            await until(lambda: bool(run.statuses))
            assert run.statuses[-1].reason == "Every profiled process has exited."


AS_NOBODY = """
import asyncio, json, os, sys
import kvtop.app  # Everything is imported while its files can still be read.
from kvtop.collectors.off_cpu import OffCpu
from kvtop.events import CollectorStatus
from kvtop.profile.stacks import StackTable
os.setgid(65534), os.setuid(65534)

async def main():
    child = await asyncio.create_subprocess_exec("sleep", "60")
    said = []
    try:
        async with asyncio.timeout(20):
            await OffCpu(StackTable(), [child.pid]).run(said.append)
    finally:
        child.kill()
        await child.wait()
    print(json.dumps([s.reason for s in said if isinstance(s, CollectorStatus)]))

asyncio.run(main())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.skipif((read_paranoid() or 0) < 2, reason="the kernel lets everybody record it")
def test_without_permission_the_sentence_says_how_to_get_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"HOME": "/nonexistent"},
    )
    assert done.returncode == 0, done.stderr
    (reason,) = json.loads(done.stdout)
    assert "kernel.perf_event_paranoid" in reason and "sudo" in reason
