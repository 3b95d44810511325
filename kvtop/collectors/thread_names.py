"""Names of threads, which may change them and end at any time."""

from __future__ import annotations

import time
from pathlib import Path

from kvtop.profile.text import safe_text

_NAME_FOR = 5.0
"""Seconds after which a thread's name is looked at again."""
_MOST = 20_000


class ThreadNames:
    """Names of threads, as /proc has them; looked at again from time to time."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[str, float]] = {}

    def name(self, pid: int, tid: int) -> str:
        """Safe to show; what it was last called where the thread is gone, '' if never known."""
        known = self._known.get(tid)
        now = time.monotonic()
        if known is not None and now - known[1] <= _NAME_FOR:
            return known[0]
        try:
            text = Path(f"/proc/{pid}/task/{tid}/comm").read_text(errors="replace")
            name = safe_text(text.removesuffix("\n"), 40)
        except OSError:
            name = known[0] if known is not None else ""
        self._keep(tid, name, now)
        return name

    def learn(self, tid: int, name: str) -> None:
        """A name, safe to show, that came from elsewhere just now."""
        self._keep(tid, name, time.monotonic())

    def _keep(self, tid: int, name: str, now: float) -> None:
        if len(self._known) >= _MOST and tid not in self._known:
            self._known.clear()
        self._known[tid] = name, now
