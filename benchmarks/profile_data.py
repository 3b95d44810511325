"""Made-up profiles for the benchmarks: the same for every run, in the shape of real ones."""

from __future__ import annotations

import random

from kvtop.events import Role, StackSample
from kvtop.profile.ring import SampleRing
from kvtop.profile.stacks import StackTable

FUNCTIONS = 2000
CALLEES = 12
MAX_DEPTH = 60


def make_fold(table: StackTable, stacks: int, seed: int = 1) -> dict[int, int]:
    """``stacks`` unique stacks, some 25 frames deep, that share prefixes as call graphs do.

    A new stack leaves a known one near its leaf and goes on for a few frames, so that most of
    a stack is shared, as in a recorded profile, and not a random walk from the root.
    """
    rng = random.Random(seed)
    names = [
        table.frame_id(f"module_{n % 37}::function_{n}", f"/lib/lib{n % 9}.so")
        for n in range(FUNCTIONS)
    ]
    trunk = [table.frame_id("_start", "/bin/x"), table.frame_id("main", "/bin/x")]
    known = [tuple(trunk + names[:10])]
    counts: dict[int, int] = {}
    while len(counts) < stacks:
        base = known[int(len(known) * rng.random() ** 2)]
        cut = max(2, len(base) - int(rng.expovariate(0.2)))
        path = base[:cut]
        for _ in range(1 + int(rng.expovariate(0.6))):
            callee = (path[-1] * 31 + rng.randrange(CALLEES) * 97) % FUNCTIONS
            path = (*path, names[callee])
        path = path[:MAX_DEPTH]
        known.append(path)
        stack = table.stack_id(path)
        counts[stack] = counts.get(stack, 0) + int(rng.paretovariate(1.2))
    return counts


def make_ring(samples: int, unique: int) -> SampleRing:
    """A ring of 10 minutes, five processes, ``unique`` stacks."""
    table = StackTable()
    stacks = list(make_fold(table, unique))
    ring = SampleRing(table, 600, samples)
    rng = random.Random(2)
    roles = [Role.LEADER, Role.FOLLOWER, Role.FOLLOWER, Role.CLIENT, Role.CLIENT]
    for n in range(samples):
        who = rng.randrange(5)
        sample = StackSample(
            n * 600 / samples,
            100 + who,
            100 + who,
            "python",
            "cpu-clock",
            10_101_010,
            rng.choice(stacks),
        )
        ring.append(sample, f"node{who}", roles[who])
    return ring
