"""The screen over a recording: every view, time forth and back, and what needs a target."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from kvtop.cli import main
from kvtop.events import LogLine, TargetsChanged
from kvtop.moment import moment_text
from kvtop.recording.reader import Recording
from kvtop.replay_app import KEYS, ReplayApp
from kvtop.replay_session import ReplaySession
from kvtop.widgets.diff_screen import DiffScreen
from kvtop.widgets.flamegraph_screen import FlamegraphScreen
from kvtop.widgets.layers_screen import LayersScreen
from kvtop.widgets.time_screen import TimeScreen
from kvtop.widgets.tools_screen import ToolsScreen
from kvtop.widgets.waits_screen import WaitsScreen
from tests.fake_session import config
from tests.recording.builders import write
from tests.widgets import golden
from tests.widgets.conftest import _utc as _utc
from tests.widgets.made_up import START, make_store, play, targets
from tests.widgets.render import screen_text

SIZE = (140, 45)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes of the made-up run."""
    store = make_store()
    events = [TargetsChanged(START, targets()), *play(store, START, START + 120)]
    events.append(LogLine(START + 120, "kvtop", "info", "the end"))
    return write(tmp_path_factory.mktemp("p") / "a.kvtop", events, store.table)


async def opened(file: Path, tmp_path: Path, start: float = 60) -> ReplayApp:
    """The screen at one minute, standing still."""
    session = ReplaySession(config(output=tmp_path), Recording.open(file), start)
    await session.start()
    session.playing = False
    return ReplayApp(session)


async def shown(pilot: Pilot[int], *keys: str) -> str:
    """The screen after these keys."""
    await pilot.press(*keys)
    await pilot.pause()
    await pilot.pause()
    return screen_text(pilot.app)


def files(directory: Path) -> list[Path]:
    return list(directory.iterdir())


def shortened(file: Path, part: Path) -> Path:
    part.write_bytes(file.read_bytes()[:-300])
    return part


def toasts(app: ReplayApp) -> str:
    return "\n".join(n.message for n in app._notifications)


