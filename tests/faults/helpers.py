"""Sessions that are started and stopped, and a perf that is not the real one."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kvtop.session import Session
from tests.fake_session import config

needs_perf = pytest.mark.skipif(shutil.which("perf") is None, reason="needs perf")


@asynccontextmanager
async def attached(*pids: int) -> AsyncIterator[Session]:
    """A session of these processes, stopped at the end."""
    session = Session(config("--attach", ",".join(map(str, pids))))
    try:
        await session.start()
        yield session
    finally:
        await session.stop()


def samples_of(session: Session) -> int:
    """Samples of the last half minute."""
    return sum(session.fold(30).values())


def symbols_of(session: Session) -> set[str]:
    """Functions that were seen in the last half minute."""
    table = session.store.ring.table
    return {table.frame(f).symbol for stack in session.fold(30) for f in table.frames(stack)}


def put_before_perf(directory: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python program called perf that is found before the real one, which is ``REAL`` in it."""
    program = directory / "perf"
    program.write_text(f"#!{sys.executable}\nREAL = {shutil.which('perf')!r}\n{code}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
