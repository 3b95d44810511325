"""``kvtop server``: run the nodes of a configuration file, or one of them."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from kvtop.workload.clerk import ClerkError, DeadlinePassed, discover
from kvtop.workload.cluster_config import ClusterConfig, ConfigError, load_config
from kvtop.workload.commands.targets import fail, integer
from kvtop.workload.peers import Address, addresses

_GRACE = 5.0
"""Seconds that nodes may take to end before they are killed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.description = (
        "Run every node of a configuration file on this machine, or only one of them, until "
        "Ctrl-C. The file has nodeNip=HOST and nodeNport=PORT lines, or is TOML with [[node]] "
        "tables of host and port."
    )
    parser.add_argument(
        "-f",
        "--config",
        type=Path,
        required=True,
        metavar="FILE",
        help="hosts and ports of the nodes",
    )
    parser.add_argument("--node", type=integer(0, 9999), metavar="N", help="run this node alone")
    parser.add_argument(
        "--join",
        action="store_true",
        help="with --node: if it has no data, let it join the running cluster",
    )
    parser.add_argument(
        "--dir", type=Path, metavar="DIR", help="data of the nodes (kvtop-data beside FILE)"
    )
    parser.add_argument(
        "--resp-port",
        type=integer(1, 65535),
        default=0,
        metavar="PORT",
        help="node N serves RESP on PORT + N",
    )


def run(arguments: argparse.Namespace) -> int:
    """Start, wait, end; the exit code."""
    try:
        config = load_config(arguments.config)
    except ConfigError as error:
        return fail(str(error), 2)
    if arguments.node is not None and arguments.node not in config.nodes:
        return fail(f"{arguments.config}: names no node {arguments.node}", 2)
    if arguments.join and arguments.node is None:
        return fail("--join needs --node N: nodes join one at a time", 2)
    directory = arguments.dir or config.directory or arguments.config.parent / "kvtop-data"
    chosen = sorted(config.nodes) if arguments.node is None else [arguments.node]
    commands = [node_command(config, node, directory, arguments.resp_port) for node in chosen]
    if arguments.join and not (directory / f"node{arguments.node}").exists():
        try:
            commands = [asyncio.run(_joining(commands[0], config, arguments.node))]
        except ClerkError as error:
            return fail(str(error), 1)
    return _run_nodes(commands)


def node_command(config: ClusterConfig, node: int, directory: Path, resp_base: int) -> list[str]:
    """The command line of one node's process."""
    own = config.nodes[node]
    book = _joined(config.addresses)
    command = [sys.executable, "-m", "kvtop.workload.node", "--id", str(node), "--peers", book]
    # All machines derive the same id from the same file. A node keeps the id of its first start.
    cluster = int.from_bytes(hashlib.sha256(book.encode()).digest()[:8], "big") >> 1
    command += ["--dir", str(directory / f"node{node}"), "--cluster", str(cluster)]
    command += ["--status-port", str(own.status_port), "--parent", str(os.getpid())]
    resp = {n: c.resp_port or (resp_base + n if resp_base else 0) for n, c in config.nodes.items()}
    if resp[node]:
        served = (f"{n}={config.nodes[n].address.host}:{port}" for n, port in resp.items() if port)
        command += ["--resp", ",".join(served)]
    return command


async def _joining(command: list[str], config: ClusterConfig, node: int) -> list[str]:
    """The command with what the running cluster says of itself. Raises ClerkError."""
    problem: ClerkError = DeadlinePassed(f"there is no node but node {node}: nothing to join")
    for other, address in config.addresses.items():
        if other == node:
            continue
        try:
            found = await discover(address, 2.0)
        except ClerkError as error:
            problem = error
            continue
        book = addresses(found) | {node: config.nodes[node].address}
        return [*command, "--join", "--cluster", str(found.cluster), "--peers", _joined(book)]
    raise problem


def _joined(book: Mapping[int, Address]) -> str:
    return ",".join(f"{node}={address}" for node, address in sorted(book.items()))


def _run_nodes(commands: list[list[str]]) -> int:
    """Run until a signal comes or a node ends by itself."""
    received: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        received.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    children = [
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, process_group=0
        )
        for command in commands
    ]
    try:
        while not received and all(child.poll() is None for child in children):
            time.sleep(0.1)
    finally:
        for child in children:
            child.terminate()
        for child in children:
            try:
                child.wait(_GRACE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
    if received:
        return 128 + received[0]
    return max(abs(child.returncode) for child in children) and 1
