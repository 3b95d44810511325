"""The cluster that a torture run breaks: real nodes, with a relay on every link between two."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
from pathlib import Path

from kvtop.workload.link_proxy import LinkProxy
from kvtop.workload.peers import Address
from kvtop.workload.ports import free_ports

_LITTLE_SPACE = 1024
"""Bytes that a node may still write to its log before its disk is full."""


class TortureCluster:
    """Nodes as child processes. ``links[i, j]`` carries what node i sends to node j."""

    def __init__(self, nodes: int, directory: Path) -> None:
        self.count = nodes
        self._directory = directory
        ports = free_ports(nodes)
        self.addresses = {node: Address("127.0.0.1", ports[node]) for node in range(nodes)}
        self.links = {
            (near, far): LinkProxy(self.addresses[far])
            for near in range(nodes)
            for far in range(nodes)
            if near != far
        }
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.paused: set[int] = set()
        self.starts = 0

    async def start(self) -> None:
        """Start relays and nodes."""
        for link in self.links.values():
            await link.start()
        for node in range(self.count):
            self.start_node(node)

    def start_node(self, node: int) -> None:
        """Start a node that does not run."""
        book = {n: self.links[node, n].address for n in range(self.count) if n != node}
        book[node] = self.addresses[node]
        peers = ",".join(f"{n}={address}" for n, address in sorted(book.items()))
        log = (self._directory / f"node{node}.log").open("ab")
        with log:
            self._processes[node] = subprocess.Popen(
                [
                    *(sys.executable, "-m", "kvtop.workload.node", "--id", str(node)),
                    *("--peers", peers, "--listen", str(self.addresses[node])),
                    *("--dir", str(self._directory / f"node{node}")),
                    *("--snapshot-entries", "500", "--segment-size", str(1 << 20)),
                    *("--parent", str(os.getpid())),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                process_group=0,
            )
        self.starts += 1

    @property
    def running(self) -> list[int]:
        """Nodes whose process lives, paused or not."""
        return [n for n, process in self._processes.items() if process.poll() is None]

    @property
    def dead(self) -> list[int]:
        """Nodes whose process has ended."""
        return [n for n, process in self._processes.items() if process.poll() is not None]

    def kill(self, node: int) -> None:
        """SIGKILL and reap."""
        process = self._processes[node]
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.paused.discard(node)

    def pause(self, node: int) -> None:
        """SIGSTOP."""
        self._processes[node].send_signal(signal.SIGSTOP)
        self.paused.add(node)

    def resume(self, node: int) -> None:
        """SIGCONT."""
        self._processes[node].send_signal(signal.SIGCONT)
        self.paused.discard(node)

    def fill_disk(self, node: int) -> None:
        """Let all that this node writes soon fail, as on a full disk (setrlimit(2): EFBIG)."""
        pid = self._processes[node].pid
        segments = self._segments(node)
        written = len(segments[-1].read_bytes().rstrip(b"\0")) if segments else 0
        limit = written + _LITTLE_SPACE
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, limit))

    def tear_log_tail(self, node: int, chance: random.Random) -> bool:
        """Leave half a batch behind the log of a dead node, as a crash in mid-write does."""
        segments = self._segments(node)
        if not segments:
            return False
        data = segments[-1].read_bytes()
        end = len(data.rstrip(b"\0"))
        room = len(data) - end - 64
        if room <= 0:
            return False
        at = -(-end // 8) * 8 + 8 * chance.randrange(3)
        torn = chance.randbytes(min(room, chance.randrange(1, 5000)))
        with segments[-1].open("r+b") as file:
            file.seek(at)
            file.write(torn)
        return True

    def _segments(self, node: int) -> list[Path]:
        return sorted((self._directory / f"node{node}" / "log").glob("*.wal"))

    def cut(self, near: set[int], far: set[int], both_ways: bool) -> None:
        """Hold back what ``near`` sends to ``far`` (and the other way)."""
        for (a, b), link in self.links.items():
            if (a in near and b in far) or (both_ways and a in far and b in near):
                link.cut()

    def heal(self) -> None:
        """All links pass again."""
        for link in self.links.values():
            link.heal()

    async def stop(self) -> None:
        """End everything."""
        for node in self.running:
            self.kill(node)
        for link in self.links.values():
            await link.stop()

    def log_text(self, node: int) -> str:
        """What the node wrote to its standard error."""
        return (self._directory / f"node{node}.log").read_text(errors="replace")
