"""The profile of one benchmark: the same work once more, under perf, beside what was measured.

What is measured is not profiled and what is profiled not measured: sampling, and telling perf the
names of Python functions, would slow down the one that counts.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from kvtop.bench.macro import MACROS, Macro, MacroError, fresh_cluster, load
from kvtop.collectors.doctor import probe
from kvtop.collectors.perf_record import PerfRecord
from kvtop.events import CollectorStatus, Event, Health, SampleBatch, StackSample
from kvtop.profile.stacks import StackTable
from kvtop.workload.children import remove_perf_files
from kvtop.workload.commands.stress import StressFailed
from kvtop.workload.temporary_cluster import ClusterError, TemporaryCluster

RATE = 499
"""Samples a second of CPU time; a prime, so that few loops keep step with it."""
SECONDS = 4.0
_PATIENCE = 60.0
"""Seconds for data to be made and perf to attach."""
_LATE = 3.0
"""Seconds that the last samples may take."""
_HAS_JIT = sys.version_info >= (3, 13)


class NoProfile(Exception):
    """Why there is none: one sentence."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """Folds by group (stack id -> samples) of so many operations in ``seconds``."""

    table: StackTable
    groups: dict[str, dict[int, int]]
    seconds: float
    operations: int
    event: str


def sample(name: str, seconds: float = SECONDS) -> Sampled:
    """Profile a benchmark for about ``seconds``; NoProfile."""
    macro = MACROS.get(name)
    work = _of_micro(name, seconds) if macro is None else _of_macro(macro, seconds)
    return asyncio.run(work)


class _Sampling:
    """What perf has told of some processes so far."""

    def __init__(self, pids: Sequence[int]) -> None:
        self.table = StackTable()
        self.samples: list[StackSample] = []
        self.record = PerfRecord(self.table, pids, RATE)
        self._problem = ""

    def emit(self, event: Event) -> None:
        if isinstance(event, SampleBatch):
            self.samples += event.samples
        elif isinstance(event, CollectorStatus) and event.health is Health.UNAVAILABLE:
            self._problem = event.reason

    async def wait_attached(self) -> None:
        """Wait until perf samples; NoProfile where it cannot."""
        deadline = time.monotonic() + _PATIENCE
        while not self.record.attached.is_set():
            if self._problem or time.monotonic() > deadline:
                raise NoProfile(self._problem or "perf did not attach.")
            await asyncio.sleep(0.02)

    async def until(self, moment: float, patience: float) -> None:
        """Wait until samples from after a moment (monotonic s) have come; NoProfile."""
        deadline = time.monotonic() + patience
        while not self.samples or self.samples[-1].time < moment:
            if self._problem:
                raise NoProfile(self._problem)
            if time.monotonic() > deadline:
                return
            await asyncio.sleep(0.02)

    def between(self, start: float, end: float, names: dict[int, str]) -> dict[str, dict[int, int]]:
        """Folds by the names of the processes."""
        groups: dict[str, Counter[int]] = {}
        for one in self.samples:
            if start <= one.time <= end:
                groups.setdefault(names.get(one.pid, ""), Counter())[one.stack] += 1
        return {name: dict(counts) for name, counts in sorted(groups.items())}

    def result(self, groups: dict[str, dict[int, int]], seconds: float, operations: int) -> Sampled:
        if not groups:
            raise NoProfile("perf gave no sample of it.")
        return Sampled(self.table, groups, seconds, operations, self.samples[-1].event)


@asynccontextmanager
async def _sampling(pids: Sequence[int]) -> AsyncIterator[_Sampling]:
    """perf over these processes, attached; NoProfile."""
    facts = await probe()
    if not facts.works:
        raise NoProfile(facts.problem)
    sampling = _Sampling(pids)
    running = asyncio.create_task(sampling.record.run(sampling.emit))
    try:
        await sampling.wait_attached()
        yield sampling
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        for pid in pids:
            remove_perf_files(pid)


async def _of_micro(name: str, seconds: float) -> Sampled:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, *(["-X", "perf_jit"] if _HAS_JIT else [])),
        *("-m", "kvtop.workload.traced", "kvtop.bench.spin", name, str(os.getpid())),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        process_group=0,
    )
    try:
        await _mark(child)  # its data are made, and its functions have been called
        async with _sampling([child.pid]) as sampling:
            await sampling.until(0.0, _PATIENCE)
            begun, before = await _mark_after(child, time.monotonic())
            ended, after = await _mark_after(child, begun + seconds)
            await sampling.until(ended, _LATE)
            groups = sampling.between(begun, ended, {})
            return sampling.result(groups, ended - begun, after - before)
    finally:
        if child.returncode is None:
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()
        remove_perf_files(child.pid)


async def _mark(child: asyncio.subprocess.Process) -> tuple[float, int]:
    """The next moment that `spin` tells of, and the operations by then; NoProfile."""
    assert child.stdout is not None
    line = await child.stdout.readline()
    if not line:
        raise NoProfile(f"the process ended with code {await child.wait()}.")
    told = json.loads(line)
    return told["time"], told["operations"]


async def _mark_after(child: asyncio.subprocess.Process, moment: float) -> tuple[float, int]:
    while (mark := await _mark(child))[0] < moment:
        pass
    return mark


async def _of_macro(macro: Macro, seconds: float) -> Sampled:
    frames = "jit" if _HAS_JIT else "off"
    try:
        with fresh_cluster(macro, frames) as cluster:
            return await _of_cluster(macro, cluster, seconds)
    except (MacroError, ClusterError, StressFailed) as error:
        raise NoProfile(f"{error}.") from error


async def _of_cluster(macro: Macro, cluster: TemporaryCluster, seconds: float) -> Sampled:
    nodes = {started.pid: name for name, started in cluster.started.items()}
    roles = {pid: "leader" if name == cluster.leader else "follower" for pid, name in nodes.items()}
    async with _sampling(list(nodes)) as sampling:
        # Warms up, and tells how many operations fill the time.
        first = await asyncio.to_thread(load, macro, cluster.addresses, macro.clients * 200)
        operations = math.ceil(first["operations_per_second"] * seconds)
        begun = time.monotonic()
        figures = await asyncio.to_thread(load, macro, cluster.addresses, operations)
        ended = time.monotonic()
        await sampling.until(ended, _LATE)
        groups = sampling.between(begun, ended, roles)
        return sampling.result(groups, figures["seconds"], figures["operations"])
