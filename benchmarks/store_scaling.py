"""Throughput as values, keys and the number of nodes grow; recovery time; memory per key.

``python -m benchmarks.store_scaling [values] [keys] [nodes] [recovery] [memory] [--quick]
[--json]`` prints a Markdown table each. ``--quick`` does a tenth or less of the work, to see that
it runs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.tables import Line, show
from kvtop.workload.commands import stress
from kvtop.workload.entries import pack_entries
from kvtop.workload.persister import LogWrite, Persister, Report, SnapshotSaved
from kvtop.workload.ports import free_ports
from kvtop.workload.raft.core import bootstrap
from kvtop.workload.raft.types import Entry, EntryKind, HardState, SnapshotMeta
from kvtop.workload.rpc.kv_pb2 import PUT, Command
from kvtop.workload.skiplist import SkipList
from kvtop.workload.statemachine import StateMachine
from kvtop.workload.supervisor_protocol import Start
from kvtop.workload.temporary_cluster import TemporaryCluster
from kvtop.workload.wal_records import entries_record, hard_state_record

KEYS = 100_000
_ENTRIES = 1000
"""In one batch of a log that is made here."""


def _load(words: str, nodes: int = 3) -> Line:
    """64 clients that write; as a user of ``kvtop stress`` sees it."""
    parser = argparse.ArgumentParser()
    stress.add_arguments(parser)
    arguments = parser.parse_args(["--mix", "0:100", "--threads", "64", *words.split()])
    with TemporaryCluster(Start(nodes=nodes, no_stress=True)) as cluster:
        result = stress.run_load(arguments, cluster.addresses)
    latency = result["latency_seconds"]
    return {
        "writes_per_second": result["operations_per_second"],
        "p50_ms": latency["p50"] * 1e3,
        "p99_ms": latency["p99"] * 1e3,
        "errors": result["errors"],
    }


def measure_values(quick: bool) -> Iterator[Line]:
    """16 B to 64 KiB."""
    for size in (16, 256, 1024, 4096, 16384, 65536):
        operations = 1000 if size < 4096 else 200
        words = f"--value-size {size} --operations {operations // (10 if quick else 1)}"
        yield {"value_bytes": size} | dict(_load(words))


def measure_keys(quick: bool) -> Iterator[Line]:
    """1 k to 1 M different keys asked for."""
    for keys in (1_000, 10_000, 100_000, 1_000_000):
        words = f"--keys {keys} --operations {100 if quick else 2000}"
        yield {"keys": keys} | dict(_load(words))


def measure_nodes(quick: bool) -> Iterator[Line]:
    """1 to 7 nodes on one machine, which share its processors and its disk."""
    for nodes in (1, 3, 5, 7):
        yield {"nodes": nodes} | dict(_load(f"--operations {50 if quick else 500}", nodes))


def measure_recovery(quick: bool) -> Iterator[Line]:
    """A node with a snapshot and 1 GiB of log behind it: from its start until it serves."""
    total = 32 << 20 if quick else 1 << 30
    for size in (256, 4096):
        with tempfile.TemporaryDirectory(prefix="kvtop-bench-") as name:
            entries, written = _make_data(Path(name), KEYS // (10 if quick else 1), size, total)
            started = _start_alone(Path(name))
        yield {
            "value_bytes": size,
            "keys_in_snapshot": KEYS // (10 if quick else 1),
            "log_MiB": written / (1 << 20),
            "entries": entries,
            "log_read_s": started["log_read"],
            "serves_after_s": started["serves"],
            "resident_MiB": started["resident"] / (1 << 20),
        }


def measure_memory(quick: bool) -> Iterator[Line]:
    """16-byte keys, 256-byte values: resident memory of a node, and the ordered map's overhead."""
    with tempfile.TemporaryDirectory(prefix="kvtop-bench-") as name:
        _make_data(Path(name), 1, 256, 0)
        empty = _start_alone(Path(name))["resident"]
    for keys in (10_000,) if quick else (10_000, 100_000, 1_000_000):
        with tempfile.TemporaryDirectory(prefix="kvtop-bench-") as name:
            _make_data(Path(name), keys, 256, 0)
            resident = _start_alone(Path(name))["resident"]
        yield {
            "keys": keys,
            "resident_MiB": resident / (1 << 20),
            "resident_bytes_per_key": (resident - empty) / keys,
            "of_them_key_and_value": 16 + 256,
            "map_overhead_per_key": _map_overhead(keys),
        }


