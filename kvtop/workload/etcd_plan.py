"""What a supervisor starts for ``--cluster etcd``: members of etcd, and clients of it."""

from __future__ import annotations

import json
import os
import random
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from kvtop.workload.plan import Plan, client_commands
from kvtop.workload.ports import free_ports
from kvtop.workload.supervisor_protocol import Start

BOOK = "etcd-cluster.json"
"""Beside the members' data: a member's data names the addresses it was made with."""


@dataclass(frozen=True, slots=True)
class Book:
    """Token of the cluster, and the members' ports by number."""

    token: str
    clients: tuple[int, ...]
    peers: tuple[int, ...]


def make_etcd_plan(options: Start, directory: Path, interval: float) -> Plan:
    """The members with their data in ``directory``; ValueError, OSError as ``make_plan``."""
    book = load_book(directory, options)
    ports = {f"node{node}": (port, port) for node, port in enumerate(book.clients)}
    commands = {f"node{node}": member_command(book, node, directory) for node in range(len(ports))}
    if not options.no_stress:
        targets = ",".join(f"{n}=127.0.0.1:{port}" for n, port in enumerate(book.clients))
        commands |= client_commands(options, targets, interval)
    return Plan(ports, commands)


def load_book(directory: Path, options: Start) -> Book:
    """Of the data that is in ``directory``, or a new one. ValueError where they do not agree."""
    path = directory / BOOK
    try:
        data = json.loads(path.read_text())
        book = Book(str(data["token"]), tuple(data["clients"]), tuple(data["peers"]))
    except FileNotFoundError:
        ports = list(options.ports) or free_ports(options.nodes)
        if len(ports) != options.nodes:
            raise ValueError(
                f"{options.nodes} nodes need as many ports, not {len(ports)}"
            ) from None
        token = f"kvtop-{random.getrandbits(64):016x}"
        book = Book(token, tuple(ports), tuple(free_ports(options.nodes, ports)))
        path.write_text(json.dumps(asdict(book)) + "\n")
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is damaged: remove {directory} to start anew") from None
    if len(book.clients) != options.nodes:
        raise ValueError(
            f"{directory} holds {len(book.clients)} members of etcd, not {options.nodes}"
        )
    return book


def member_command(book: Book, node: int, directory: Path) -> list[str]:
    """The command line of one member; it dies with the process that starts it."""
    client, peer = (f"http://127.0.0.1:{ports[node]}" for ports in (book.clients, book.peers))
    members = ",".join(f"node{n}=http://127.0.0.1:{port}" for n, port in enumerate(book.peers))
    return [
        *(sys.executable, "-m", "kvtop.workload.with_parent", str(os.getpid())),
        *("etcd", "--name", f"node{node}", "--data-dir", str(directory / f"node{node}")),
        *("--listen-client-urls", client, "--advertise-client-urls", client),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
        *("--initial-cluster", members, "--initial-cluster-token", book.token),
        # Else the history of all keys would fill the default quota of 2 GiB in half an hour.
        *("--auto-compaction-mode", "periodic", "--auto-compaction-retention", "1m"),
        *("--quota-backend-bytes", str(8 << 30)),
        *("--logger", "zap", "--log-outputs", "stderr", "--log-level", "warn"),
    ]
