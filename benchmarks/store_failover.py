"""How long the cluster is without service after a SIGKILL of its leader.

``python -m benchmarks.store_failover [--kills 50]``: one client writes without pause; the time
from the kill to the next acknowledged write is taken, median and worst are printed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time

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
    result = {
        "kills": len(gaps),
        "median": statistics.median(gaps),
        "worst": max(gaps),
    }
    if arguments.json:
        print(json.dumps(result))
    else:
        text = f"median {result['median'] * 1e3:.0f} ms, worst {result['worst'] * 1e3:.0f} ms"
        print(f"{len(gaps)} kills of the leader: {text} to the next acknowledged write")
    return 0


if __name__ == "__main__":
    sys.exit(main())
