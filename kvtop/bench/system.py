"""What makes this machine unsteady, before anything is measured on it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

from kvtop.profile.text import safe_text

_BUSY = 0.25
"""Load of the last minute by CPU."""
_NEEDED = "Perf event:"
"""pyperf would have perf sample once a second; kvtop's own profiles need more."""


def system_warnings() -> list[str]:
    """Sentences without their full stop: load, and the advice of ``pyperf system show``."""
    load, cpus = os.getloadavg()[0], os.cpu_count() or 1
    busy = [f"the load average is {load:.1f} on {cpus} CPUs"] if load > _BUSY * cpus else []
    return busy + list(advice_of(_pyperf_system()))


def advice_of(text: str) -> Iterator[str]:
    """The advice in what ``pyperf system show`` prints."""
    inside = False
    lines = text.splitlines()
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if below and set(below) == {"="}:
            inside = line.strip() == "Advices"
        elif inside and ": " in line and not line.startswith(_NEEDED):
            yield safe_text(line.strip(), 200)


def _pyperf_system() -> str:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pyperf", "system", "show"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
