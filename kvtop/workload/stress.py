"""The process of stress clients: ``python -m kvtop.workload.stress --targets 0=HOST:PORT,...``.

Every interval it prints one JSON object: ``{"event": "interval", "time", "interval",
"operations", "errors", "reads", "writes", "clients", "latency": histogram}``. Intervals end at
multiples of their length on CLOCK_MONOTONIC, so that several processes can be added up.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time

import uvloop

from kvtop.workload.clerk import Clerk, ClerkError, Cluster
from kvtop.workload.etcd_client import EtcdClient
from kvtop.workload.load import Client, Load, Mix
from kvtop.workload.node import parse_peers
from kvtop.workload.process import die_with_parent


def build_parser() -> argparse.ArgumentParser:
    """Options of the process."""
    parser = argparse.ArgumentParser(prog="kvtop.workload.stress", description=__doc__)
    parser.add_argument("--targets", type=parse_peers, required=True)
    parser.add_argument("--cluster", choices=("raft", "etcd"), default="raft")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--reads", type=int, default=50)
    parser.add_argument("--writes", type=int, default=50)
    parser.add_argument("--value-size", type=int, default=256)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--interval", type=float, default=0.5)
    parser.add_argument("--parent", type=int, default=0)
    return parser


async def _run(arguments: argparse.Namespace) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    mix = Mix(
        arguments.clients,
        arguments.reads,
        arguments.writes,
        arguments.value_size,
        arguments.keys,
        arguments.rate,
    )
    cluster = Cluster(arguments.targets)
    members = list(arguments.targets.values())

    def connect(number: int) -> Client:
        if arguments.cluster == "etcd":
            return EtcdClient(members, number)
        return Clerk(cluster, deadline=5.0)

    load = Load(mix, connect, _log_error)
    tasks = [
        asyncio.create_task(load.run()),
        asyncio.create_task(_report(load, arguments.interval)),
    ]
    await stopping.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await cluster.close()


async def _report(load: Load, interval: float) -> None:
    ended = time.monotonic()
    due = ended - ended % interval
    while True:
        due = max(due + interval, time.monotonic())
        # The loop's timers may fire up to a millisecond early.
        await asyncio.sleep(max(0.0, due - time.monotonic()) + 0.001)
        before, ended = ended, time.monotonic()
        counts = load.take_counts()
        line = {
            "event": "interval",
            "time": ended,
            "interval": ended - before,
            "operations": counts.operations,
            "errors": counts.errors,
            "reads": counts.reads,
            "writes": counts.writes,
            "clients": load.mix.clients,
            "latency": counts.latency.to_json(),
        }
        sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
        sys.stdout.flush()


_last_error = 0.0


def _log_error(error: ClerkError) -> None:
    """At most one line a second: a broken cluster fails thousands of operations."""
    global _last_error
    now = time.monotonic()
    if now - _last_error >= 1.0:
        _last_error = now
        print(f"WARNING: {error}", file=sys.stderr, flush=True)


def main() -> int:
    """Entry point."""
    arguments = build_parser().parse_args()
    die_with_parent(arguments.parent)
    uvloop.run(_run(arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
