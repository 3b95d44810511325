"""Lines of Python functions: what is kept of recordings, and a real program with a known split."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from math import inf
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvtop.collectors.annotate import AnnotateError, Span
from kvtop.collectors.pyspy import PySpy
from kvtop.collectors.pyspy_history import FunctionLines, LineHistory
from kvtop.collectors.pyspy_lines import SAMPLER, PythonLines, python_source
from kvtop.collectors.pyspy_raw import SpiedStack
from kvtop.collectors.pyspy_record import Recording
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.listing import Listing
from kvtop.profile.stacks import StackTable

CALLS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)), min_size=1, max_size=6)
STACKS = st.lists(st.tuples(CALLS, st.integers(1, 50)), max_size=5)
ROUNDS = st.lists(st.tuples(st.integers(1, 3), STACKS), min_size=1, max_size=6)


def function(name: str, file: str = "/srv/app.py") -> Frame:
    return Frame(name, "app.py", Kind.PYTHON, file)


def stack(calls: list[tuple[str, int]], samples: int) -> SpiedStack:
    frames = tuple(function(name) for name, _ in calls)
    return SpiedStack(1, "T", frames, samples, tuple(line for _, line in calls))


@settings(max_examples=40)
@given(ROUNDS, st.integers(0, 6), st.integers(0, 6), st.sets(st.integers(1, 3)))
def test_lines_are_those_of_the_recordings_in_the_time(
    rounds: list[tuple[int, list[tuple[list[tuple[str, int]], int]]]],
    start: int,
    end: int,
    pids: set[int],
) -> None:
    history = LineHistory()
    own: Counter[int] = Counter()
    totals: Counter[int] = Counter()
    total = 0
    seconds: Counter[int] = Counter()
    for time_, (pid, stacks) in enumerate(rounds):
        history.add(Recording(time_, pid, 2.0, [stack(*one) for one in stacks]))
        if not start <= time_ <= end or pid not in pids:
            continue
        seconds[pid] += 2
        for calls, samples in stacks:
            if calls[-1][0] == "a":
                own[calls[-1][1]] += samples
            lines = {line for name, line in calls if name == "a"}
            totals.update(dict.fromkeys(lines - {0}, samples))
            total += samples if lines else 0
    found = history.lines(function("a"), start, end, pids)
    assert (found.own, found.totals, found.total) == (own, totals, total)
    assert found.seconds == max(seconds.values(), default=0)


def test_the_same_name_elsewhere_is_another_function() -> None:
    history = LineHistory()
    history.add(Recording(1.0, 7, 2.0, [stack([("a", 3)], 5)]))
    assert history.lines(function("a", "/other.py"), -inf, inf) == FunctionLines(seconds=2.0)
    assert history.lines(function("a"), -inf, inf) == FunctionLines({3: 5}, {3: 5}, 5, 2.0)


def test_old_recordings_leave_and_room_is_bounded() -> None:
    history = LineHistory(seconds=10, most_rows=8)
    for at in range(4):
        history.add(Recording(at, 7, 2.0, [stack([("a", 1), ("b", 1)], 1)]))
    # Four rows each: two places and two functions.
    assert history.lines(function("a"), -inf, inf).seconds == 4
    history.add(Recording(50.0, 7, 2.0, []))
    assert history.lines(function("a"), -inf, inf) == FunctionLines(seconds=2.0)
    history.add(Recording(51.0, 7, 2.0, [stack([("a", n) for n in range(1, 20)], 1)]))
    assert not history.lines(function("a"), -inf, inf).total


def test_names_without_end_are_forgotten() -> None:
    history = LineHistory(most_places=10)
    for at in range(12):
        history.add(Recording(at, 7, 2.0, [stack([(f"made{at}", 1)], 1)]))
    assert history.lines(function("made0"), -inf, inf).total == 0
    assert history.lines(function("made11"), -inf, inf).total == 1
    assert history._places <= 12


async def test_a_python_function_is_shown_without_figures(tmp_path: Path) -> None:
    file = tmp_path / "service.py"
    file.write_text("import os\n\nclass Raft:\n    def step(self):\n        return os\n")
    listing = await python_source(function("Raft.step", str(file)), "No lines.")
    assert listing.remark == "No lines." and not listing.instructions
    (source,) = listing.files
    assert (source.first, source.samples) == (4, {})
    assert source.lines[3] == "    def step(self):"
    gone = await python_source(function("Raft.gone", str(file)), "No lines.")
    assert gone.remark == "Raft.gone is not in the file as it is now. No lines."
    file.write_text("\n\n\nclass Raft:\n    def step(self):\n        return None\n")
    assert (await python_source(function("Raft.step", str(file)))).files[0].first == 5
    with pytest.raises(AnnotateError, match="cannot be read here: No such file"):
        await python_source(function("f", str(tmp_path / "x.py")))


async def test_a_time_that_was_recorded_is_shown_and_nothing_is_recorded_for_it(
    tmp_path: Path,
) -> None:
    file = tmp_path / "app.py"
    file.write_text("def a():\n    b()\n    return 1\n")
    spy = PySpy(StackTable())
    frames = (function("a", str(file)), function("b", str(file)))
    now = time.monotonic()
    stacks = [SpiedStack(1, "T", frames, 7, (2, 9)), SpiedStack(1, "T", frames[:1], 3, (3,))]
    spy.history.add(Recording(now - 100, 7, 2.0, stacks))
    lines = PythonLines(spy)
    listing = await lines.listing(frames[0], Span(now - 101, now - 99, frozenset((7,))))
    assert (listing.total, listing.samples, listing.seconds) == (10, 3, 2.0)
    assert (listing.sampler, listing.more, listing.remark) == (SAMPLER, False, "")
    (source,) = listing.files
    assert (source.totals, source.samples) == ({2: 7, 3: 3}, {3: 3})
    # Another process, which is gone: no figure is another's.
    listing = await lines.listing(frames[0], Span(now - 101, now - 99, frozenset((0,))))
    assert (listing.total, listing.more) == (0, False)
    assert "no process is left" in listing.remark
    assert lines.child_pids == ()


PROGRAM = """
from time import perf_counter

