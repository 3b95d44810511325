"""A three-node etcd on loopback, and the worker that loads it as ``stress_worker`` loads ours.

As a program it is that worker: ``python -m benchmarks.store_etcd JSON``; see ``stress_worker``.
It needs grpcio (the ``dev`` extra). One asyncio loop, each client with one call under way, on one
channel to the leader: the same model as our clerks, which also share a connection to the leader.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from kvtop.workload.histogram import Histogram
from kvtop.workload.ports import free_ports


class EtcdCluster:
    """``with EtcdCluster() as etcd``: ``etcd.leader`` is "host:port" of the leader."""

    def __init__(self, nodes: int = 3) -> None:
        self._nodes = nodes
        self._directory = Path(tempfile.mkdtemp(prefix="kvtop-etcd-"))
        self._processes: list[subprocess.Popen[bytes]] = []
        self.leader = ""

    def __enter__(self) -> EtcdCluster:
        ports = free_ports(2 * self._nodes)
        clients, peers = ports[: self._nodes], ports[self._nodes :]
        members = ",".join(f"n{n}=http://127.0.0.1:{port}" for n, port in enumerate(peers))
        token = f"kvtop-{random.getrandbits(32)}"
        for node in range(self._nodes):
            client, peer = (f"http://127.0.0.1:{ports[node]}" for ports in (clients, peers))
            self._processes.append(
                subprocess.Popen(
                    [
                        *("etcd", "--name", f"n{node}", "--initial-cluster", members),
                        *("--data-dir", str(self._directory / f"n{node}")),
                        *("--listen-client-urls", client, "--advertise-client-urls", client),
                        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
                        *("--initial-cluster-token", token, "--log-level", "error"),
                    ],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    process_group=0,
                )
            )
        self.leader = self._find_leader(clients)
        return self

    def __exit__(self, *exception: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    @staticmethod
    def _find_leader(ports: list[int]) -> str:
        for _ in range(200):
            for port in ports:
                try:
                    status = _status(port)
                except OSError:
                    continue
                if status.get("leader") == status["header"]["member_id"]:
                    return f"127.0.0.1:{port}"
            time.sleep(0.1)
        raise TimeoutError("etcd elected no leader")


def _status(port: int) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v3/maintenance/status", data=b"{}", method="POST"
    )
    with urllib.request.urlopen(request, timeout=2) as answer:
        result: dict[str, Any] = json.load(answer)
        return result


def _field(number: int, value: bytes) -> bytes:
    """A length-delimited protobuf field."""
    size, length = b"", len(value)
    while length > 127:
        size += bytes([length & 127 | 128])
        length >>= 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + value


async def _run(task: dict[str, Any]) -> None:
    grpc = importlib.import_module("grpc")  # only this worker needs it
    mix = task["mix"]
    channel = grpc.aio.insecure_channel(task["target"])
    put = channel.unary_unary("/etcdserverpb.KV/Put")
    get = channel.unary_unary("/etcdserverpb.KV/Range")
    value = _field(2, random.randbytes(mix["value_size"]))
    share = mix["reads"] / (mix["reads"] + mix["writes"])
    latency = Histogram()

    async def client() -> None:
        draw = random.Random().random
        for _ in range(mix["operations"]):
            key = _field(1, b"key%010d" % int(draw() * mix["keys"]))
            began = time.monotonic()
            if draw() < share:
                await get(key)
            else:
                await put(key + value)
            latency.add(time.monotonic() - began)

    await get(_field(1, b"warm"))
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    began = time.monotonic()
    await asyncio.gather(*(client() for _ in range(mix["clients"])))
    ended = time.monotonic()
    await channel.close()
    result = {"began": began, "ended": ended, "errors": 0, "latency": latency.to_json()}
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    asyncio.run(_run(json.loads(sys.argv[1])))
