"""One micro benchmark as a pyperf script: ``python -m kvtop.bench.worker --benchmark NAME``.

pyperf runs it once more for every worker process, which calibrate, warm up and measure.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import cache

import pyperf  # type: ignore[import-untyped]

from kvtop import __version__
from kvtop.bench.micro import micros
from kvtop.workload.process import die_with_parent


def main() -> int:
    """Entry point."""
    runner = pyperf.Runner(
        program_args=("-m", "kvtop.bench.worker"),
        add_cmdline_args=_pass_on,
        metadata={"kvtop_version": __version__},
    )
    runner.argparser.add_argument("--benchmark", required=True, choices=micros(), metavar="NAME")
    runner.argparser.add_argument("--parent", type=int, default=0)
    arguments = runner.parse_args()
    die_with_parent(arguments.parent)
    micro = micros()[arguments.benchmark]
    # The data are made once, and only in a process that measures.
    timer = cache(micro.prepare)
    runner.bench_time_func(
        micro.name,
        lambda rounds: timer()(rounds),
        inner_loops=micro.operations,
        metadata={"description": micro.text},
    )
    return 0


def _pass_on(command: list[str], arguments: argparse.Namespace) -> None:
    command += ["--benchmark", arguments.benchmark, "--parent", str(os.getpid())]


if __name__ == "__main__":
    sys.exit(main())
