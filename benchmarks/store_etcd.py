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
from pathlib import Path
from typing import Any

from kvtop.etcd.api import EtcdError, fetch_status
from kvtop.etcd.http import HttpConnection
from kvtop.workload.etcd_plan import load_book, member_command
from kvtop.workload.histogram import Histogram
from kvtop.workload.supervisor_protocol import Start


class EtcdCluster:
    """``with EtcdCluster() as etcd``: ``etcd.leader`` is "host:port" of the leader."""

    def __init__(self, nodes: int = 3) -> None:
        self._nodes = nodes
        self._directory = Path(tempfile.mkdtemp(prefix="kvtop-etcd-"))
        self._processes: list[subprocess.Popen[bytes]] = []
        self.leader = ""

    def __enter__(self) -> EtcdCluster:
        try:
            self._start()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._close()

    def _start(self) -> None:
        book = load_book(self._directory, Start(cluster="etcd", nodes=self._nodes))
        for node in range(self._nodes):
            self._processes.append(
                subprocess.Popen(
                    member_command(book, node, self._directory),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    process_group=0,
                )
            )
        self.leader = asyncio.run(self._find_leader(book.clients))

    def _close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    @staticmethod
    async def _find_leader(ports: tuple[int, ...]) -> str:
        members = [HttpConnection("127.0.0.1", port) for port in ports]
        for _ in range(200):
            for member in members:
                try:
                    status = await fetch_status(member, 2.0)
                except EtcdError:
                    continue
                if status.leader == status.member:
                    return str(member)
            await asyncio.sleep(0.1)
        raise TimeoutError("etcd elected no leader")


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
