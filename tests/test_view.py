"""``kvtop view``: the flamegraph screen over a file, in a made-up and in a real terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from kvtop.export.svg import read_svg
from kvtop.opening.files import open_profile
from kvtop.opening.model import Split
from kvtop.profile.stacks import StackTable
from kvtop.view_app import ViewApp
from kvtop.widgets.help import HelpScreen
from kvtop.widgets.sandwich_screen import SandwichScreen
from tests.e2e.terminal import Terminal
from tests.export.test_perf_text import FRAMES, HEADER
from tests.report import made
from tests.widgets.render import screen_text

FOLDED = "_start;main;work;malloc 60\n_start;main;rest 30\n_start;idle 10\n"


def view(tmp_path: Path, data: bytes | str = FOLDED) -> ViewApp:
    path = tmp_path / "in.folded"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return ViewApp(open_profile(str(path)), tmp_path)


def perf_text() -> bytes:
    """Three samples of two commands and two threads."""
    heads = (
        b"web 1/1 1.0: 5 cycles: \n",
        b"web 1/2 1.5: 5 cycles: \n",
        b"db 3/3 2.0: 5 cycles: \n",
    )
    return HEADER + b"".join(head + FRAMES for head in heads)


def only_svg(folder: Path) -> str:
    (saved,) = folder.glob("kvtop-*.svg")
    return saved.read_text()


async def test_it_shows_the_file_and_says_what_it_is(tmp_path: Path) -> None:
    app = view(tmp_path)
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.pause()
        text = screen_text(app)
    assert "all · 100 samples" in text
    assert "malloc" in text and "rest" in text
    assert "in.folded · 100 samples" in text
    # Nothing here moves: no window, nothing to freeze, and no sentence of a live run.
    assert "freeze" not in text and "window" not in text and "targets" not in text


async def test_search_zoom_and_the_way_back(tmp_path: Path) -> None:
    app = view(tmp_path)
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.press("slash", *"malloc", "enter")
        await pilot.pause()
        assert "60.0%" in screen_text(app)
        await pilot.press("enter")
        await pilot.pause()
        assert "idle" not in screen_text(app)
        await pilot.press("escape", "escape", "escape", "escape")
        await pilot.pause()
        assert "idle" in screen_text(app)
        assert app.is_running


async def test_grouping_by_what_the_file_tells(tmp_path: Path) -> None:
    app = view(tmp_path, perf_text())
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.pause()
        assert "cycles @ 999 Hz · 3 samples of 1 s" in screen_text(app)
        seen = []
        for _ in range(4):
            await pilot.press("t")
            await pilot.pause()
            seen.append((app.file_screen.split, set(app.file_screen.shown().groups)))
    assert seen == [
        (Split.COMMAND, {"web", "db"}),
        (Split.PROCESS, {"web (1)", "db (3)"}),
        (Split.THREAD, {"web (1)", "web (2)", "db (3)"}),
        (Split.NONE, {""}),
    ]


async def test_a_recording_is_grouped_by_target(tmp_path: Path) -> None:
    path = made.record(tmp_path / "made.kvtop")
    app = ViewApp(open_profile(str(path)), tmp_path)
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.press("t")
        await pilot.pause()
        assert set(app.file_screen.shown().groups) == set(made.PIDS)
        assert "by target" in app.file_screen._caption(1)


async def test_nothing_to_group_by_is_said(tmp_path: Path) -> None:
    app = view(tmp_path)
    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        await pilot.press("t")
        await pilot.pause()
        assert any("group by" in note.message for note in app._notifications)
        assert "t group" not in screen_text(app)


async def test_the_saved_svg_is_what_was_shown(tmp_path: Path) -> None:
    app = view(tmp_path)
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.press("F", *"malloc", "enter", "c", "s")
        await app.workers.wait_for_complete()
        await pilot.pause()
    text = only_svg(tmp_path)
    counts, meta = read_svg(text, StackTable())
    assert list(counts.values()) == [60]
    assert meta.title == "in.folded"
    assert '"callers":true' in text


async def test_frames_that_are_hidden_are_not_saved(tmp_path: Path) -> None:
    app = view(tmp_path)
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.press("X", *"malloc", "enter", "s")
        await app.workers.wait_for_complete()
        await pilot.pause()
    text = only_svg(tmp_path)
    assert text.count("malloc") == text.count("without /malloc/") > 0


async def test_callers_and_help_open_over_it(tmp_path: Path) -> None:
    app = view(tmp_path)
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("down", "down", "w")
        await pilot.pause()
        assert isinstance(app.screen, SandwichScreen)
        await pilot.press("escape", "question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        assert "freeze" not in screen_text(app)
        await pilot.press("escape", "q")
    assert app.return_code == 0


async def test_doubts_are_said_on_the_screen(tmp_path: Path) -> None:
    app = view(tmp_path, perf_text())
    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        await pilot.pause()
        assert any("--call-graph" in note.message for note in app._notifications)


@pytest.mark.parametrize(
    ("argv", "words"),
    [([], "needs a terminal"), (["/nonexistent"], "needs a terminal")],
)
def test_without_a_terminal_it_says_what_to_use(argv: list[str], words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kvtop", "view", *argv],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert words in done.stderr and "kvtop flame" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.e2e
@pytest.mark.parametrize("way", ["q", "SIGTERM"])
def test_a_profile_through_a_pipe_and_keys_from_the_terminal(tmp_path: Path, way: str) -> None:
    (tmp_path / "in.folded").write_text(FOLDED)
    line = f"cat in.folded | {sys.executable} -m kvtop view -"
    with Terminal(["sh", "-c", line], 100, 30, tmp_path) as terminal:
        terminal.wait_for("all · 100 samples")
        terminal.keys("/")
        terminal.wait_for("Search")
        terminal.keys("malloc", "Enter")
        terminal.wait_for(r"60\.0%")
        if way == "q":
            terminal.keys("q")
            assert terminal.wait_exit() == 0
        else:
            shells = psutil.Process(terminal.shell_pid).children(recursive=True)
            pid = next(p.pid for p in shells if p.cmdline()[1:4] == ["-m", "kvtop", "view"])
            os.kill(pid, signal.SIGTERM)
            assert terminal.wait_exit() == 128 + signal.SIGTERM
        assert "malloc" not in terminal.text()


@pytest.mark.e2e
def test_bad_input_does_not_open_a_screen(tmp_path: Path) -> None:
    with Terminal([sys.executable, "-m", "kvtop", "view", "none"], 100, 30, tmp_path) as terminal:
        assert terminal.wait_exit() == 2
        assert "kvtop: cannot read none: No such file or directory." in terminal.text()


async def test_the_palette_has_the_keys_that_a_file_leaves(tmp_path: Path) -> None:
    app = view(tmp_path)
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.pause()
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert {"Search", "Only stacks that match", "Upside down", "Zoom"} <= set(titles)
        assert "Freeze" not in titles and "Longer window" not in titles
