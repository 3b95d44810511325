"""kvtop as the child of a web server: ends with it, however that ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from kvtop.cli import main

_PR_SET_PDEATHSIG = 1


def follow(parent: int) -> None:
    """Get SIGTERM when the parent dies (prctl(2)); leave at once where it has died already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    follow(int(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
