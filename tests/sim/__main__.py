"""``python -m tests.sim --seeds 10000``: run many seeds, print what they did."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tests.sim.runner import Failure, Report, simulate


def _try(seed: int) -> Report | str:
    try:
        return simulate(seed)
    except Failure as failure:
        return str(failure)


def main(arguments: list[str] | None = None) -> int:
    """Run the seeds; 1 if one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    options = parser.parse_args(arguments)
    seeds = range(options.first, options.first + options.seeds)
    totals: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    messages: Counter[str] = Counter()
    failures: list[str] = []
    begun = time.monotonic()
    with ProcessPoolExecutor(options.jobs) as pool:
        for count, result in enumerate(pool.map(_try, seeds, chunksize=8), 1):
            if isinstance(result, str):
                failures.append(result)
                print(f"FAILED {result}", flush=True)
            else:
                totals["events"] += result.events
                totals["operations"] += result.operations
                totals["unanswered"] += result.unanswered
                totals["commits"] += result.commits
                totals["terms"] += result.terms
                totals["undecided histories"] += result.undecided
                faults += result.faults
                messages += result.messages
            if count % 500 == 0:
                print(f"{count} of {len(seeds)} seeds, {len(failures)} failed", flush=True)
    print(f"seeds {seeds.start}..{seeds.stop - 1} in {time.monotonic() - begun:.0f} s")
    for title, counts in (("totals", totals), ("faults", faults), ("messages", messages)):
        print(f"{title}: " + ", ".join(f"{name} {n}" for name, n in sorted(counts.items())))
    print(f"failed: {len(failures)}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
