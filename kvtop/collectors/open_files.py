"""What a process's file descriptors are: paths, pipes, and sockets with their addresses.

Looked up in /proc/PID/fd when a name is asked for. A descriptor that was closed since has no name,
one that was opened anew meanwhile may have the new one's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from kvtop.collectors.sockets import socket_names
from kvtop.profile.text import safe_text

_KNOWN_FOR = 3.0
_SOCKETS_EVERY = 1.0
_LOOKUPS_A_SECOND = 500
_MOST_KNOWN = 10_000
_MOST_PROCESSES = 500


class OpenFiles:
    """Names of descriptors, remembered for some seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[tuple[int, int], tuple[str, float]] = {}
        self._sockets: dict[int, tuple[dict[int, str], float]] = {}
        self._lookups, self._since = 0, 0.0

    def name(self, pid: int, fd: int) -> str:
        """Safe to show; empty where it cannot be had."""
        now = self._clock()
        known = self._known.get((pid, fd))
        if known is not None and now - known[1] < _KNOWN_FOR:
            return known[0]
        if now - self._since >= 1.0:
            self._since, self._lookups = now, 0
        self._lookups += 1
        if self._lookups > _LOOKUPS_A_SECOND:
            return known[0] if known is not None else ""
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        name = self._look(pid, fd, now)
        self._known[pid, fd] = name, now
        return name

    def closed(self, pid: int, fd: int) -> None:
        """The descriptor is another file from now on."""
        self._known.pop((pid, fd), None)

    def _look(self, pid: int, fd: int, now: float) -> str:
        try:
            target = str(Path(f"/proc/{pid}/fd/{fd}").readlink())
        except OSError:
            return ""
        if target.startswith("socket:"):
            return self._socket(pid, target, now) or "socket"
        if target.startswith("anon_inode:"):
            return safe_text(target.removeprefix("anon_inode:").strip("[]"), 40)
        if target.startswith("pipe:"):
            return "pipe"
        return safe_text(target, 200)

    def _socket(self, pid: int, target: str, now: float) -> str:
        inode = int(target.removeprefix("socket:").strip("[]"))
        named, at = self._sockets.get(pid, ({}, -_SOCKETS_EVERY))
        if inode not in named and now - at >= _SOCKETS_EVERY:
            named = socket_names(pid)
            if len(self._sockets) >= _MOST_PROCESSES:
                self._sockets.clear()
            self._sockets[pid] = named, now
        return safe_text(named.get(inode, ""), 100)
