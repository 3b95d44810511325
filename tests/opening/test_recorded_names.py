"""Functions that only the object tells, of a perf.data: where it is still what was recorded."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import pytest

from kvtop.collectors.object_symbols import ObjectSymbols
from kvtop.opening import perf
from kvtop.opening.model import Wanted

ASKED: list[tuple[int, str, int]] = []


def leaf(program: Path, host: str, recorded: float) -> str:
    """Name of the one frame of a recording."""
    stamp = time.strftime("%a %b %d %H:%M:%S %Y", time.localtime(recorded))
    text = (
        f"# ========\n# captured on    : {stamp}\n# hostname : {host}\n# perf version : 6.1.187\n"
        f"# ========\n#\ngo 7/8 1.5: 1 cycles: \n\t          6ba79b [unknown] ({program})\n\n"
    )
    names = perf._RecordedNames()
    profile = perf._read(b"", io.BytesIO(text.encode()), Wanted(), None, names)
    ((stack,),) = (counts for counts in profile.folds.values())
    assert abs(profile.start - recorded) < 1.5
    return profile.table.frame(profile.table.frames(stack)[0]).symbol


def test_the_name_is_that_of_the_object_that_was_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def name(self: ObjectSymbols, pid: int, path: str, address: int) -> str:
        ASKED.append((pid, path, address))
        return "main.main"

    monkeypatch.setattr(ObjectSymbols, "name", name)
    program = tmp_path / "program"
    program.write_bytes(b"")
    here, later = os.uname().nodename, time.time() + 100
    assert leaf(program, here, later) == "main.main"
    # Not the PID's own file: whoever has that number now is another process.
    assert [(0, str(program), 0x6BA79B)] == ASKED
    assert leaf(program, "elsewhere", later) == "[unknown]"
    assert leaf(program, here, later - 1000) == "[unknown]"
    assert leaf(tmp_path / "gone", here, later) == "[unknown]"
