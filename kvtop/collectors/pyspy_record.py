"""One recording of one Python program by py-spy, which writes it when it ends."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import NamedTuple

from kvtop.collectors.children import Child
from kvtop.collectors.fdio import big_pipe, read_to_end
from kvtop.collectors.pyspy_raw import SpiedStack, parse_raw
from kvtop.profile.text import safe_text

RATE = 50
"""Looks at every thread a second."""
ROUND = 2
"""Seconds of one recording; py-spy takes whole ones."""
MOST = 8
"""Processes that are looked at: a py-spy each, which costs 2 to 4 % of a core."""
RETRY = 5.0
"""Seconds before a program that could not be recorded is tried again."""
_MOST_BYTES = 1 << 24


class SpyError(Exception):
    """There is no recording: one sentence with the reason."""


class SpyMissingError(SpyError):
    """There is no py-spy to be run."""


class Recording(NamedTuple):
    """What py-spy saw of a process. No sample has a time of its own: ``time`` is the middle."""

    time: float
    pid: int
    seconds: float
    stacks: list[SpiedStack]


async def record(pid: int, seconds: int, children: dict[int, int]) -> Recording:
    """Look at a process so long; SpyError.

    ``children`` holds py-spy's own PID by that of its target while it runs.
    """
    source, sink = big_pipe()
    try:
        args = [_program(), "record", "--pid", str(pid), "--nonblocking", "--threads"]
        args += ["--full-filenames", "--format", "raw", "--rate", str(RATE)]
        args += ["--duration", str(seconds), "--output", "/dev/stdout"]
        began = time.monotonic()
        try:
            child = await Child.spawn(args, stdout=sink, graceful=True)
        finally:
            os.close(sink)
            sink = -1
        async with child:
            children[pid] = child.pid
            text = (await read_to_end(source, _MOST_BYTES)).decode(errors="replace")
            # Where there is more than that, it must not wait for us to read it.
            os.close(source)
            source = -1
            if await child.wait():
                raise SpyError(explain(child.stderr))
    except FileNotFoundError:
        raise SpyMissingError(_MISSING) from None
    finally:
        for fd in (source, sink):
            if fd >= 0:
                os.close(fd)
        children.pop(pid, None)
    return Recording((began + time.monotonic()) / 2, pid, float(seconds), parse_raw(text))


_MISSING = f"py-spy is not installed: {sys.executable} -m pip install py-spy."


def _program() -> str:
    """FileNotFoundError where it is not installed."""
    found = _find()
    if found is None:
        raise FileNotFoundError("py-spy")
    return found


def _find() -> str | None:
    """Beside this interpreter, as pip puts it, or in PATH."""
    beside = Path(sys.executable).parent / "py-spy"
    return str(beside) if beside.exists() else shutil.which("py-spy")


def installed() -> bool:
    """Whether there is a py-spy to be run."""
    return _find() is not None


def explain(stderr: str) -> str:
    """py-spy's own words as one sentence with the remedy."""
    if re.search(r"Permission [Dd]enied|Operation not permitted|EPERM", stderr):
        return (
            "py-spy may not read the program's memory: start kvtop with sudo, "
            "or run sudo sysctl kernel.yama.ptrace_scope=0."
        )
    if re.search(r"Failed to find python version|Unsupported (version|Python)", stderr):
        return "py-spy does not know this version of Python: update it with pip install -U py-spy."
    lines = [line for line in stderr.splitlines() if line.startswith("Error")]
    last = lines[0] if lines else stderr.strip().rpartition("\n")[2]
    return f"py-spy failed: {safe_text(last.removeprefix('Error: '), 120)}."
