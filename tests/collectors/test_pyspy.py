"""Python stacks from outside: py-spy's text, and py-spy itself on a real program."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors import pyspy_record
from kvtop.collectors.attach import target_of
from kvtop.collectors.pyspy import PySpy
from kvtop.collectors.pyspy_raw import CUT_OFF, mark_torn, parse_raw
from kvtop.collectors.pyspy_record import explain
from kvtop.events import CollectorStatus, Event, Health, SpiedBatch
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.stacks import StackTable

PROGRAM = """
import threading
def hash_keys():
    return sum(i * i for i in range(2000))
def serve():
    while True: hash_keys()
threading.Thread(target=serve, name="evil\\x1b[31m;name").start()
print(1, flush=True)
"""


@pytest.fixture
def program() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def test_a_recording_is_read() -> None:
    text = (
        "thread (12): MainThread;<module> (/srv/a (1)/app.py:9);run (/srv/app.py:120) 47\n"
        "thread (0x7F12);helper (<string>) 1\n"
        "<module> (/srv/app.py) 2\n"
        "thread (13): a;b 1;run (/srv/app.py) 9\n"
    )
    first, second, third, fourth = parse_raw(text)
    assert (first.tid, first.thread, first.samples) == (12, "MainThread", 47)
    assert first.frames[0] == Frame("<module>", "app.py", Kind.PYTHON, "/srv/a (1)/app.py")
    assert first.frames[1] == Frame("run", "app.py", Kind.PYTHON, "/srv/app.py")
    assert first.lines == (9, 120)
    assert (second.tid, second.frames[0].file, second.lines) == (0, "<string>", (0,))
    assert (third.tid, third.thread, third.samples) == (0, "", 2)
    assert (fourth.thread, len(fourth.frames)) == ("a;b 1", 1)


def test_stacks_without_their_beginning_are_marked() -> None:
    text = (
        "thread (1): M;<module> (a.py);run (a.py) 5\n"
        "thread (1): M;run (a.py) 2\n"
        "thread (2): C;callback (a.py) 3\n"
    )
    whole, torn, of_c = mark_torn(parse_raw(text))
    assert whole.frames[0].symbol == "<module>"
    assert torn.frames == (CUT_OFF, *whole.frames[1:])
    # A thread that no Python code started may begin anywhere.
    assert of_c.frames[0].symbol == "callback"


@given(st.text())
def test_any_text_is_read_without_an_error_and_shown_safely(text: str) -> None:
    for stack in mark_torn(parse_raw(text)):
        assert stack.frames and stack.samples > 0
        assert len(stack.lines) == len(stack.frames)
        assert all(frame.symbol.isprintable() for frame in stack.frames)


@given(
    st.lists(st.tuples(st.text("ab(.<>)", min_size=1), st.integers(0, 10**6)), min_size=1),
    st.sampled_from(["x.py", "/a b/c:d.py", "<frozen x>"]),
    st.integers(1, 10**8),
)
def test_what_was_written_is_read(frames: list[tuple[str, int]], file: str, count: int) -> None:
    line = ";".join(f"{name} ({file}{f':{at}' if at else ''})" for name, at in frames)
    (stack,) = parse_raw(f"thread (7): T;{line} {count}")
    assert [frame.symbol for frame in stack.frames] == [name for name, _ in frames]
    assert {frame.file for frame in stack.frames} == {file}
    assert list(stack.lines) == [at for _, at in frames]
    assert stack.samples == count


@pytest.mark.e2e
async def test_a_program_that_was_not_started_for_perf(program: subprocess.Popen[bytes]) -> None:
    table = StackTable()
    spy = PySpy(table, [target_of(program.pid)])
    events: list[Event] = []
    task = asyncio.create_task(spy.run(events.append))
    try:
        async with asyncio.timeout(40):
            while not any(isinstance(event, SpiedBatch) and event.samples for event in events):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        samples = [s for e in events if isinstance(e, SpiedBatch) for s in e.samples]
        names = {tuple(table.frame(f).symbol for f in table.frames(s.stack)) for s in samples}
        assert any(stack[-3:-1] == ("serve", "hash_keys") for stack in names)
        assert {sample.pid for sample in samples} == {program.pid}
        assert {sample.tid for sample in samples} != {program.pid}
        (start, ok) = (e for e in events if isinstance(e, CollectorStatus))
        assert (start.health, ok.health) == (Health.STARTING, Health.OK)
        # It ends while it is looked at: nothing to complain of.
        program.kill()
        program.wait()
        async with asyncio.timeout(20):
            while spy.child_pids:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert [e for e in events if isinstance(e, CollectorStatus)] == [start, ok]
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert spy.child_pids == ()


async def test_other_programs_are_left_alone() -> None:
    sleeper = await asyncio.create_subprocess_exec("sleep", "60")
    spy = PySpy(StackTable(), [target_of(sleeper.pid)])
    events: list[Event] = []
    task = asyncio.create_task(spy.run(events.append))
    await asyncio.sleep(0.2)
    assert not events and not spy.child_pids
    task.cancel()
    sleeper.kill()
    await sleeper.wait()


async def test_without_py_spy_a_sentence_says_how_to_get_it(
    program: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> str:
        raise FileNotFoundError("py-spy")

    monkeypatch.setattr(pyspy_record, "_program", missing)
    spy = PySpy(StackTable(), [target_of(program.pid)])
    events: list[Event] = []
    task = asyncio.create_task(spy.run(events.append))
    async with asyncio.timeout(20):
        while len(events) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    task.cancel()
    status = events[-1]
    assert isinstance(status, CollectorStatus) and status.health is Health.UNAVAILABLE
    assert "pip install py-spy" in status.reason


def test_its_errors_become_sentences() -> None:
    assert "start kvtop with sudo" in explain("Permission Denied: Try running again")
    assert "does not know this version" in explain(
        "Error: Failed to find python version from target process\n\nStack backtrace:\n 0: x"
    )
    assert explain("Error: odd \x1b[31m\nmore") == "py-spy failed: odd \\x1b[31m."


def test_the_program_is_found_beside_the_interpreter() -> None:
    assert os.access(pyspy_record._program(), os.X_OK)
