"""``kvtop stress``: a fixed number of operations against a cluster, and how long they took.

The clients run in processes of their own. Throughput is counted from the first beginning to the
last end: an early worker's idle time is not left out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
from typing import Any

from kvtop.workload.commands.targets import (
    TargetError,
    add_target_arguments,
    fail,
    find_cluster,
    integer,
)
from kvtop.workload.histogram import Histogram
from kvtop.workload.peers import Address
from kvtop.workload.supervisor_protocol import Start
from kvtop.workload.temporary_cluster import ClusterError, TemporaryCluster

_QUANTILES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999))


class StressFailed(Exception):
    """The load did not finish; the text says why."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.description = (
        "Run a fixed number of reads and writes and print throughput and latencies. Without a "
        "target, three nodes are started for it on this machine."
    )
    add_target_arguments(parser)
    add = parser.add_argument
    count = integer(1, 1_000_000_000)
    add("--threads", type=integer(1, 1024), default=8, metavar="N", help="concurrent clients (8)")
    add("--operations", type=count, default=10_000, metavar="N", help="of each client (10000)")
    add(
        "--mix",
        type=_mix,
        default=(50, 50),
        metavar="READ:WRITE",
        help="shares of reads and writes (50:50)",
    )
    add(
        "--value-size",
        type=integer(1, 1 << 20),
        default=256,
        metavar="BYTES",
        help="size of a value (256)",
    )
    add(
        "--keys",
        type=integer(1, 100_000_000),
        default=10_000,
        metavar="N",
        help="number of different keys (10000)",
    )
    add(
        "--distribution",
        choices=("uniform", "zipf"),
        default="uniform",
        help="how often each key is chosen (uniform)",
    )
    add(
        "--pipeline",
        type=integer(1, 1024),
        default=1,
        metavar="N",
        help="operations of a client under way (1)",
    )
    add(
        "--processes",
        type=integer(1, 1024),
        metavar="N",
        help="processes of the clients (1 a CPU)",
    )
    add("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Carry out the load; 1 if operations failed."""
    try:
        addresses = find_cluster(arguments)
        with contextlib.ExitStack() as stack:
            if addresses is None:
                start = Start(no_stress=True)
                addresses = stack.enter_context(TemporaryCluster(start)).addresses
            result = run_load(arguments, addresses)
    except TargetError as error:
        return fail(str(error), error.code)
    except (ClusterError, StressFailed) as error:
        return fail(str(error), 1)
    print(json.dumps(result) if arguments.json else _as_text(result))
    return 1 if result["errors"] else 0


def run_load(arguments: argparse.Namespace, addresses: dict[int, Address]) -> dict[str, Any]:
    """The figures of one load. Raises StressFailed."""
    clients = arguments.threads * arguments.pipeline
    count = min(clients, arguments.processes or os.cpu_count() or 1)
    workers = [
        _start_worker(arguments, addresses, (clients + count - 1 - number) // count)
        for number in range(count)
    ]
    try:
        for worker in workers:
            _read_line(worker)
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write(b"go\n")
            worker.stdin.flush()
        parts = [json.loads(_read_line(worker)) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    return _sum(parts, arguments)


def _start_worker(
    arguments: argparse.Namespace, addresses: dict[int, Address], clients: int
) -> subprocess.Popen[bytes]:
    reads, writes = arguments.mix
    task = {
        "parent": os.getpid(),
        "targets": {node: [a.host, a.port] for node, a in addresses.items()},
        "mix": {
            "clients": clients,
            "reads": reads,
            "writes": writes,
            "value_size": arguments.value_size,
            "keys": arguments.keys,
            "operations": max(1, arguments.operations // arguments.pipeline),
            "zipf": arguments.distribution == "zipf",
        },
    }
    return subprocess.Popen(
        [sys.executable, "-m", "kvtop.workload.stress_worker", json.dumps(task)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def _read_line(worker: subprocess.Popen[bytes]) -> bytes:
    assert worker.stdout is not None
    line = worker.stdout.readline()
    if not line:
        raise StressFailed(f"a process of clients ended early with code {worker.wait()}")
    return line


def _sum(parts: list[dict[str, Any]], arguments: argparse.Namespace) -> dict[str, Any]:
    latency = Histogram()
    for part in parts:
        latency.merge(Histogram.from_json(part["latency"]))
    seconds = max(part["ended"] for part in parts) - min(part["began"] for part in parts)
    return {
        "threads": arguments.threads,
        "pipeline": arguments.pipeline,
        "operations": latency.count,
        "reads": sum(part["reads"] for part in parts),
        "writes": sum(part["writes"] for part in parts),
        "errors": sum(part["errors"] for part in parts),
        "seconds": seconds,
        "operations_per_second": latency.count / seconds,
        "latency_seconds": {name: latency.quantile(share) for name, share in _QUANTILES},
        "latency_max_seconds": latency.maximum,
    }


def _as_text(result: dict[str, Any]) -> str:
    quantiles = "  ".join(
        f"{name} {value * 1e3:.2f} ms"
        for name, value in result["latency_seconds"].items()
        if value is not None
    )
    return (
        f"{result['operations']:,} operations ({result['reads']:,} reads, "
        f"{result['writes']:,} writes) of {result['threads']} clients in "
        f"{result['seconds']:.2f} s: {result['operations_per_second']:,.0f}/s, "
        f"{result['errors']:,} errors\n{quantiles}"
    )


def _mix(text: str) -> tuple[int, int]:
    reads, colon, writes = text.partition(":")
    share = re.compile(r"[0-9]{1,9}")
    if not (colon and share.fullmatch(reads) and share.fullmatch(writes)):
        raise argparse.ArgumentTypeError(f"{text!r} must be READ:WRITE, for example 80:20")
    if int(reads) + int(writes) == 0:
        raise argparse.ArgumentTypeError("both shares are 0")
    return int(reads), int(writes)
