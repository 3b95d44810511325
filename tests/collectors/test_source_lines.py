"""Lines of Python functions become known after they were asked for."""

from __future__ import annotations

import asyncio
from pathlib import Path

from kvtop.collectors.source_lines import SourceLines
from kvtop.profile.frames import Frame, Kind


async def test_lines_become_known(tmp_path: Path) -> None:
    file = tmp_path / "raft.py"
    file.write_text("class Raft:\n    def step(self): ...\n    def tick(self): ...\n")
    known = asyncio.Event()
    lines = SourceLines(known.set)
    step = Frame("Raft.step", "raft.py", Kind.PYTHON, str(file))
    gone = Frame("f", "gone.py", Kind.PYTHON, str(tmp_path / "gone.py"))
    assert lines.line_of(step) == lines.line_of(gone) == 0
    async with asyncio.timeout(20):
        await known.wait()
    assert lines.line_of(step) == 2
    assert lines.line_of(Frame("Raft.tick", "raft.py", Kind.PYTHON, str(file))) == 3
    assert lines.line_of(Frame("Raft.gone", "raft.py", Kind.PYTHON, str(file))) == 0
    assert lines.line_of(gone) == 0
    assert lines.line_of(Frame("main", "x", Kind.NATIVE, "/src/x.c", 7)) == 7
    assert lines.line_of(Frame("main", "x", Kind.NATIVE)) == 0
