"""Writes and linearizable reads a second beside etcd, in one sitting with the same client model.

``python -m benchmarks.store_vs_etcd [--seconds 4] [--json]``. Three nodes each on this machine,
256-byte values, fdatasync on a majority before every answer; the two take turns for each line.
The machine must be otherwise idle for the absolute figures; the ratios bear some noise.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from typing import Any

from benchmarks.store_etcd import EtcdCluster
from kvtop.workload.histogram import Histogram
from kvtop.workload.supervisor_protocol import Start
from kvtop.workload.temporary_cluster import TemporaryCluster

_GUESS = {1: 1500, 8: 4000, 64: 12000}
"""Operations a second to plan the length of a run with."""


def measure(command: list[str], task: dict[str, Any], processes: int) -> dict[str, float]:
    """One run of workers that speak the protocol of ``stress_worker``."""
    total = task["mix"]["clients"]
    workers = []
    for number in range(min(processes, total)):
        clients = (total + processes - 1 - number) // processes
        own = task | {"mix": task["mix"] | {"clients": clients}}
        workers.append(
            subprocess.Popen(
                [*command, json.dumps(own)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        )
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n"
    parts = []
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(b"go\n")
        worker.stdin.flush()
    for worker in workers:
        out, _ = worker.communicate()
        parts.append(json.loads(out))
    latency = Histogram()
    for part in parts:
        latency.merge(Histogram.from_json(part["latency"]))
    seconds = max(p["ended"] for p in parts) - min(p["began"] for p in parts)
    return {
        "rate": latency.count / seconds,
        "p50": latency.quantile(0.5) or 0.0,
        "p99": latency.quantile(0.99) or 0.0,
        "errors": sum(p["errors"] for p in parts),
    }


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a run, about")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=1, help="client processes")
    parser.add_argument("--clients", default="1,8,64")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    lines = []
    with EtcdCluster() as etcd, TemporaryCluster(Start(no_stress=True)) as ours:
        targets = {node: [a.host, a.port] for node, a in ours.addresses.items()}
        own = [sys.executable, "-m", "kvtop.workload.stress_worker"]
        other = [sys.executable, "-m", "benchmarks.store_etcd"]
        for name, reads, writes in (("writes", 0, 1), ("reads", 1, 0)):
            for clients in (int(text) for text in arguments.clients.split(",")):
                mix = {
                    "clients": clients,
                    "reads": reads,
                    "writes": writes,
                    "value_size": 256,
                    "keys": 10_000,
                }
                runs: dict[str, list[dict[str, float]]] = {"kvtop": [], "etcd": []}
                for _ in range(arguments.rounds):
                    for system, command, extra, share in (
                        ("kvtop", own, {"targets": targets, "parent": os.getpid()}, 1.0),
                        ("etcd", other, {"target": etcd.leader}, 0.4),
                    ):
                        rate = _GUESS.get(clients, 5000) * share
                        operations = max(1, int(rate * arguments.seconds / clients))
                        task = extra | {"mix": mix | {"operations": operations}}
                        runs[system].append(measure(command, task, arguments.processes))
                lines.append(_line(name, clients, runs))
                if not arguments.json:
                    print(_as_text(lines[-1]), flush=True)
    if arguments.json:
        print(json.dumps(lines))
    return 0


def _line(name: str, clients: int, runs: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    line: dict[str, Any] = {"operation": name, "clients": clients}
    for system, results in runs.items():
        for figure in ("rate", "p50", "p99"):
            line[f"{system}_{figure}"] = statistics.median(r[figure] for r in results)
        line[f"{system}_errors"] = sum(r["errors"] for r in results)
    line["ratio"] = line["kvtop_rate"] / line["etcd_rate"]
    return line


def _as_text(line: dict[str, Any]) -> str:
    parts = [
        f"{system} {line[f'{system}_rate']:,.0f}/s p50 {line[f'{system}_p50'] * 1e3:.2f} ms "
        f"p99 {line[f'{system}_p99'] * 1e3:.2f} ms"
        for system in ("kvtop", "etcd")
    ]
    return (
        f"{line['operation']}, {line['clients']} clients: {'; '.join(parts)}; x {line['ratio']:.2f}"
    )


if __name__ == "__main__":
    sys.exit(main())
