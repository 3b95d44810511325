"""A program that maps its dump in the moment in which perf attaches, so that perf never tells."""

from __future__ import annotations

import shutil
import sys

import pytest

from kvtop.collectors.perf_jit import JitDumps
from kvtop.collectors.perf_pipe import MMAP2, Record
from tests.collectors.helpers import processes
from tests.collectors.test_perf_record import live, remove_dump

BUSY = """
import ctypes
def hot_inner(n):
    return sum(i * i for i in range(n))
while True:
    for _ in range(100):
        hot_inner(2000)
    # The names of functions are in a buffer of the interpreter until then.
    ctypes.CDLL(None).fflush(None)
"""
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("perf") is None, reason="needs perf"),
    pytest.mark.skipif(sys.version_info < (3, 13), reason="-X perf_jit came with Python 3.13"),
]


async def test_its_functions_have_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    told = JitDumps.passes

    def passes(self: JitDumps, record: Record) -> bool:
        missed = record.type == MMAP2 and b"/jit-" in record.data
        return missed or told(self, record)

    monkeypatch.setattr(JitDumps, "passes", passes)
    command = [sys.executable, "-X", "perf_jit", "-c", BUSY]
    with processes(command) as (program,):
        try:
            async with live([program.pid], "dwarf") as run:
                await run.more(20, lambda s: "hot_inner" in run.symbols(s))
        finally:
            remove_dump(program.pid)
