"""A program that kvtop starts: its output, its end, and what cannot be started."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from kvtop.collectors.attach import AttachError
from kvtop.collectors.targets_command import Command
from kvtop.events import Event, LogLine


async def run(*argv: str, log: Path | None = None) -> tuple[Command, list[Event]]:
    command = Command(argv, log)
    events: list[Event] = []
    try:
        await command.fork()
        await command.go()
        async with asyncio.timeout(20):
            await command.follow(events.append)
            await command.ended.wait()
    finally:
        await command.stop()
    return command, events


def program(pid: int) -> Path:
    return Path(f"/proc/{pid}/exe").resolve()


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def texts(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, LogLine)]


async def test_it_waits_until_it_may_go() -> None:
    command = Command(["true"])
    await command.fork()
    assert psutil.Process(command.pid).is_running()
    assert program(command.pid) == program(os.getpid())
    assert not command.ended.is_set()
    await command.go()
    async with asyncio.timeout(20):
        await command.ended.wait()
    await command.stop()
    assert command.how_it_ended() == f"true({command.pid}) exited with code 0"


async def test_its_output_becomes_log_lines_and_its_code_is_told() -> None:
    script = "echo one; echo 'two\x1b[31m' >&2; printf three; exit 7"
    command, events = await run("sh", "-c", script)
    assert texts(events) == ["one", "two\\x1b[31m", "three"]
    assert command.how_it_ended() == f"sh({command.pid}) exited with code 7"


async def test_a_flood_of_output_does_not_hold_it_up() -> None:
    code = "import sys\nfor i in range(300_000): print('line', i)"
    command, events = await run(sys.executable, "-c", code)
    assert command.returncode == 0
    lines = texts(events)
    assert lines[-1] == "line 299999" or lines[-2] == "line 299999"
    assert len(lines) < 20_000
    assert any("more lines at once are left out" in line for line in lines)


async def test_its_output_goes_to_a_file(tmp_path: Path) -> None:
    log = tmp_path / "out"
    log.write_text("before\n")
    _, events = await run("sh", "-c", "echo one", log=log)
    assert log.read_text() == "before\none\n"
    assert texts(events) == [f"its output goes to {log}"]
    with pytest.raises(AttachError, match="cannot write"):
        Command(["true"], tmp_path / "nowhere" / "out")


async def test_it_is_ended_with_its_children() -> None:
    command = Command(["sh", "-c", "sleep 60 & p=$!; trap '' TERM; echo $p; wait; sleep 60"])
    await command.fork()
    await command.go()
    events: list[Event] = []
    following = asyncio.create_task(command.follow(events.append))
    async with asyncio.timeout(20):
        while not texts(events):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    child = int(texts(events)[0])
    assert os.getpgid(child) == command.pid != os.getpgrp()
    following.cancel()
    await command.stop()
    assert command.returncode == -signal.SIGKILL
    assert command.how_it_ended() == f"sh({command.pid}) was ended with kvtop"
    assert not psutil.pid_exists(command.pid)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie"


async def test_one_that_never_got_to_run_leaves_nothing(tmp_path: Path) -> None:
    before = descriptors()
    made = tmp_path / "made"
    command = Command(["touch", str(made)])
    await command.fork()
    await command.stop()
    await command.stop()
    assert not made.exists()
    assert not psutil.pid_exists(command.pid)
    assert descriptors() == before


async def test_what_cannot_be_started_is_one_sentence(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("hello")
    for name, why in (
        ("kvtop-no-such", "there is no such command in PATH"),
        (f"{tmp_path}/nothing", "there is no such file"),
        (str(tmp_path), "it is a directory"),
        (str(plain), "it is not executable; see chmod"),
    ):
        with pytest.raises(AttachError, match=why):
            Command([name])
    plain.chmod(0o755)
    command = Command([str(plain)])
    await command.fork()
    with pytest.raises(AttachError, match="neither a program nor a script"):
        await command.go()
    await command.stop()


async def test_the_call_graph_suits_the_program(tmp_path: Path) -> None:
    script = tmp_path / "tool"
    script.write_text("#!/usr/bin/env python3\n")
    script.chmod(0o755)
    for argv, graph in (
        (["sleep"], "fp"),
        ([sys.executable], "dwarf"),
        ([str(script)], "dwarf"),
    ):
        command = Command(argv)
        assert command.call_graph == graph
        await command.stop()
