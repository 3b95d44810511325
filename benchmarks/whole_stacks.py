"""How many of the cluster's stacks reach their thread's start, with faults under way.

python benchmarks/whole_stacks.py [--seconds 600] [--rate 1000] [--every 30]

Runs kvtop's session without a screen. Every so many seconds the leader is killed and started
anew; each restart brings a new process, whose functions are compiled and told again.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from contextlib import suppress

from kvtop.config import Config
from kvtop.profile.ring import Filter
from kvtop.session import FaultError, Session


async def watch(session: Session, seconds: float, every: float) -> int:
    """Kill and restart leaders until the time is over; how often that was done."""
    end, restarts = time.monotonic() + seconds, 0
    while (left := end - time.monotonic()) > 0:
        await asyncio.sleep(min(every, left))
        leader = session.store.cluster.leader
        if leader is not None and time.monotonic() < end:
            with suppress(FaultError):
                await session.kill(leader)
                await asyncio.sleep(1)
                await session.restart(leader)
                restarts += 1
    return restarts


async def measure(seconds: float, rate: int, every: float) -> None:
    """Run, and print the shares."""
    session = Session(Config(rate=rate))
    try:
        await session.start()
        begun = time.monotonic()
        restarts = await watch(session, seconds, every)
        await asyncio.sleep(2)
    finally:
        await session.stop()
    ring, table = session.store.ring, session.store.table
    stats = session.store.pipeline
    assert stats is not None
    print(
        f"{stats.samples:,} samples in {time.monotonic() - begun:.0f} s, {restarts} restarts, "
        f"lost {stats.lost}; whole {100 * (1 - stats.broken / stats.samples):.2f} %, "
        f"leaf named {100 * (1 - stats.unresolved / stats.samples):.2f} %"
    )
    for flaw in stats.flaws[:6]:
        print(f"  {flaw.samples:6,} {flaw.kind}: {flaw.cause}; {flaw.remedy}")
    by_label: dict[str, tuple[int, int]] = {}
    for sample, label, _ in ring.iter_samples(Filter()):
        count, broken = by_label.get(label, (0, 0))
        by_label[label] = count + 1, broken + table.is_broken(sample.stack)
    for label, (count, broken) in sorted(by_label.items()):
        print(f"  {label:<24} {count:7,} samples, whole {100 * (1 - broken / count):.2f} %")


def main() -> None:
    """Read the command line and run."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=float, default=600)
    arguments.add_argument("--rate", type=int, default=0)
    arguments.add_argument("--every", type=float, default=30)
    options = arguments.parse_args()
    asyncio.run(measure(options.seconds, options.rate, options.every))


if __name__ == "__main__":
    main()
