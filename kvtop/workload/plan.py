"""What a supervisor starts: the command line of every node and of every process of clients."""

from __future__ import annotations

import os
import random
import sys
from dataclasses import dataclass
from pathlib import Path

from kvtop.workload.ports import free_ports
from kvtop.workload.supervisor_protocol import Start


@dataclass(frozen=True, slots=True)
class Plan:
    """By the names of the children: (port, status port) of nodes, command lines of all."""

    ports: dict[str, tuple[int, int]]
    commands: dict[str, list[str]]


def make_plan(options: Start, directory: Path, interval: float) -> Plan:
    """The cluster with its data in ``directory``; clients report every ``interval`` seconds.

    Raises ValueError for options that contradict each other, OSError without free ports.
    """
    taken = list(options.ports) or free_ports(options.nodes)
    if len(taken) != options.nodes:
        raise ValueError(f"{options.nodes} nodes need as many ports, not {len(taken)}")
    status_ports = free_ports(options.nodes, taken)
    book = ",".join(f"{node}=127.0.0.1:{port}" for node, port in enumerate(taken))
    cluster = cluster_id(directory)
    traced = _traced(options)
    commands = {
        f"node{node}": [
            *(*traced, "kvtop.workload.node", "--id", str(node), "--peers", book),
            *("--dir", str(directory / f"node{node}"), "--status-port", str(status_ports[node])),
            *("--cluster", str(cluster), "--parent", str(os.getpid())),
        ]
        for node in range(options.nodes)
    }
    if not options.no_stress:
        commands |= client_commands(options, book, interval)
    ports = {f"node{node}": (taken[node], status_ports[node]) for node in range(options.nodes)}
    return Plan(ports, commands)


def _traced(options: Start) -> list[str]:
    interpreter = [options.python or sys.executable]
    if options.python_frames == "jit":
        interpreter += ["-X", "perf_jit"]
    return [*interpreter, "-m", "kvtop.workload.traced"]


def client_commands(options: Start, book: str, interval: float) -> dict[str, list[str]]:
    """The processes of clients of the cluster whose nodes are ``book`` (ID=HOST:PORT,...)."""
    commands = {}
    processes = options.client_processes or min(2, options.clients)
    for number in range(processes):
        clients = (options.clients + processes - 1 - number) // processes
        share = options.rate * clients / options.clients
        commands[f"client{number}"] = [
            *(*_traced(options), "kvtop.workload.stress", "--targets", book),
            *("--cluster", options.cluster),
            *("--clients", str(clients), "--rate", repr(share)),
            *("--reads", str(options.mix[0]), "--writes", str(options.mix[1])),
            *("--value-size", str(options.value_size), "--keys", str(options.keys)),
            *("--interval", str(interval), "--parent", str(os.getpid())),
        ]
    return commands


def cluster_id(directory: Path) -> int:
    """The id of the cluster whose data is in ``directory``; drawn at its first start."""
    path = directory / "cluster-id"
    try:
        return int(path.read_text())
    except FileNotFoundError:
        drawn = random.getrandbits(63)
        path.write_text(f"{drawn}\n")
        return drawn
