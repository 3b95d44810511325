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
    owners = rng.choices(range(5), k=samples)
    chosen = rng.choices(stacks, k=samples)
    for n, (who, stack) in enumerate(zip(owners, chosen, strict=True)):
        pid = 100 + who
        sample = StackSample(n * 600 / samples, pid, pid, "python", "cpu-clock", 10_101_010, stack)
        ring.append(sample, f"node{who}", roles[who])
    return ring


def make_text(samples: int, unique: int) -> bytes:
    """The text that perf script would print for a made-up profile."""
    table, chance = StackTable(), random.Random(3)
    blocks = []
    for stack, weight in make_fold(table, unique).items():
        lines = []
        for frame_id in reversed(table.frames(stack)):
            frame = table.frame(frame_id)
            address = _address(frame.symbol) + chance.randrange(8) * 4
            lines.append(f"\t{address:>16x} {frame.symbol} (/usr/lib/{frame.object})\n")
        blocks.append((weight, "".join(lines)))
    weights = [weight for weight, _ in blocks]
    # Every stack once at least, then by weight: most of a profile is what it has shown before.
    chosen = blocks + chance.choices(blocks, weights, k=samples - unique)
    chance.shuffle(chosen)
    blocks_of_text = []
    for number, (_, frames) in enumerate(chosen):
        pid = 4100 + chance.randrange(5)
        now = f"{1000 + number // 500}.{number % 500 * 2_000_000:09d}"
        blocks_of_text.append(
            f"python3.13 {pid}/{pid}  {now}:   10101010 cpu-clock:pppH: \n{frames}\n"
        )
    return "".join(blocks_of_text).encode()


def _address(name: str) -> int:
    """An address for a function, the same in every run."""
    address: int = sum(ord(c) * 31**n for n, c in enumerate(name))
    return address & 0x7FFFFF
