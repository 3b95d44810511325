"""The list from which processes are picked."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from kvtop.picker import PickerApp
from tests.e2e.terminal import Terminal
from tests.widgets.render import screen_text


@pytest.fixture
def word() -> str:
    """A word that no other command line has."""
    return uuid.uuid4().hex


@pytest.fixture
def two(word: str) -> Iterator[list[int]]:
    """PIDs of two processes, one with a hostile name."""
    code = "import time; print(1, flush=True); time.sleep(60)"
    names = (f"{word}-plain", f"{word}-\x1b[31m[bold]evil[/]\n")
    some = [
        subprocess.Popen([sys.executable, "-c", code, name], stdout=subprocess.PIPE)
        for name in names
    ]
    for one in some:
        assert one.stdout is not None and one.stdout.readline()
    yield [one.pid for one in some]
    for one in some:
        one.kill()
        one.communicate()


async def typed(pilot: Pilot[tuple[int, ...]], text: str) -> None:
    """The processes are read, and a text is typed."""
    app = pilot.app
    assert isinstance(app, PickerApp)
    async with asyncio.timeout(30):
        while not app.picker.items:
            await pilot.pause(0.02)
    await pilot.press(*text)
    await pilot.pause()


async def test_typing_searches_and_enter_picks(two: list[int], word: str) -> None:
    app = PickerApp()
    async with app.run_test(size=(200, 24)) as pilot:
        await typed(pilot, f"{word}-plain")
        assert [process.pid for process in app.picker.shown] == [two[0]]
        assert f"search {word}-plain" in screen_text(app)
        await pilot.press("enter")
    assert app.return_value == (two[0],)


async def test_several_are_selected(two: list[int], word: str) -> None:
    app = PickerApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await typed(pilot, word)
        await pilot.press("space", "space", "enter")
    assert set(app.return_value or ()) == set(two)


async def test_hostile_names_are_shown_as_text(two: list[int], word: str) -> None:
    app = PickerApp()
    async with app.run_test(size=(200, 24)) as pilot:
        await typed(pilot, word)
        text = screen_text(app)
        assert f"{word}-\\x1b[31m[bold]evil[/]\\n" in text
        assert "\x1b" not in text


async def test_the_busiest_is_first() -> None:
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])  # noqa: ASYNC220
    app = PickerApp()
    try:
        async with app.run_test(size=(120, 24)) as pilot:
            for _ in range(200):
                await pilot.pause(0.05)
                shares = [process.cpu_percent for process in app.picker.shown]
                if any(shares):
                    break
            known = [share for share in shares if share is not None]
            assert known == sorted(known, reverse=True)
            assert busy.pid in [process.pid for process in app.picker.shown[:8]]
    finally:
        busy.kill()
        busy.wait()


async def test_one_that_has_ended_is_refused_with_a_sentence(two: list[int], word: str) -> None:
    app = PickerApp()
    async with app.run_test(size=(120, 24)) as pilot:
        await typed(pilot, f"{word}-plain")
        # Between two readings.
        subprocess.run(["kill", "-9", str(two[0])], check=True)  # noqa: ASYNC221
        wait_dead(two[0])
        await pilot.press("enter")
        await pilot.pause()
        assert app.return_value is None
        assert "has exited" in next(iter(app._notifications)).message
        await pilot.press("escape")
        assert app.picker.search == ""
        await pilot.press("escape")
    assert app.return_value is None


def wait_dead(pid: int) -> None:
    while b"Z" not in Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2]:
        pass


@pytest.mark.e2e
def test_in_a_terminal_it_leads_to_the_screen(two: list[int], word: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kvtop", "--pick"]
    with Terminal(command, 80, 24, tmp_path) as terminal:
        terminal.wait_for("of [0-9]+ processes")
        terminal.keys(*f"{word}-plain")
        terminal.wait_for("1 of [0-9]+ processes")
        terminal.keys("Enter")
        terminal.wait_for(rf"\({two[0]}\)")
        terminal.wait_for("quit")
        terminal.keys("q")
        assert terminal.wait_exit() == 0