async def test_it_shows_the_recorded_run(file: Path, tmp_path: Path) -> None:
    app = await opened(file, tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        text = await shown(pilot)
        assert "REPLAY ⏸ 1:00/2:00" in text
        assert "leader" in text
        assert "SkipList" in text
        assert "5 s" in text


async def test_time_goes_forth_and_back(file: Path, tmp_path: Path) -> None:
    app = await opened(file, tmp_path)
    store = app.session.store
    async with app.run_test(size=SIZE) as pilot:
        before = await shown(pilot)
        count = len(store.ring)
        assert "1:05/2:00" in await shown(pilot, "full_stop")
        assert len(store.ring) > count
        assert "0:05/2:00" in await shown(pilot, "left_curly_bracket")
        assert len(store.ring) < count
        assert "1:05/2:00" in await shown(pilot, "right_curly_bracket")
        again = await shown(pilot, "comma")
        assert len(store.ring) == count
        assert [line for line in again.splitlines()[2:] if "REPLAY" not in line] == [
            line for line in before.splitlines()[2:] if "REPLAY" not in line
        ]
        assert "0:00/2:00" in await shown(pilot, "0")
        assert len(store.ring) <= 1
        assert "2:00/2:00" in await shown(pilot, "dollar_sign")


async def test_it_plays_and_stands_still(file: Path, tmp_path: Path) -> None:
    app = await opened(file, tmp_path, start=30)
    session = app.replay
    async with app.run_test(size=SIZE) as pilot:
        await shown(pilot, "right_parenthesis", "right_parenthesis", "left_parenthesis")
        assert session.speed == 2
        await shown(pilot, "left_parenthesis", "space")
        assert "▶ 1x" in await shown(pilot)
        await shown(pilot, *["right_parenthesis"] * 6)
        assert session.speed == 32
        for _ in range(1000):
            await pilot.pause(0.05)
            if not session.playing:
                break
        assert session.now == session.player.end
        assert "⏸" in await shown(pilot)
        await shown(pilot, "space")
        assert session.playing
        assert session.now < session.player.end
        await shown(pilot, "space")
        assert not session.playing


async def test_every_view_works_on_it(file: Path, tmp_path: Path) -> None:
    """Each opens, follows when time moves under it, and closes again."""
    app = await opened(file, tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        for key, screen, closes in (
            ("f", FlamegraphScreen, "q"),
            ("T", TimeScreen, "q"),
            ("L", LayersScreen, "q"),
            ("y", ToolsScreen, "q"),
            ("o", WaitsScreen, "q"),
        ):
            await shown(pilot, key)
            assert isinstance(app.screen, screen)
            before = len(app.session.store.ring)
            await shown(pilot, "comma")
            await shown(pilot, "full_stop", "full_stop")
            assert isinstance(app.screen, screen)
            assert len(app.session.store.ring) > before
            await shown(pilot, closes)
            assert app.screen is app.screen_stack[0]
        await shown(pilot, "b", "full_stop", "d")
        assert isinstance(app.screen, DiffScreen)


async def test_the_flamegraph_is_of_that_moment(file: Path, tmp_path: Path) -> None:
    app = await opened(file, tmp_path, start=2)
    async with app.run_test(size=SIZE) as pilot:
        await shown(pilot, "f")
        screen = app.screen
        assert isinstance(screen, FlamegraphScreen)
        few = sum(screen.raw_counts().values())
        await shown(pilot, "full_stop")
        app.tick()
        many = sum(screen.raw_counts().values())
        await shown(pilot, "comma")
        app.tick()
        assert sum(screen.raw_counts().values()) == few < many


@pytest.mark.parametrize("key", ["k", "r"])
async def test_keys_of_a_live_run_say_so(key: str, file: Path, tmp_path: Path) -> None:
    app = await opened(file, tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await shown(pilot, key)
        assert toasts(app) == "This is a replay, nothing runs here."
        assert app.screen is app.screen_stack[0]


async def test_there_is_nothing_to_record(file: Path, tmp_path: Path) -> None:
    app = await opened(file, tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await shown(pilot, "R")
        assert "in a file already" in toasts(app)
        assert not files(tmp_path)


async def test_what_is_shown_can_be_saved(file: Path, tmp_path: Path) -> None:
    app = await opened(file, tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await shown(pilot, "s")
        await app.workers.wait_for_complete()
        (svg,) = files(tmp_path)
        assert "SkipList" in svg.read_text()


async def test_waits_that_were_not_recorded_are_a_sentence(file: Path, tmp_path: Path) -> None:
    app = await opened(file, tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        text = await shown(pilot, "o")
        if not app.replay.player.waits:
            assert "No waits were recorded" in text


async def test_a_cut_recording_says_so(file: Path, tmp_path: Path) -> None:
    app = await opened(shortened(file, tmp_path / "part.kvtop"), tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await shown(pilot)
        assert "The recording was cut off" in toasts(app)


async def test_help_and_palette_list_the_keys(file: Path, tmp_path: Path) -> None:
    app = await opened(file, tmp_path)
    async with app.run_test(size=(140, 100)) as pilot:
        text = await shown(pilot, "question_mark")
        assert all(key.text in text for key in KEYS)
        assert "never the collection" not in text
        await shown(pilot, "escape")
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert {f"Replay: {key.text}" for key in KEYS} <= set(titles)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_what_it_looks_like(size: tuple[int, int], file: Path, tmp_path: Path) -> None:
    app = await opened(file, tmp_path)
    async with app.run_test(size=size) as pilot:
        golden.check(f"replay-{size[0]}x{size[1]}.txt", await shown(pilot))
        await shown(pilot, "f")
        golden.check(f"replay-flamegraph-{size[0]}x{size[1]}.txt", screen_text(app))


def test_moment_text() -> None:
    assert [moment_text(s) for s in (0, 61.9, 3725)] == ["0:00", "1:01", "1:02:05"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["replay", "nothing.kvtop"], "cannot read nothing.kvtop: No such file or directory."),
        (["replay", __file__], "is not a recording of kvtop."),
        (["replay", __file__, "--start", "x"], "must be seconds, M:SS or H:MM:SS"),
        (["replay", __file__, "--speed", "0"], "must be from 0.1 to 100"),
        (["replay"], "FILE"),
    ],
)
def test_bad_usage(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_without_a_terminal(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(file)]) == 2
    assert "needs a terminal" in capsys.readouterr().err
