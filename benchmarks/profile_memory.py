"""Memory of the ring over a long run: ``python benchmarks/profile_memory.py [--minutes 40]``.

Simulated time: 200 samples a second, nine of ten with a stack that was never seen before, 60 frames
deep, through parser-like interning into a ring of 10 minutes. RSS must stop to grow at minute 10.
"""

from __future__ import annotations

import argparse
import random

import psutil

from kvtop.events import Role, StackSample
from kvtop.profile.ring import SampleRing
from kvtop.profile.stacks import StackTable

RATE = 200
DEPTH = 60


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=40)
    minutes = parser.parse_args().minutes
    rng = random.Random(1)
    ring = SampleRing(StackTable())
    process = psutil.Process()
    start = process.memory_info().rss
    names = [f"function_{number}" for number in range(3000)]
    print("minute   samples held   MiB above the start")
    for minute in range(1, minutes + 1):
        for number in range(60 * RATE):
            unique = rng.random() < 0.9
            pick = rng if unique else random.Random(7)
            frames = [ring.table.frame_id(pick.choice(names), "libstore.so") for _ in range(DEPTH)]
            stack = ring.table.stack_id(frames)
            time = (minute - 1) * 60 + number / RATE
            ring.append(
                StackSample(time, 1, 1, "node", "cpu-clock", 1, stack), "node0", Role.LEADER
            )
        if minute in (1, 2, 5) or minute % 10 == 0:
            used = (process.memory_info().rss - start) / 2**20
            print(f"{minute:6}   {len(ring):12,}   {used:19.0f}", flush=True)


if __name__ == "__main__":
    main()
