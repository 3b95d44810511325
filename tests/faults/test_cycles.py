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


def temporary_files() -> set[Path]:
    """Files of any kvtop: none may come to them."""
    return set(Path(tempfile.gettempdir()).glob("kvtop-*"))


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
async def test_nothing_is_left_of_many_sessions(cycles: int) -> None:
    with processes(SPIN) as (program,):
        await cycle(program.pid, True)  # what is opened once and kept
        gc.collect()
        others = {p.pid for p in psutil.Process().children(recursive=True)}
        files = temporary_files()
        opened = descriptors()
        for number in range(cycles):
            await cycle(program.pid, number % 10 == 0)
        await asyncio.sleep(0.1)  # The last one's callbacks, which hold it.
        gc.collect()
        assert sorted(descriptors().values()) == sorted(opened.values())
        assert {p.pid for p in psutil.Process().children(recursive=True)} == others
        assert temporary_files() <= files
