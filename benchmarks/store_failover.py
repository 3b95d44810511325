"""How long the cluster is without service after a SIGKILL of its leader.

``python -m benchmarks.store_failover [--kills 50]``: one client writes without pause; the time
from the kill to the next acknowledged write is taken; a Markdown table shows median, 90th
percentile and worst.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time

from benchmarks.tables import Line, show
from kvtop.workload.clerk import SyncClerk
from kvtop.workload.supervisor_protocol import Kill, Restart, Serving, Start
from kvtop.workload.temporary_cluster import TemporaryCluster


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    gaps = []
    with (
        TemporaryCluster(Start(no_stress=True)) as cluster,
        SyncClerk(cluster.addresses, deadline=30.0) as clerk,
    ):
        for number in range(arguments.kills):
            for _ in range(20):
                clerk.put(b"key", b"%d" % number)
            dead = cluster.leader
            began = time.monotonic()
            cluster.send(Kill(dead))
            clerk.put(b"key", b"after %d" % number)
            gaps.append(time.monotonic() - began)
            while cluster.leader == dead:
                cluster.wait_for(Serving)
            cluster.send(Restart(dead))
            time.sleep(0.5)  # the restarted node catches up, so that the next kill has a quorum
    result: Line = {
        "kills_of_the_leader": len(gaps),
        "median_ms": statistics.median(gaps) * 1e3,
        "p90_ms": sorted(gaps)[math.ceil(0.9 * len(gaps)) - 1] * 1e3,
        "worst_ms": max(gaps) * 1e3,
    }
    show("to the next acknowledged write", [result], arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
