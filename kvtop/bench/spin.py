"""One micro benchmark over and over, to be profiled: ``python -m kvtop.bench.spin NAME PARENT``.

Every tenth of a second, between two rounds, it prints ``{"time", "operations"}``: CLOCK_MONOTONIC
seconds, and the operations that are done by then. It runs until it is killed.
"""

from __future__ import annotations

import json
import sys
import time

from kvtop.bench.micro import micros
from kvtop.workload.process import die_with_parent

_EVERY = 0.1


def main() -> int:
    """Entry point; does not return."""
    name, parent = sys.argv[1:]
    die_with_parent(int(parent))
    micro = micros()[name]
    timer = micro.prepare()
    rounds, done, told = 1, 0, time.monotonic()
    while True:
        start = time.monotonic()
        timer(rounds)
        done += rounds * micro.operations
        now = time.monotonic()
        if now - start < _EVERY / 4:
            rounds *= 2
        if now - told >= _EVERY:
            told = now
            print(json.dumps({"time": now, "operations": done}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