def spin(seconds):
    end = perf_counter() + seconds
    while perf_counter() < end:
        pass

def serve():
    while True:
        spin(0.0077)
        spin(0.0033)

print(1, flush=True)
serve()
"""
LONG, SHORT = 11, 12
"""Lines of ``serve`` that take 70 % and 30 % of the time by construction."""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    file = tmp_path / "known split.py"
    file.write_text(PROGRAM)
    process = subprocess.Popen([sys.executable, file], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline()
    yield process, file
    process.kill()
    process.communicate()


async def answers(lines: PythonLines, frame: Frame, pid: int) -> AsyncIterator[Listing]:
    """As an open view asks: again and again, for a time that goes on."""
    began = time.monotonic()
    while True:
        span = Span(began - 30, time.monotonic(), frozenset((pid,)))
        yield await lines.listing(frame, span)
        await asyncio.sleep(0.2)


@pytest.mark.e2e
async def test_lines_have_the_shares_that_they_were_built_to_have(
    program: tuple[subprocess.Popen[bytes], Path],
) -> None:
    process, file = program
    lines = PythonLines()
    frame = Frame("serve", file.name, Kind.PYTHON, str(file))
    try:
        async with asyncio.timeout(60), aclosing(answers(lines, frame, process.pid)) as asked:
            first = await anext(asked)
            assert first.more and not first.total and "py-spy is recording" in first.remark
            async for listing in asked:
                if listing.total >= 240:
                    break
            assert listing.sampler == SAMPLER and not listing.remark
            (source,) = listing.files
            assert source.first == 9
            share = source.totals[LONG] / (source.totals[LONG] + source.totals[SHORT])
            # py-spy's 20 ms are no multiple of the 11 ms: what is left is chance, at most 9 points
            # (three standard deviations).
            assert 0.61 < share < 0.79
            assert source.totals[LONG] + source.totals[SHORT] >= 0.95 * listing.total
            # It is the leaf hardly ever: `spin` is.
            assert listing.samples < 0.1 * listing.total
            spin = await lines.listing(
                Frame("spin", file.name, Kind.PYTHON, str(file)),
                Span(0.0, time.monotonic(), frozenset((process.pid,))),
            )
            # Nothing was recorded then: what was later is shown, and told as that.
            then = Span(time.monotonic() - 1000, time.monotonic() - 900, frozenset((process.pid,)))
            late = await lines.listing(frame, then)
            assert late.total >= listing.total and "not there at the time" in late.remark
            assert spin.samples > 0.9 * spin.total and set(spin.files[0].samples) <= {4, 5, 6, 7}
    finally:
        await lines.stop()
    assert lines.child_pids == () and not lines._running


@pytest.mark.e2e
async def test_nobody_asks_any_more_and_the_recording_ends(
    program: tuple[subprocess.Popen[bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    process, file = program
    monkeypatch.setattr("kvtop.collectors.pyspy_lines.LEASE", 0.2)
    monkeypatch.setattr("kvtop.collectors.pyspy_lines.MOST", 1)
    lines = PythonLines()
    frame = Frame("serve", file.name, Kind.PYTHON, str(file))
    try:
        async with asyncio.timeout(60):
            # This process runs Python too, and there is room for one.
            span = Span(0.0, time.monotonic(), frozenset((process.pid, os.getpid())))
            listing = await lines.listing(frame, span)
            assert listing.more
            assert listing.remark.endswith("py-spy looks at 1 processes, at 1 more it does not.")
            while not all(task.done() for task in lines._running.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert lines.child_pids == ()
    finally:
        await lines.stop()
