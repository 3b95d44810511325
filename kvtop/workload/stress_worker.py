"""One process of ``kvtop stress``: a fixed number of operations, then one JSON object.

``python -m kvtop.workload.stress_worker JSON`` where JSON has ``parent``, ``targets`` ({id: [host,
port]}) and ``mix`` (the fields of ``load.Mix``). It prints "ready", waits for a line, works, and
prints ``{"began", "ended", "reads", "writes", "errors", "latency"}`` in CLOCK_MONOTONIC seconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import uvloop

from kvtop.workload.clerk import Clerk, ClerkError, Cluster
from kvtop.workload.load import Load, Mix
from kvtop.workload.peers import Address
from kvtop.workload.process import die_with_parent


async def _run(task: dict[str, Any]) -> None:
    targets = {int(node): Address(*address) for node, address in task["targets"].items()}
    cluster = Cluster(targets)
    failures: list[str] = []

    def note(error: ClerkError) -> None:
        if not failures:
            failures.append(str(error))
            print(f"kvtop: {error}", file=sys.stderr)

    load = Load(Mix(**task["mix"]), lambda number: Clerk(cluster, deadline=5.0), note)
    await Clerk(cluster, deadline=10.0).get(b"")  # finds the leader before the clock runs
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    began = time.monotonic()
    await load.run()
    ended = time.monotonic()
    counts = load.take_counts()
    result = {
        "began": began,
        "ended": ended,
        "reads": counts.reads,
        "writes": counts.writes,
        "errors": counts.errors,
        "latency": counts.latency.to_json(),
    }
    print(json.dumps(result), flush=True)
    await cluster.close()


def main() -> int:
    """Entry point."""
    task = json.loads(sys.argv[1])
    die_with_parent(task["parent"])
    try:
        uvloop.run(_run(task))
    except ClerkError as error:
        print(f"kvtop: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