def _map_overhead(keys: int) -> float:
    """Bytes of the ordered map beyond the objects of its keys and values."""
    pairs = [(b"key%013d" % number, b"v%0255d" % number) for number in range(keys)]
    tracemalloc.start()
    kept = SkipList.from_items(pairs)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return used / len(kept)


def _make_data(directory: Path, keys: int, size: int, total: int) -> tuple[int, int]:
    """A node's data: a snapshot with ``keys`` keys, then ``total`` bytes of log; its entries."""
    persister = Persister(directory)
    persister.recover()
    reports: list[Report] = []
    persister.start(reports.append)
    machine = StateMachine()
    for index in range(1, keys + 1):
        machine.apply_data(_put(index, keys, size))
    persister.write(LogWrite(1, hard_state_record(HardState(1, 0)), 0, HardState(1, 0), None))
    first, written, number = 1, 0, 1
    while written < total or first <= keys:
        count = _ENTRIES
        entries = [
            Entry(index, 1, EntryKind.NORMAL, _put(index, keys, size))
            for index in range(first, first + count)
        ]
        packed = pack_entries(entries)
        number += 1
        record = entries_record(first, count, packed)
        persister.write(LogWrite(number, record, first + count - 1, None, None))
        first += count
        written += len(packed) if first > keys + 1 else 0
        while persister.waiting > 4:
            time.sleep(0.01)
    meta = SnapshotMeta(keys, 1, bootstrap((0,)).config)
    persister.save_snapshot(meta, machine.snapshot_pieces())
    while not any(isinstance(report, SnapshotSaved) for report in reports):
        time.sleep(0.01)
    persister.stop()
    return first - 1 - keys, written


def _put(index: int, keys: int, size: int) -> bytes:
    value = index.to_bytes(8, "big") * (size // 8)
    command = Command(operation=PUT, key=b"key%013d" % (index % keys), value=value)
    return command.SerializeToString()


def _start_alone(directory: Path) -> dict[str, float]:
    """Start a node on this data until it serves: seconds, and its resident bytes then."""
    (port,) = free_ports(1)
    began = time.monotonic()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "kvtop.workload.node", "--id", "0"),
            *("--peers", f"0=127.0.0.1:{port}", "--dir", str(directory)),
            *("--parent", str(os.getpid()), "--snapshot-entries", str(1 << 40)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "serving":
                break
        else:
            raise RuntimeError(f"the node ended: {process.stderr.read()}")
        serves = time.monotonic() - began
        status = Path(f"/proc/{process.pid}/status").read_text()
    finally:
        process.kill()
    _, log = process.communicate()
    read = re.search(r"recovered .* in ([0-9.]+) s", log)
    resident = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert resident is not None
    return {
        "serves": serves,
        "log_read": float(read[1]) if read else 0.0,
        "resident": int(resident[1]) * 1024.0,
    }


MEASURES: dict[str, Callable[[bool], Iterator[Line]]] = {
    "values": measure_values,
    "keys": measure_keys,
    "nodes": measure_nodes,
    "recovery": measure_recovery,
    "memory": measure_memory,
}


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", choices=[*MEASURES, []], default=[])
    parser.add_argument("--quick", action="store_true", help="much less work")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    for name in arguments.what or MEASURES:
        show(name, MEASURES[name](arguments.quick), arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
