"""The process of one node: ``python -m kvtop.workload.node --id 0 --peers 0=HOST:PORT --dir D``.

Standard output carries one JSON object a line: ``listening``, ``role``, ``serving``, ``failure``.
Standard error carries log lines, "level: text".
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path

import uvloop

from kvtop.workload.kvserver import KvServer, Options
from kvtop.workload.peers import Address
from kvtop.workload.process import die_with_parent
from kvtop.workload.raft.types import Role
from kvtop.workload.report import build_report, node_name
from kvtop.workload.resp import RespDoor
from kvtop.workload.resp_commands import RespCommands
from kvtop.workload.rpc.provider import Provider
from kvtop.workload.service import KvService
from kvtop.workload.snapshots import DamagedSnapshot
from kvtop.workload.status import NodeReport
from kvtop.workload.status_server import StatusServer
from kvtop.workload.wal import SEGMENT_SIZE, DamagedLog

PASSWORD_VARIABLE = "KVTOP_RESP_PASSWORD"
"""Environment variable with the password of the RESP door: ps shows command lines to everyone."""

logger = logging.getLogger("node")


def parse_address(text: str) -> Address:
    """``HOST:PORT``; ValueError otherwise."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError(f"{text!r} is not HOST:PORT")
    return Address(host.strip("[]"), int(port))


def parse_peers(text: str) -> dict[int, Address]:
    """``ID=HOST:PORT,...``; ValueError otherwise."""
    book: dict[int, Address] = {}
    for part in text.split(","):
        node, _, address = part.partition("=")
        if not node.isascii() or not node.isdigit() or int(node) in book:
            raise ValueError(f"{part!r} is not ID=HOST:PORT with an id of its own")
        book[int(node)] = parse_address(address)
    return book


def build_parser() -> argparse.ArgumentParser:
    """Options of the process."""
    parser = argparse.ArgumentParser(prog="kvtop.workload.node", description=__doc__)
    parser.add_argument("--id", type=int, required=True)
    parser.add_argument("--peers", type=parse_peers, required=True, metavar="ID=HOST:PORT,...")
    parser.add_argument("--listen", type=parse_address, metavar="HOST:PORT")
    parser.add_argument("--voters", metavar="ID,...", help="voters of a new cluster (all peers)")
    parser.add_argument("--join", action="store_true", help="join a running cluster")
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--status-port", type=int, default=0)
    parser.add_argument("--resp", type=parse_peers, metavar="ID=HOST:PORT,...", help="RESP ports")
    parser.add_argument("--cluster", type=int, default=0, help="id that all nodes share")
    parser.add_argument("--snapshot-entries", type=int, default=100_000)
    parser.add_argument("--segment-size", type=int, default=SEGMENT_SIZE, metavar="BYTES")
    parser.add_argument("--parent", type=int, default=0, help="process to die with")
    return parser


def options_from(arguments: argparse.Namespace) -> Options:
    """Options of the replica; ValueError if they contradict each other."""
    peers: dict[int, Address] = arguments.peers
    if arguments.id not in peers:
        raise ValueError(f"--peers does not name node {arguments.id}")
    voters = tuple(sorted(peers))
    if arguments.voters:
        voters = tuple(int(node) for node in arguments.voters.split(","))
    return Options(
        id=arguments.id,
        peers=peers,
        voters=() if arguments.join else voters,
        directory=arguments.dir,
        cluster=arguments.cluster,
        snapshot_entries=arguments.snapshot_entries,
        segment_size=arguments.segment_size,
    )


class Node:
    """The replica and its ports."""

    def __init__(
        self, options: Options, listen: Address, status_port: int, resp: dict[int, Address]
    ) -> None:
        """``resp``: where each node serves RESP; none does if it is empty."""
        self._started = time.monotonic()
        self._resp = resp.get(options.id)
        self._listen = listen
        self._status_port = status_port
        self._told: dict[str, object] = {}
        self.server = KvServer(options, self._changed)
        self.provider = Provider()
        KvService(self.server, self.report).register(self.provider)
        self.status = StatusServer(self.report)
        password = os.environ.get(PASSWORD_VARIABLE, "").encode()
        self.door = RespDoor(RespCommands(self.server, resp, self.report).table(), password)

    def report(self) -> NodeReport:
        """The report of this moment."""
        return build_report(self.server, self.provider, self._started)

    async def start(self) -> None:
        """Listen and take part. OSError if a port is taken."""
        await self.provider.start(self._listen.host, self._listen.port)
        await self.status.start(self._listen.host, self._status_port)
        if self._resp is not None:
            await self.door.start(self._resp.host, self._resp.port)
        self.server.start()
        recovered = self.server.recovered
        if recovered.torn_bytes:
            logger.warning("cut %d bytes of a torn last batch off the log", recovered.torn_bytes)
        if recovered.entries or recovered.snapshot:
            logger.info(
                "recovered %d entries behind index %d in %.2f s",
                len(recovered.entries),
                recovered.snapshot.meta.index if recovered.snapshot else 0,
                recovered.seconds,
            )
        _tell(event="listening", port=self.provider.port, status_port=self.status.port)

    async def stop(self) -> None:
        """Close everything in order."""
        await self.provider.stop()
        await self.door.stop()
        await self.status.stop()
        await self.server.stop()

    def _changed(self) -> None:
        server = self.server
        raft = server.raft
        leader = None if raft.leader is None else node_name(raft.leader)
        role = {"role": raft.role.value, "term": raft.term, "leader": leader}
        if self._told.get("role") != role:
            self._told["role"] = role
            _tell(event="role", **role)
            own = node_name(server.options.id)
            if leader == own:
                logger.info("%s leads in term %d", leader, raft.term)
            elif leader is not None:
                logger.info("%s follows %s in term %d", own, leader, raft.term)
            elif raft.role is Role.CANDIDATE:
                logger.info("%s stands for election in term %d", own, raft.term)
        if server.serving and self._told.get("serving") != raft.term:
            self._told["serving"] = raft.term
            _tell(event="serving", term=raft.term)
        if server.failure and not self._told.get("failure"):
            self._told["failure"] = True
            _tell(event="failure", text=server.failure)
            logger.error("%s serves no more: %s", node_name(server.options.id), server.failure)


def _tell(**event: object) -> None:
    try:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # nobody listens any more; the store works on


async def _run(arguments: argparse.Namespace) -> int:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        options = options_from(arguments)
        listen = arguments.listen or options.peers[options.id]
        node = Node(options, listen, arguments.status_port, arguments.resp or {})
        await node.start()
    except (DamagedLog, DamagedSnapshot, OSError, ValueError) as error:
        logger.error("%s", error)
        return 1
    await stopping.wait()
    await node.stop()
    return 0


def main() -> int:
    """Entry point."""
    arguments = build_parser().parse_args()
    die_with_parent(arguments.parent)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s: %(message)s")
    # The loop must not wait 5 ms for the interpreter whenever another thread, such as one that
    # writes a snapshot, is busy.
    sys.setswitchinterval(0.0005)
    try:
        return uvloop.run(_run(arguments))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Writer threads hold nothing that the disk does not: no need to wait for the interpreter.
    os._exit(code)
