"""What /proc says of processes (proc_pid_stat(5)), with the standard library alone.

It is all that the collectors need of a process list, and it works on a host where nothing but
Python is installed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_STATES = {
    "R": "running",
    "S": "sleeping",
    "D": "disk-sleep",
    "T": "stopped",
    "t": "tracing-stop",
    "Z": "zombie",
    "X": "dead",
    "P": "parked",
    "I": "idle",
}


@dataclass(frozen=True, slots=True)
class ProcStat:
    """One reading of /proc/PID/stat; ``comm`` is raw, times are seconds."""

    pid: int
    comm: str
    state: str
    """In a word: running, sleeping, ..., zombie."""
    parent: int
    cpu: float
    """User and system time so far."""
    threads: int
    started: float
    """After boot (CLOCK_BOOTTIME), to a clock tick."""
    rss: int
    """Bytes."""

    @property
    def ended(self) -> bool:
        """Whether it has exited and was not reaped yet."""
        return self.state in ("zombie", "dead")


def read_stat(pid: int) -> ProcStat | None:
    """A reading, or None where the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The name may hold anything, brackets and spaces too.
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    if len(fields) < 22:
        return None
    return ProcStat(
        pid,
        head.partition("(")[2],
        _STATES.get(fields[0], fields[0]),
        int(fields[1]),
        (int(fields[11]) + int(fields[12])) * _TICK,
        int(fields[17]),
        int(fields[19]) * _TICK,
        int(fields[21]) * _PAGE,
    )


def all_pids() -> list[int]:
    """Every process that is there."""
    return sorted(int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())


def descendants(pid: int) -> list[int]:
    """Children, and theirs, that are there now; in order of depth."""
    children: dict[int, list[int]] = {}
    for other in all_pids():
        stat = read_stat(other)
        if stat is not None:
            children.setdefault(stat.parent, []).append(other)
    found = [pid]
    for known in found:
        found += children.get(known, [])
    return found[1:]


def ancestors(pid: int) -> list[int]:
    """The parent, and its parents."""
    found: list[int] = []
    stat = read_stat(pid)
    while stat is not None and stat.parent > 0:
        found.append(stat.parent)
        stat = read_stat(stat.parent)
    return found


def arguments(pid: int) -> list[str]:
    """The command line; empty for threads of the kernel and for what is gone."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(part) for part in raw.rstrip(b"\0").split(b"\0")] if raw else []
