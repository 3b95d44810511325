"""A program that uses the store: three nodes start, a clerk writes and reads, the nodes end.

python examples/clerk.py
"""

from __future__ import annotations

from kvtop.workload.clerk import SyncClerk
from kvtop.workload.supervisor_protocol import Start
from kvtop.workload.temporary_cluster import TemporaryCluster


def main() -> list[tuple[bytes, bytes]]:
    """What a scan finds after a few writes."""
    with (
        TemporaryCluster(Start(no_stress=True)) as cluster,
        SyncClerk(cluster.addresses) as clerk,
    ):
        clerk.put(b"colour", b"green")
        clerk.append(b"log", b"one,")
        clerk.append(b"log", b"two")
        clerk.increment(b"visits", 5)
        swapped, present = clerk.compare_and_set(b"colour", b"red", b"blue")
        assert (swapped, present) == (False, b"green")
        return clerk.scan()


if __name__ == "__main__":
    for key, value in main():
        print(key.decode(), "=", value.decode())
