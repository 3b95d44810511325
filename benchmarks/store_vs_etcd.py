"""Writes and linearizable reads a second beside etcd, in one sitting with the same client model.

``python -m benchmarks.store_vs_etcd [--seconds 4] [--rounds 5] [--json]``: one Markdown table in
less than four minutes. Three nodes each on this machine, 256-byte values, fdatasync on a majority
before every answer. The two systems take turns, in turn first, each with its nodes idle while the
other works; figures are medians of the rounds, and a ratio is the median of the rounds' ratios
with the least and the greatest. The machine must be otherwise idle for the absolute figures.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.store_etcd import EtcdCluster
from kvtop.bench.macro import MACROS, Macro, calibrated
from kvtop.workload.histogram import Histogram
from kvtop.workload.supervisor_protocol import Start
from kvtop.workload.temporary_cluster import TemporaryCluster

Run = dict[str, float]


def mix_of(line: Macro) -> dict[str, int]:
    """Fields of ``load.Mix``, the number of operations left out."""
    reads, writes = line.mix
    return {
        "clients": line.clients,
        "reads": reads,
        "writes": writes,
        "value_size": 256,
        "keys": 10_000,
    }


def measure(command: list[str], task: dict[str, Any], processes: int) -> Run:
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


@dataclass(frozen=True, slots=True)
class System:
    """How to load one of the two."""

    name: str
    command: list[str]
    task: dict[str, Any]

    def run(self, line: Macro, operations: int, processes: int) -> Run:
        """One run of so many operations of all clients together."""
        each = max(1, operations // line.clients)
        task = self.task | {"mix": mix_of(line) | {"operations": each}}
        return measure(self.command, task, processes)


def alternate(
    systems: tuple[System, System], line: Macro, seconds: float, rounds: int, processes: int
) -> dict[str, list[Run]]:
    """The runs of each system in ``rounds`` rounds, each begun by the other one."""
    planned = {}
    for system in systems:
        planned[system.name] = calibrated(
            lambda count, system=system: system.run(line, count, processes)["rate"],
            line.clients * 20,
            seconds,
        )
    runs: dict[str, list[Run]] = {system.name: [] for system in systems}
    for number in range(rounds):
        for system in systems if number % 2 == 0 else systems[::-1]:
            runs[system.name].append(system.run(line, planned[system.name], processes))
    return runs


def summary(line: Macro, runs: dict[str, list[Run]]) -> dict[str, Any]:
    """Medians of the runs, and ratios of the runs of one round. Latencies in seconds."""
    result: dict[str, Any] = {"operation": f"{line.operation}s", "clients": line.clients}
    for system, results in runs.items():
        for figure in ("rate", "p50", "p99"):
            result[f"{system}_{figure}"] = statistics.median(r[figure] for r in results)
        result[f"{system}_errors"] = sum(r["errors"] for r in results)
    ours, theirs = runs["kvtop"], runs["etcd"]
    ratios = [own["rate"] / other["rate"] for own, other in zip(ours, theirs, strict=True)]
    result["ratio"] = statistics.median(ratios)
    result["ratio_least"], result["ratio_greatest"] = min(ratios), max(ratios)
    return result


def table(summaries: list[dict[str, Any]]) -> Iterator[str]:
    """The lines of a Markdown table."""
    yield (
        "| operation | clients | kvtop /s | etcd /s | ratio (least-greatest) | kvtop p50 / p99 ms "
        "| etcd p50 / p99 ms | errors |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    for s in summaries:
        yield (
            f"| {s['operation']} | {s['clients']} | {s['kvtop_rate']:,.0f} | {s['etcd_rate']:,.0f} "
            f"| {s['ratio']:.2f} ({s['ratio_least']:.2f}-{s['ratio_greatest']:.2f}) "
            f"| {s['kvtop_p50'] * 1e3:.2f} / {s['kvtop_p99'] * 1e3:.2f} "
            f"| {s['etcd_p50'] * 1e3:.2f} / {s['etcd_p99'] * 1e3:.2f} "
            f"| {s['kvtop_errors'] + s['etcd_errors']} |"
        )


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a run, about")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=1, help="client processes")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with EtcdCluster() as etcd, TemporaryCluster(Start(no_stress=True)) as ours:
        targets = {node: [a.host, a.port] for node, a in ours.addresses.items()}
        own = [sys.executable, "-m", "kvtop.workload.stress_worker"]
        other = [sys.executable, "-m", "benchmarks.store_etcd"]
        systems = (
            System("kvtop", own, {"targets": targets, "parent": os.getpid()}),
            System("etcd", other, {"target": etcd.leader}),
        )
        summaries = []
        for line in MACROS.values():
            runs = alternate(
                systems, line, arguments.seconds, arguments.rounds, arguments.processes
            )
            summaries.append(summary(line, runs))
            print(f"{line.operation}s, {line.clients} clients: done", file=sys.stderr)
    print(json.dumps(summaries) if arguments.json else "\n".join(table(summaries)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
