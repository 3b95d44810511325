"""Throughput as values, keys and the number of nodes grow; recovery time; memory per key.

``python -m benchmarks.store_scaling [values] [keys] [nodes] [recovery] [memory] [--json]``
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kvtop.workload.commands import stress
from kvtop.workload.entries import pack_entries
from kvtop.workload.persister import Persister, Report
from kvtop.workload.raft.types import Entry, EntryKind
from kvtop.workload.rpc.kv_pb2 import PUT, Command
from kvtop.workload.skiplist import SkipList
from kvtop.workload.statemachine import StateMachine
from kvtop.workload.supervisor_protocol import Start
from kvtop.workload.temporary_cluster import TemporaryCluster
from kvtop.workload.wal_records import entries_record

Line = dict[str, Any]


def _load(words: str, nodes: int = 3) -> Line:
    parser = argparse.ArgumentParser()
    stress.add_arguments(parser)
    arguments = parser.parse_args(["--mix", "0:100", "--threads", "64", *words.split()])
    with TemporaryCluster(Start(nodes=nodes, no_stress=True)) as cluster:
        result = stress.run_load(arguments, cluster.addresses)
    latency = result["latency_seconds"]
    return {
        "writes_per_second": result["operations_per_second"],
        "p50_seconds": latency["p50"],
        "p99_seconds": latency["p99"],
        "errors": result["errors"],
    }


def measure_values() -> Iterator[Line]:
    """16 B to 64 KiB."""
    for size in (16, 256, 4096, 65536):
        operations = 300 if size < 4096 else 60
        yield {"value_bytes": size} | _load(f"--value-size {size} --operations {operations}")


def measure_keys() -> Iterator[Line]:
    """1 k to 1 M different keys asked for."""
    for keys in (1_000, 10_000, 100_000, 1_000_000):
        yield {"keys": keys} | _load(f"--keys {keys} --operations 300")


def measure_nodes() -> Iterator[Line]:
    """1 to 7 nodes."""
    for nodes in (1, 3, 5, 7):
        yield {"nodes": nodes} | _load("--operations 200", nodes)


def measure_recovery(total: int = 1 << 30) -> Iterator[Line]:
    """A log of 1 GiB without a snapshot, read and applied."""
    with tempfile.TemporaryDirectory(prefix="kvtop-bench-") as name:
        persister = Persister(Path(name))
        persister.recover()
        reports: list[Report] = []
        persister.start(reports.append)
        first, written = 1, 0
        while written < total:
            entries = tuple(_put_entry(index) for index in range(first, first + 5000))
            packed = pack_entries(entries)
            persister.write(
                first, entries_record(first, 5000, packed), entries[-1].index, None, None
            )
            first += 5000
            written += len(packed)
            while persister.waiting > 4:
                time.sleep(0.01)
        persister.stop()
        began = time.monotonic()
        recovered = Persister(Path(name)).recover()
        read = time.monotonic() - began
        machine = StateMachine()
        for entry in recovered.entries:
            machine.apply_data(entry.data)
        yield {
            "log_bytes": written,
            "entries": len(recovered.entries),
            "read_seconds": read,
            "read_and_apply_seconds": time.monotonic() - began,
        }


def _put_entry(index: int) -> Entry:
    command = Command(operation=PUT, key=b"key%010d" % (index % 100_000), value=bytes(256))
    return Entry(index, 1, EntryKind.NORMAL, command.SerializeToString())


def measure_memory(keys: int = 100_000) -> Iterator[Line]:
    """Bytes of the ordered map beyond the bytes of its keys and values themselves."""
    pairs = [(b"key%010d" % number, b"v%0255d" % number) for number in range(keys)]
    tracemalloc.start()
    kept = SkipList.from_items(pairs)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    yield {"keys": len(kept), "overhead_bytes_per_key": used / keys}


MEASURES: dict[str, Callable[[], Iterator[Line]]] = {
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
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    for name in arguments.what or MEASURES:
        for line in MEASURES[name]():
            if arguments.json:
                print(json.dumps({"measure": name} | line), flush=True)
            else:
                shown = (
                    f"{k} {v:,.4g}" if isinstance(v, float) else f"{k} {v:,}"
                    for k, v in line.items()
                )
                print(f"{name}: {', '.join(shown)}", flush=True)
    return 0


def _shown(item: tuple[str, Any]) -> str:
    key, value = item
    return f"{key} {value:,.4g}" if isinstance(value, float) else f"{key} {value:,}"


if __name__ == "__main__":
    sys.exit(main())
