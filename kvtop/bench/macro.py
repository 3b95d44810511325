"""Macro benchmarks: the three-node cluster as its clients see it, a fresh one for every run.

A value is the seconds of a run divided by its operations, so that 1 / value is the throughput.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyperf  # type: ignore[import-untyped]

from kvtop import __version__
from kvtop.workload.commands import stress
from kvtop.workload.peers import Address
from kvtop.workload.supervisor_protocol import Start
from kvtop.workload.temporary_cluster import TemporaryCluster

KEYS = 1000
VALUE_SIZE = 256
_ENOUGH = 0.25
"""Seconds that a run must take for its rate to be believed."""
_FILLING = 64
"""Clients that write before reads are measured."""


class MacroError(Exception):
    """A run that gave no figure: one sentence."""


@dataclass(frozen=True, slots=True)
class Macro:
    """So many clients that all read (linearizably), or all write, one operation after another."""

    operation: str
    clients: int

    @property
    def name(self) -> str:
        """As for micro benchmarks: group, then what is measured."""
        return f"cluster.{self.operation}.{self.clients}"

    @property
    def text(self) -> str:
        """One line for ``--list``."""
        plural = "" if self.clients == 1 else "s"
        return f"a {self.operation} of {self.clients} client{plural}, three nodes, fresh cluster"

    @property
    def mix(self) -> tuple[int, int]:
        """Shares of reads and writes."""
        return (1, 0) if self.operation == "read" else (0, 1)


MACROS = {
    macro.name: macro
    for macro in (Macro("write", 1), Macro("write", 8), Macro("write", 64), Macro("read", 64))
}
Figures = Mapping[str, Any]
"""What `stress.run_load` returns."""


def calibrated(rate_of: Callable[[int], float], start: int, seconds: float) -> int:
    """How many operations take about ``seconds``: runs that are too short to tell are repeated."""
    operations = start
    while True:
        rate = rate_of(operations)
        if operations >= rate * _ENOUGH:
            return max(start, math.ceil(rate * seconds))
        operations = math.ceil(rate * _ENOUGH * 2)


def run_macro(
    macro: Macro, runs: int, seconds: float, told: Callable[[], None] = lambda: None
) -> pyperf.Benchmark:
    """So many runs of about ``seconds`` each. Raises MacroError, ClusterError, StressFailed.

    The first cluster tells how many operations a run takes, and is not counted otherwise;
    each run warms up with a quarter of them. ``told`` is called after every run.
    """
    with fresh_cluster(macro) as cluster:
        operations = calibrated(
            lambda count: float(load(macro, cluster.addresses, count)["operations_per_second"]),
            macro.clients * 20,
            seconds,
        )
    made = []
    for _ in range(runs):
        with fresh_cluster(macro) as cluster:
            warm_up = load(macro, cluster.addresses, max(macro.clients, operations // 4))
            made.append(_as_run(macro, warm_up, load(macro, cluster.addresses, operations)))
        told()
    return pyperf.Benchmark(made)


@contextmanager
def fresh_cluster(macro: Macro, python_frames: str = "off") -> Iterator[TemporaryCluster]:
    """Three nodes that serve, with the keys that will be read. Raises as `run_macro`."""
    with TemporaryCluster(Start(no_stress=True, python_frames=python_frames)) as cluster:
        if macro.operation == "read":
            load(Macro("write", _FILLING), cluster.addresses, 10 * KEYS)
        yield cluster


def load(macro: Macro, addresses: dict[int, Address], operations: int) -> Figures:
    """So many operations of all clients together. Raises MacroError, StressFailed."""
    reads, writes = macro.mix
    parser = argparse.ArgumentParser()
    stress.add_arguments(parser)
    arguments = parser.parse_args(
        [
            *("--mix", f"{reads}:{writes}", "--threads", str(macro.clients)),
            *("--operations", str(math.ceil(operations / macro.clients))),
            *("--keys", str(KEYS), "--value-size", str(VALUE_SIZE)),
        ]
    )
    figures = stress.run_load(arguments, addresses)
    if figures["errors"]:
        raise MacroError(f"{figures['errors']:,} operations of {macro.name} failed")
    return figures


def _as_run(macro: Macro, warm_up: Figures, figures: Figures) -> pyperf.Run:
    metadata = {
        "name": macro.name,
        "unit": "second",
        "description": macro.text,
        "kvtop_version": __version__,
        "inner_loops": figures["operations"],
        "clients": macro.clients,
        "nodes": Start().nodes,
        "value_bytes": VALUE_SIZE,
        "keys": KEYS,
    }
    for name in ("p50", "p99"):
        if (latency := figures["latency_seconds"][name]) is not None:
            metadata[f"latency_{name}"] = latency
    return pyperf.Run(
        [figures["seconds"] / figures["operations"]],
        warmups=[(1, warm_up["seconds"] / warm_up["operations"])],
        metadata=metadata,
    )
