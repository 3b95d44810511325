"""What profiling costs the cluster: operations a second plain, profiled, and under -X perf_jit.

``python -m benchmarks.profiling_cost [--rounds 5] [--seconds 10]``. The four ways take turns; each
round's ratios are to the plain run of the same round. "profiled" is all of kvtop without a screen
(perf record at 99 Hz, perf script, perf stat), on the same cores as the cluster.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

from kvtop.workload.supervisor_protocol import Start, Stress
from kvtop.workload.temporary_cluster import TemporaryCluster

WARM_UP = 4.0
WAYS = {
    "plain": ("off", False),
    "profiled": ("off", True),
    "-X perf_jit": ("jit", False),
    "-X perf_jit, profiled": ("jit", True),
}


def alone(frames: str, seconds: float) -> float:
    """Operations a second of a cluster that nobody looks at."""
    with TemporaryCluster(Start(python_frames=frames)) as cluster:
        begun = time.monotonic()
        first = last = None
        while last is None or last.time - begun < WARM_UP + seconds:
            event = cluster.wait_for(Stress)
            assert isinstance(event, Stress)
            if first is None and event.time - begun >= WARM_UP:
                first = event
            last = event
        assert first is not None
        return (last.total_operations - first.total_operations) / (last.time - first.time)


def profiled(frames: str, seconds: float) -> float:
    """The same under kvtop."""
    lines = round(WARM_UP + seconds) + 1
    done = subprocess.run(
        [
            *(sys.executable, "-m", "kvtop", "--json", "--refresh", "1"),
            *("-n", str(lines), "--python-frames", frames),
        ],
        capture_output=True,
        check=True,
    )
    stress = [json.loads(line)["stress"] for line in done.stdout.splitlines()]
    first, last = stress[round(WARM_UP)], stress[-1]
    return float(
        (last["total_operations"] - first["total_operations"]) / (last["time"] - first["time"])
    )


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(arguments.rounds):
        for way, (frames, watched) in WAYS.items():
            rates[way].append((profiled if watched else alone)(frames, arguments.seconds))
    print(f"{'way':<24}{'median ops/s':>13}{'of plain':>10}   lowest..highest of the rounds")
    for way, values in rates.items():
        ratios = [v / plain for v, plain in zip(values, rates["plain"], strict=True)]
        print(
            f"{way:<24}{statistics.median(values):>13,.0f}{statistics.median(ratios):>10.2f}"
            f"   {min(ratios):.2f}..{max(ratios):.2f}"
        )


if __name__ == "__main__":
    main()
