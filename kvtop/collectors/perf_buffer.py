"""How large perf's ring buffers may be: with 32 KiB of stack per sample the default holds 16.

The kernel (perf_mmap() in kernel/events/core.c) lets every user lock perf_event_mlock_kb per CPU,
shared by all his perfs, and each process RLIMIT_MEMLOCK beyond that; with CAP_IPC_LOCK or
perf_event_paranoid at -1 there is no limit.
"""

from __future__ import annotations

import os
import re
import resource
from pathlib import Path

from kvtop.collectors.doctor import read_paranoid

WANTED = 4 << 20
"""Bytes per CPU."""
_DEFAULT = 512 << 10
_CAP_IPC_LOCK = 14


def buffer_options() -> list[str]:
    """The ``perf record`` option for larger buffers; none where the default has to do."""
    size = buffer_size()
    return ["-m", f"{size >> 10}K"] if size > _DEFAULT else []


def buffer_size() -> int:
    """Bytes per CPU that perf gets from this user: what is locked at most, or the default."""
    if _may_lock_all():
        return WANTED
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return max(_DEFAULT, largest_buffer(soft, os.cpu_count() or 1, resource.getpagesize()))


def largest_buffer(limit: int, cpus: int, page: int) -> int:
    """The largest power of two, at most `WANTED`, so that all CPUs' buffers are in ``limit``.

    What the user may lock besides is left to his other perfs. Each buffer has a page of its own.
    """
    if limit == resource.RLIM_INFINITY:
        return WANTED
    room = limit // cpus - page
    return min(WANTED, 1 << room.bit_length() - 1) if room > 0 else 0


def _may_lock_all() -> bool:
    if read_paranoid() == -1:
        return True
    # Capabilities in a user namespace of one's own do not count here.
    whole = Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]
    held = re.search(
        r"^CapEff:\s*([0-9a-f]+)$", Path("/proc/self/status").read_text(), re.MULTILINE
    )
    return whole and held is not None and bool(int(held[1], 16) >> _CAP_IPC_LOCK & 1)
