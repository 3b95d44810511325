"""A process is attached to and left again, over and over: nothing is left of it."""

from __future__ import annotations

import asyncio
import gc
import tempfile
from pathlib import Path

import psutil
import pytest

from tests.collectors.helpers import SPIN, processes, until
from tests.faults.helpers import attached, needs_perf, samples_of

pytestmark = [pytest.mark.e2e, needs_perf]


def files_in(directory: Path) -> set[Path]:
    return set(directory.iterdir())


def descriptors() -> dict[str, str]:
    """Open files of this process."""
    found = {}
    for path in Path("/proc/self/fd").iterdir():
        try:
            found[path.name] = str(path.readlink())
        except FileNotFoundError:
            continue
    return found


async def cycle(pid: int, until_samples: bool) -> None:
    """Once, with waits followed as well."""
    async with attached(pid) as session:
        session.follow_waits(True)
        if until_samples:
            await until(lambda: samples_of(session) > 0)


@pytest.mark.parametrize(
    "cycles",
    [10, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
)
async def test_nothing_is_left_of_many_sessions(
    cycles: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A directory of its own: any kvtop beside this one leaves its files in the usual one.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with processes(SPIN) as (program,):
        await cycle(program.pid, True)  # what is opened once and kept
        gc.collect()
        others = {p.pid for p in psutil.Process().children(recursive=True)}
        files = files_in(tmp_path)
        opened = descriptors()
        for number in range(cycles):
            await cycle(program.pid, number % 10 == 0)
        await asyncio.sleep(0.1)  # The last one's callbacks, which hold it.
        gc.collect()
        assert sorted(descriptors().values()) == sorted(opened.values())
        assert {p.pid for p in psutil.Process().children(recursive=True)} == others
        assert files_in(tmp_path) <= files
