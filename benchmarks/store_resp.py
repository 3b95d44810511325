"""What redis-benchmark says of the RESP door of a three-node cluster.

``python -m benchmarks.store_resp [--seconds 3] [--json]``: a Markdown table; 256-byte values,
every write on a majority with fdatasync, every read linearizable. A run that a change of the leader
ended is repeated. Debian's package redis-tools has redis-benchmark.
"""

from __future__ import annotations

import argparse
import csv
import io
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.tables import Line, show
from kvtop.workload.ports import free_ports

NODES = 3
COMMANDS = "set,get,incr,mset"
LOADS = ((1, 1), (8, 1), (64, 1), (64, 16))
"""Connections, and commands that each sends before it waits."""
_ATTEMPTS = 3
_PROBE = 400
"""Operations of a first run, which tells how many a run of the wanted length takes."""


class Failed(Exception):
    """The cluster did not come up, or redis-benchmark did not run to its end."""


@contextmanager
def cluster() -> Iterator[range]:
    """Three nodes by ``kvtop server``; their RESP ports."""
    ports = free_ports(NODES)
    (base,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="kvtop-bench-") as name:
        path = Path(name) / "test.conf"
        lines = [f"node{n}ip=127.0.0.1\nnode{n}port={port}\n" for n, port in enumerate(ports)]
        path.write_text("".join(lines))
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "kvtop", "server", "--config", str(path)),
                *("--resp-port", str(base)),
            ],
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        try:
            yield range(base, base + NODES)
        finally:
            process.terminate()
            process.wait()


def _leader(ports: range) -> int:
    for _ in range(200):
        for port in ports:
            if b"role:master" in _info(port):
                return port
        time.sleep(0.1)
    raise Failed("no node leads after 20 s")


def _info(port: int) -> bytes:
    told = subprocess.run(["redis-cli", "-p", str(port), "INFO"], capture_output=True, check=False)
    return told.stdout


def measure(ports: range, connections: int, pipeline: int, operations: int) -> list[Line]:
    """One run of redis-benchmark; a line for each command."""
    for _ in range(_ATTEMPTS):
        done = subprocess.run(
            [
                *("redis-benchmark", "-p", str(_leader(ports)), "-t", COMMANDS, "--csv"),
                *("-c", str(connections), "-P", str(pipeline), "-n", str(operations)),
                *("-d", "256", "-r", "10000"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            break
    else:
        raise Failed(f"redis-benchmark: {(done.stderr or done.stdout).strip()[-300:]}")
    return [
        {
            "command": row["test"],
            "connections": connections,
            "pipeline": pipeline,
            "operations_per_second": float(row["rps"]),
            "p50_ms": float(row["p50_latency_ms"]),
            "p99_ms": float(row["p99_latency_ms"]),
            "worst_ms": float(row["max_latency_ms"]),
        }
        for row in csv.DictReader(io.StringIO(done.stdout))
    ]


def measure_all(seconds: float) -> Iterator[Line]:
    """All loads, each for about this long a command."""
    with cluster() as ports:
        for connections, pipeline in LOADS:
            slowest = min(
                float(str(line["operations_per_second"]))
                for line in measure(ports, connections, pipeline, _PROBE * connections)
            )
            yield from measure(ports, connections, pipeline, max(100, int(slowest * seconds)))


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of a command, about")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    # The nodes must not outlive a run that is ended from outside.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    show("redis-benchmark", measure_all(arguments.seconds), arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
