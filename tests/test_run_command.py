"""kvtop run: what it tells at its end, of a made-up run and of real ones."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kvtop.cli import main
from kvtop.config import Config
from kvtop.recording.reader import Recording
from kvtop.run_command import _go
from kvtop.summary import recording_facts, summary, summary_lines
from tests.fake_session import FakeSession, config
from tests.widgets.made_up import fill, make_store


def session_of(*argv: str) -> tuple[FakeSession, Config]:
    chosen = config(*argv)
    return FakeSession(chosen, fill(make_store(), 30)), chosen


def test_the_summary_adds_up() -> None:
    session, chosen = session_of()
    stress = session.store.stress
    told = json.loads(json.dumps(summary(session, chosen, 30.0, False)))
    told["run"] |= recording_facts(None, "")
    load = told["load"]
    assert load["operations"] == round(stress.operations.amount)
    assert load["rate"] == pytest.approx(load["operations"] / load["seconds"])
    p99 = sorted(value for _, value in stress.p99.since(0) if value is not None)
    assert load["p99"]["worst"] == p99[-1]
    assert p99[0] <= load["p99"]["median"] <= p99[-1]
    assert told["profile"]["samples"] == sum(session.fold(30).values())
    totals = {(t["label"], t["event"]): t["value"] for t in told["totals"]}
    label = session.store.counters.labels[0]
    total = session.store.counters.total(label, "task-clock")
    assert total is not None
    assert totals[label, "task-clock"] == total.amount
    assert any(f"{load['operations']:,} operations" in line for line in summary_lines(told))


async def test_it_ends_when_the_time_is_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session, chosen = session_of("--duration", "0.3", "--json")
    assert session.recorder is not None
    session.recorder.start(tmp_path / "a.kvtop")
    assert await _go(session, chosen) == 0
    out = capsys.readouterr()
    told = json.loads(out.out)
    assert told["run"]["recording"]["file"] == str(tmp_path / "a.kvtop")
    assert told["run"]["seconds"] >= 0.3
    assert out.err == ""
    assert not Recording.open(tmp_path / "a.kvtop").cut


async def test_it_ends_with_its_targets(capsys: pytest.CaptureFixture[str]) -> None:
    session, chosen = session_of()
    session.ended = True
    assert await _go(session, chosen) == 0
    assert "ran for 0.0 s" in capsys.readouterr().out


async def test_a_recording_that_fails_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    session, chosen = session_of()
    assert session.recorder is not None
    session.recorder.problem = "The recording into x ended early: No space left on device."
    assert await _go(session, chosen) == 1
    assert "No space left on device." in capsys.readouterr().err


async def test_a_signal_ends_it_in_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session, chosen = session_of("--json")
    assert session.recorder is not None
    session.recorder.start(tmp_path / "a.kvtop")
    task = asyncio.create_task(_go(session, chosen))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert json.loads(capsys.readouterr().out)["run"]["interrupted"]
    assert not Recording.open(tmp_path / "a.kvtop").cut


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--record", __file__], "exists and is no recording: name another file."),
        (["--duration", "x"], "must be a number"),
        (["--"], "after -- comes the command"),
        (["--theme", "dark"], "unrecognized arguments"),
        (["word"], "unrecognized arguments"),
    ],
)
def test_bad_usage(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *arguments]) == 2
    assert said in capsys.readouterr().err


# The real thing


def kvtop(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "kvtop", "run", *arguments]


BUSY = "x = 0\nwhile True:\n    x += 1\n"


@pytest.mark.e2e
def test_a_command_is_recorded_from_start_to_end(tmp_path: Path) -> None:
    """Its samples are in the file as in the summary; it is ended with kvtop."""
    file = tmp_path / "a.kvtop"
    command = kvtop("--duration", "3", "--json", "--record", str(file), "--", sys.executable, "-c")
    done = subprocess.run([*command, BUSY], capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    recording = Recording.open(file)
    store = recording.store()
    assert not recording.cut
    assert not recording.skipped
    assert told["run"]["recording"]["bytes"] == file.stat().st_size
    assert recording.meta.command[:2] == ("kvtop", "run")
    assert any(sys.executable in target for target in recording.meta.targets)
    assert recording.meta.host == told["run"]["host"]
    assert store.counters.labels
    assert len(store.ring) == told["profile"]["samples"]
    (pid,) = {origin.pid for origin in store.ring.origins} or {0}
    assert not pid or not Path(f"/proc/{pid}").exists()


@pytest.mark.e2e
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_leave_a_whole_file(number: signal.Signals, tmp_path: Path) -> None:
    file = tmp_path / "a.kvtop"
    command = kvtop("--json", "--record", str(file), "--attach", str(os.getpid()))
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (file.exists() and file.stat().st_size > 1500):
        assert running.poll() is None
        sum(range(100_000))
    running.send_signal(number)
    out, _ = running.communicate(timeout=30)
    assert running.returncode == 128 + number
    assert json.loads(out)["run"]["interrupted"]
    recording = Recording.open(file)
    assert list(recording.events())
    assert not recording.cut
