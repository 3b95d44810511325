"""What every process of the workload does first. Light to import."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
"""prctl(2)."""


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when ``parent`` dies; leave if it is dead already.

    ``parent`` 0 means the process was not started by a supervisor, and stays.
    """
    if not parent:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        # It died between the fork and the prctl.
        sys.exit(1)
