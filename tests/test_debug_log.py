"""The log of --debug: what was done, no data, nothing that a terminal would act upon."""

from __future__ import annotations

import asyncio
import logging
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvtop import debug_log
from kvtop.collecting import keep_running
from kvtop.collectors.children import output_of
from kvtop.config import UsageError
from kvtop.events import CollectorStatus, Emit, Health, LogLine, Role, Target, TargetsChanged
from tests.fake_session import FakeSession, config
from tests.widgets.made_up import START, play


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """Where a log is being written; logging is as it was afterwards."""
    path = tmp_path / "new" / "debug.log"
    loggers = [logging.getLogger(name) for name in ("kvtop", "asyncio")]
    before = [(log, log.level, log.propagate, list(log.handlers)) for log in loggers]
    debug_log.start(path, ["--debug", "a b"])
    yield path
    for log, level, propagate, handlers in before:
        for handler in set(log.handlers) - set(handlers):
            handler.close()
        log.handlers[:], log.propagate = handlers, propagate
        log.setLevel(level)
    logging.raiseExceptions = True


class Broken:
    """A collector that fails once."""

    name = "broken"
    runs = 0

    async def run(self, emit: Emit) -> None:
        self.runs += 1
        if self.runs == 1:
            raise ZeroDivisionError("as it was built to")


def test_children_and_how_they_ended(file: Path) -> None:
    asyncio.run(output_of([sys.executable, "-c", "import sys; sys.exit('what it said')"]))
    text = file.read_text()
    assert "started: " in text and "sys.exit(" in text
    assert "ended: 1 what it said" in text
    assert "--debug 'a b'" in text.splitlines()[0]


def test_a_collector_that_fails_leaves_its_traceback(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kvtop.collecting.RESTART_DELAYS", (0.0,))
    asyncio.run(keep_running(Broken(), FakeSession(config()).emit))
    text = file.read_text()
    assert "Traceback" in text
    assert "ZeroDivisionError: as it was built to" in text
    assert "broken: degraded" in text


def test_events_that_are_data_are_not_logged(file: Path) -> None:
    session = FakeSession(config())
    size = file.stat().st_size
    for event in play(session.store, START + 60, START + 61):
        if not isinstance(event, CollectorStatus | TargetsChanged):
            debug_log.note(event)
    grown = file.read_text()[size:]
    assert all(line.split()[2] in ("WARNING", "ERROR") for line in grown.splitlines())
    debug_log.note(LogLine(START, "node0", "info", "put secret"))
    assert "secret" not in file.read_text()


def test_hostile_text_and_the_rights_of_the_file(file: Path) -> None:
    debug_log.note(TargetsChanged(0.0, (Target("a\x1b[2Jb\nc", 1, Role.OTHER),)))
    debug_log.note(CollectorStatus(0.0, "x", Health.DEGRADED, "\x9b2J\u202e"))
    text = file.read_text()
    assert not set(text) & set("\x1b\x9b\u202e")
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_log_that_is_full_begins_anew(file: Path) -> None:
    log = logging.getLogger("kvtop")
    handler = next(h for h in log.handlers if isinstance(h, debug_log.RotatingFileHandler))
    handler.maxBytes = 300
    for number in range(10):
        log.info("line %d %s", number, "x" * 100)
    assert file.stat().st_size <= 300
    for kept in (file, file.with_name("debug.log.1")):
        assert kept.stat().st_mode & 0o777 == 0o600


def test_a_place_where_nothing_can_be_written() -> None:
    with pytest.raises(UsageError, match="--debug cannot write /proc/"):
        debug_log.start(Path("/proc/none/debug.log"), [])


def test_without_debug_a_failure_does_not_reach_the_terminal() -> None:
    script = (
        "import logging, kvtop.session\nlogging.getLogger('kvtop.session').error('not to be seen')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.e2e
@pytest.mark.skipif(shutil.which("perf") is None, reason="needs perf")
def test_a_real_run(tmp_path: Path) -> None:
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        argv = ("--attach", str(busy.pid), "--once", "--duration", "1", "--debug", "run.log")
        done = subprocess.run(
            [sys.executable, "-m", "kvtop", *argv], cwd=tmp_path, capture_output=True, timeout=60
        )
    finally:
        busy.kill()
        busy.wait()
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"samples of" in done.stdout
    text = (tmp_path / "run.log").read_text()
    assert f"(PID {busy.pid})" in text
    assert "started: perf record" in text
    assert "(perf) ended: " in text
    assert text.rstrip().endswith("ended")
