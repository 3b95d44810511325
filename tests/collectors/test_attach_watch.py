"""The list of targets while processes come and go."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from kvtop.collectors.attach import target_of
from kvtop.collectors.processes import process_exists
from kvtop.collectors.targets import Selection
from kvtop.collectors.targets_machine import MachineWatch
from kvtop.collectors.targets_watch import TargetWatch
from kvtop.events import Event, LogLine, Marker, StackSample, Target, TargetsChanged

PARENT = """
import subprocess, sys
for line in sys.stdin:
    if line == "start\\n":
        child = subprocess.Popen(["sleep", "60"])
        print(child.pid, flush=True)
    elif line == "end\\n":
        child.kill()
        child.wait()
    elif line == "leave\\n":
        break
"""


class Parent:
    """A process that starts and ends a child when told to."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-c", PARENT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def start_child(self) -> int:
        self.tell("start")
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())


def start(argv: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv)


def start_with_input(argv: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, stdin=subprocess.PIPE)


class Watched:
    """A watch that runs, and what it said."""

    def __init__(self, targets: list[Target], selection: Selection = Selection()) -> None:  # noqa: B008
        self.events: list[Event] = []
        self.attached: list[tuple[int, ...]] = []
        self.watch = TargetWatch(targets, selection, self.attached.append)

    @property
    def targets(self) -> tuple[Target, ...]:
        changes = [event for event in self.events if isinstance(event, TargetsChanged)]
        return changes[-1].targets if changes else ()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.watch.run(self.events.append))
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(done: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not done():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_children_come_and_go_and_are_counted_with_their_parent() -> None:
    parent = Parent()
    pid = parent.process.pid
    watched = Watched([target_of(pid)])
    try:
        async with watched.running():
            child = parent.start_child()
            await until(lambda: {t.pid for t in watched.targets} == {pid, child})
            assert {t.pid: t.parent for t in watched.targets} == {pid: None, child: pid}
            parent.tell("end")
            await until(lambda: {t.pid for t in watched.targets} == {pid})
            lines = [event for event in watched.events if isinstance(event, LogLine)]
            assert any(line.text.startswith("started") for line in lines)
            assert any(line.text.startswith("ended") for line in lines)
            # Only the end of what was asked for is a mark on the timelines.
            assert not [event for event in watched.events if isinstance(event, Marker)]
    finally:
        parent.process.kill()
        parent.process.communicate()


async def test_children_that_perf_does_not_follow_are_no_targets() -> None:
    parent = Parent()
    old = parent.start_child()
    watched = Watched([target_of(parent.process.pid)])
    try:
        async with watched.running():
            new = parent.start_child()
            await until(lambda: watched.targets)
            assert {t.pid for t in watched.targets} == {parent.process.pid, new}
    finally:
        os.kill(old, 9)
        parent.tell("end")
        parent.tell("leave")
        parent.process.communicate()


async def test_a_child_that_becomes_another_program_has_its_name() -> None:
    code = "import os, sys; sys.stdin.readline(); os.execvp('sleep', ['sleep', '60'])"
    parent = Parent()
    watched = Watched([target_of(parent.process.pid)])
    child: subprocess.Popen[bytes] | None = None
    try:
        async with watched.running():
            child = start_with_input([sys.executable, "-c", code])
            watched.watch.saw([StackSample(1.0, child.pid, child.pid, "x", "e", 1, 0)])
            await until(lambda: child.pid in {t.pid for t in watched.targets})
            assert child.stdin is not None
            child.stdin.write(b"\n")
            child.stdin.flush()
            await until(lambda: f"sleep({child.pid})" in {t.label for t in watched.targets})
    finally:
        if child is not None:
            child.kill()
            child.communicate()
        parent.tell("leave")
        parent.process.communicate()


async def test_a_child_outlives_its_parent_and_is_counted_itself() -> None:
    parent = Parent()
    pid = parent.process.pid
    watched = Watched([target_of(pid)])
    child = 0
    try:
        async with watched.running():
            child = parent.start_child()
            await until(lambda: len(watched.targets) == 2)
            parent.tell("leave")
            parent.process.wait()
            await until(lambda: [t.pid for t in watched.targets] == [child])
            assert watched.targets[0].parent is None
            markers = [event for event in watched.events if isinstance(event, Marker)]
            assert [marker.text for marker in markers] == [f"{markers[0].label} exited"]
    finally:
        parent.process.kill()
        if child and process_exists(child):
            os.kill(child, 9)  # first: it holds the output that communicate() reads to its end
        parent.process.communicate()


async def test_a_process_that_perf_sampled_becomes_a_target() -> None:
    # As a daemon does, it has no ancestor among the targets any more.
    stranger = start(["sleep", "60"])
    parent = Parent()
    watched = Watched([target_of(parent.process.pid)])
    try:
        async with watched.running():
            watched.watch.saw([StackSample(1.0, stranger.pid, stranger.pid, "x", "e", 1, 0)])
            await until(lambda: stranger.pid in {t.pid for t in watched.targets})
    finally:
        for process in (stranger, parent.process):
            process.kill()
            process.wait()
        parent.process.communicate()


async def test_who_fits_the_rule_later_is_attached_to() -> None:
    mark = f"kvtop-{uuid.uuid4().hex}"
    argv = [sys.executable, "-c", "import time; time.sleep(60)", mark]
    first = start(argv)
    watched = Watched([target_of(first.pid)], Selection(name=mark))
    second = None
    try:
        async with watched.running():
            # Not a child of the first, so perf does not follow it by itself.
            second = start(argv)
            await until(lambda: watched.attached)
            assert watched.attached[-1] == (first.pid, second.pid)
            assert {t.pid for t in watched.targets} == {first.pid, second.pid}
    finally:
        for process in (first, second):
            if process is not None:
                process.kill()
                process.wait()


async def test_the_busiest_of_the_machine() -> None:
    busy = start([sys.executable, "-c", "while True: pass"])
    events: list[Event] = []
    task = asyncio.create_task(MachineWatch().run(events.append))

    def shown() -> set[int]:
        changes = [event for event in events if isinstance(event, TargetsChanged)]
        return {target.pid for target in changes[-1].targets} if changes else set()

    try:
        await until(lambda: busy.pid in shown())
        busy.kill()
        busy.wait()
        await until(lambda: busy.pid not in shown())
    finally:
        task.cancel()
        busy.kill()
        busy.wait()
