"""The live stream on real perf: known truth in C, Python by name, faults, nothing left behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from kvtop.collectors.children import output_of
from kvtop.collectors.perf_record import PerfRecord
from kvtop.events import (
    Health,
    Marker,
    MarkerKind,
    PipelineStats,
    SampleBatch,
    StackSample,
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
needs_perf_jit = pytest.mark.skipif(
    sys.version_info < (3, 13), reason="-X perf_jit came with Python 3.13"
)


def remove_dump(pid: int) -> None:
    """What -X perf_jit of a process left behind."""
    Path(f"/tmp/jit-{pid}.dump").unlink()


class Live(Heard):
    """A collector that runs, and what it emitted."""

    def __init__(self, pids: list[int], call_graph: str = "auto") -> None:
        super().__init__()
        self.record = PerfRecord(self.table, pids, frequency=199, call_graph=call_graph)

    @property
    def samples(self) -> list[StackSample]:
        return [s for e in self.events if isinstance(e, SampleBatch) for s in e.samples]

    async def more(self, count: int, wanted: Callable[[StackSample], bool]) -> list[StackSample]:
        """Wait for so many new samples of a kind."""
        before = len(self.samples)
        await until(lambda: sum(map(wanted, self.samples[before:])) >= count)
        return [s for s in self.samples[before:] if wanted(s)]


@asynccontextmanager
async def live(pids: list[int], call_graph: str = "auto") -> AsyncIterator[Live]:
    run = Live(pids, call_graph)
    async with running(run.record, run.events.append):
        await until(lambda: run.record.attached.is_set() or bool(run.statuses))
        yield run


@pytest.fixture(scope="module")
def spin_program(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(compiled(tmp_path_factory.mktemp("spin"), "spin.c"))


async def test_shares_of_a_program_whose_truth_is_known(spin_program: str) -> None:
    with processes([spin_program]) as (program,):
        async with live([program.pid]) as run:
            samples = await run.more(300, lambda s: s.pid == program.pid)
            await until(lambda: any(isinstance(e, PipelineStats) for e in run.events))
    callers = Counter(
        next((name for name in run.symbols(s) if name in ("by_three", "by_one")), "other")
        for s in samples
    )
    # by_three does three quarters of the work; four standard errors of 300 samples are 0.1.
    assert abs(callers["by_three"] / len(samples) - 0.75) < 0.1
    assert sum("leaf" in run.symbols(s) for s in samples) > 0.9 * len(samples)
    assert {s.comm for s in samples} == {"spin"}
    stats = next(e for e in run.events if isinstance(e, PipelineStats))
    assert (stats.frequency, stats.call_graph, stats.lost) == (199, "fp", 0)
    assert stats.event == samples[0].event and stats.event.split(":")[0] in ("cycles", "cpu-clock")
    assert run.statuses[0].health is Health.OK


@needs_perf_jit
async def test_python_functions_by_name_after_late_calls_and_a_restart() -> None:
    family = [sys.executable, str(FIXTURES / "python_family.py")]
    with processes(family) as (parent,):
        answer(parent)
        dumps = []
        async with live([parent.pid], "dwarf") as run:
            pids = []
            for words in (b"start", b"kill\nstart"):
                order(parent, words)
                pids.append(int(answer(parent)))
                dumps.append(Path(f"/tmp/jit-{pids[-1]}.dump"))
                pid = pids[-1]
                # Until a function's name has been flushed and read its stacks are cut off.
                await run.more(1, lambda s, p=pid: s.pid == p and "called_late" in run.symbols(s))
                samples = await run.more(200, lambda s, p=pid: s.pid == p)
                whole = [s for s in samples if not run.table.is_broken(s.stack)]
                assert len(whole) >= 0.95 * len(samples)
                found = {name for s in whole for name in run.symbols(s)}
                assert {"hot_outer", "hot_inner", "called_late", "_start"} <= found
            assert pids[0] != pids[1]
            order(parent, b"quit")
            await until(lambda: bool(run.statuses) and "exited" in run.statuses[-1].reason)
        for dump in dumps:
            dump.unlink()
            # perf inject would have left one of these per function.
            assert not jit_objects(dump)


async def test_what_is_past_can_be_saved_and_read_by_perf(
    spin_program: str, tmp_path: Path
) -> None:
    with processes([spin_program]) as (program,):
        async with live([program.pid]) as run:
            await run.more(100, lambda s: True)
            data = tmp_path / "perf.data"
            saved = run.record.write_perf_data(data, 30)
            await run.record.write_unfold(data, tmp_path / "perf.unfold")
    assert saved >= 100
    assert (tmp_path / "perf.unfold").read_text().count("by_three") > saved / 2
    report = ["perf", "report", "-i", str(data), "--stdio", "--no-children", "-g", "none"]
    code, text, _ = await output_of(report)
    assert code == 0 and "leaf" in text


async def test_perf_that_dies_is_started_again_and_the_gap_is_marked(spin_program: str) -> None:
    with processes([spin_program]) as (program,):
        async with live([program.pid]) as run:
            for victim in (0, 1):
                await run.more(20, lambda s: True)
                os.kill(run.record.child_pids[victim], signal.SIGKILL)
                await until(
                    lambda n=victim: (
                        sum(isinstance(e, Marker) and e.kind is MarkerKind.GAP for e in run.events)
                        == n + 1
                    )
                )
                assert run.statuses[-1].health is Health.DEGRADED
                await until(lambda: run.statuses[-1].health is Health.OK)
                await run.more(20, lambda s: True)


@needs_perf_jit
async def test_perf_started_again_sees_the_children_of_before() -> None:
    family = [sys.executable, str(FIXTURES / "python_family.py")]
    with processes(family) as (parent,):
        answer(parent)
        async with live([parent.pid], "dwarf") as run:
            order(parent, b"start")
            child = int(answer(parent))
            await run.more(20, lambda s: s.pid == child)
            os.kill(run.record.child_pids[0], signal.SIGKILL)
            await until(lambda: any(isinstance(e, Marker) for e in run.events))
            await run.more(1, lambda s: s.pid == child and "hot_inner" in run.symbols(s))
            order(parent, b"quit")
            await until(lambda: "exited" in run.statuses[-1].reason)
        remove_dump(child)


async def test_a_target_that_exits_is_reported_and_not_tried_again() -> None:
    with processes(SPIN) as (program,):
        async with live([program.pid]) as run:
            await run.more(5, lambda s: True)
            program.kill()
            program.wait()
            await until(lambda: run.statuses[-1].health is Health.UNAVAILABLE)
            assert run.statuses[-1].reason == "Every profiled process has exited."
            assert run.record.child_pids == ()
            assert not any(isinstance(e, Marker) for e in run.events)


async def test_without_perf_it_says_which_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    async with live([os.getpid()]) as run:
        assert run.statuses[-1].health is Health.UNAVAILABLE
        assert "perf is not installed" in run.statuses[-1].reason


async def test_perf_dies_with_a_kvtop_that_was_killed(spin_program: str) -> None:
    """SIGKILL leaves no time to tidy up: the kernel has to end the children."""
    code = (
        "import asyncio, sys\n"
        "from kvtop.collectors.perf_record import PerfRecord\n"
        "from kvtop.profile.stacks import StackTable\n"
        "async def main():\n"
        "    record = PerfRecord(StackTable(), [int(sys.argv[1])])\n"
        "    task = asyncio.create_task(record.run(lambda event: None))\n"
        "    await record.attached.wait()\n"
        "    print(*record.child_pids, flush=True)\n"
        "    await task\n"
        "asyncio.run(main())\n"
    )
    with processes([spin_program]) as (program,):
        command = [sys.executable, "-c", code, str(program.pid)]
        with processes(command) as (killed,):
            children = [int(word) for word in answer(killed).split()]
            assert len(children) == 2
            killed.send_signal(signal.SIGKILL)
            await until(lambda: not any(_runs(pid) for pid in children))


async def test_perf_killed_in_the_middle_leaves_no_file() -> None:
    """perf would read the vdso from a file in /tmp, which only an orderly end removes."""
    code = "import time\nwhile True: time.monotonic()"
    left = vdso_files()
    with processes([sys.executable, "-c", code]) as (program,):
        async with live([program.pid], "dwarf") as run:

            def in_vdso(sample: StackSample) -> bool:
                frames = map(run.table.frame, run.table.frames(sample.stack))
                return any(frame.object == "[vdso]" for frame in frames)

            samples = await run.more(20, in_vdso)
            assert sum(not run.table.is_broken(s.stack) for s in samples) >= 18
            assert any("clock_gettime" in name for s in samples for name in run.symbols(s))
            os.kill(run.record.child_pids[1], signal.SIGKILL)
            await until(lambda: run.statuses[-1].health is Health.DEGRADED)
    await until(lambda: vdso_files() <= left)  # another perf's go away with it


@needs_perf_jit
async def test_stacks_may_be_deeper_than_perf_shows_by_default() -> None:
    code = (
        "import ctypes, time\n"
        "def deep(n):\n"
        "    return deep(n - 1) if n else sum(range(100_000))\n"
        "while True: deep(50), ctypes.CDLL(None).fflush(None)\n"
    )
    with processes([sys.executable, "-X", "perf_jit", "-c", code]) as (program,):
        async with live([program.pid], "dwarf") as run:
            samples = await run.more(100, lambda s: s.pid == program.pid)
    depths = [run.symbols(s).count("deep") for s in samples if not run.table.is_broken(s.stack)]
    assert len(depths) >= 0.9 * len(samples)
    assert max(depths) == 51
    assert max(len(run.table.frames(s.stack)) for s in samples) > 127


@needs_perf_jit
async def test_threads_that_come_and_go_have_whole_stacks_and_names() -> None:
    """A function for each thread, compiled when the thread begins and gone with it."""
    code = (
        "import ctypes, threading, time\n"
        "flush = ctypes.CDLL(None).fflush\n"
        "def spin(end):\n"
        "    while time.thread_time() < end: sum(range(2000))\n"
        "print('ready', flush=True)\n"
        "for n in range(10_000):\n"
        "    exec(f'def thread_{n}(): spin(0.2)', globals())\n"
        "    one = threading.Thread(target=globals().pop(f'thread_{n}'))\n"
        "    one.start()\n"
        "    while one.is_alive(): flush(None), time.sleep(0.03)\n"
    )
    with processes([sys.executable, "-X", "perf_jit", "-c", code]) as (program,):
        # perf misses what a program maps while it attaches: the dump must be there before.
        assert answer(program)
        async with live([program.pid], "dwarf") as run:
            await run.more(20, lambda s: True)
            samples = await run.more(300, lambda s: s.tid != s.pid)
    whole = [s for s in samples if not run.table.is_broken(s.stack)]
    assert len(whole) >= 0.95 * len(samples)
    own = {s.tid: {n for n in run.symbols(s) if re.fullmatch(r"thread_\d+", n)} for s in whole}
    assert len(own) >= 5
    # No thread seems to run another one's function.
    names = [name for found in own.values() for name in found]
    assert len(names) == len(set(names)) >= 0.6 * len(own)


def vdso_files() -> set[Path]:
    return set(Path("/tmp").glob("perf-vdso.so-*"))


def jit_objects(dump: Path) -> list[Path]:
    return list(dump.parent.glob(f"jitted-{dump.stem.removeprefix('jit-')}-*"))


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_a_lonely_sample_does_not_wait_for_the_next() -> None:
    """What perf script holds back, to sort and in its buffer, is pushed out when it is quiet."""
    code = "input()\nfor _ in range(20_000_000): pass\ninput()"
    with processes([sys.executable, "-c", code]) as (program,):
        async with live([program.pid], "fp") as run:
            order(program, b"")
            await until(lambda: run.record.forwarded > 0 and idle(program.pid))
            await until(lambda: len(run.samples) == run.record.forwarded)


def idle(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_SLEEPING
