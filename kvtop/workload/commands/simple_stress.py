"""``kvtop simple-stress``: a load that needs no cluster: numbers, memory and strings.

One operation is 1,000 products of random numbers, a list of 1,000 random integers, two strings
joined and searched, and a sleep of 10 us. Each worker is a process, so that they run at once.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import time
from multiprocessing.synchronize import Barrier
from typing import TYPE_CHECKING

from kvtop.workload.commands.targets import integer

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.description = "Use the CPU and memory with random numbers, lists and strings."
    add = parser.add_argument
    add("--threads", type=integer(1, 1024), default=4, metavar="N", help="workers at once (4)")
    add(
        "--operations",
        type=integer(1, 1_000_000_000),
        default=1000,
        metavar="N",
        help="of each worker (1000)",
    )
    add("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run all workers; the figures count only when all have finished."""
    workers = arguments.threads
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(workers + 1)
    finished: SimpleQueue[tuple[int, float]] = context.SimpleQueue()
    processes = [
        context.Process(target=_work, args=(arguments.operations, barrier, finished), daemon=True)
        for _ in range(workers)
    ]
    for process in processes:
        process.start()
    barrier.wait()
    began = time.monotonic()
    results = [finished.get() for _ in processes]
    elapsed = time.monotonic() - began
    for process in processes:
        process.join()
    operations = sum(done for done, _ in results)
    result = {
        "threads": workers,
        "operations": operations,
        "seconds": elapsed,
        "operations_per_second": operations / elapsed,
        "slowest_worker_seconds": max(seconds for _, seconds in results),
    }
    if arguments.json:
        print(json.dumps(result))
    else:
        rate = result["operations_per_second"]
        print(f"{operations} operations of {workers} workers in {elapsed:.2f} s: {rate:,.0f}/s")
    return 0


def _work(operations: int, barrier: Barrier, finished: SimpleQueue[tuple[int, float]]) -> None:
    barrier.wait()
    began = time.monotonic()
    for number in range(operations):
        random_operation(number)
    finished.put((operations, time.monotonic() - began))


def random_operation(number: int) -> int:
    """One operation; its result depends on all that was computed."""
    total = multiply_random_numbers() + len(fill_random_list())
    total += join_and_search(f"key_{number}", f"value_{random.random()}")
    time.sleep(10e-6)
    return total


def multiply_random_numbers(count: int = 1000) -> int:
    """``count`` products."""
    draw = random.random
    return int(sum(draw() * draw() for _ in range(count)))


def fill_random_list(count: int = 1000) -> list[int]:
    """``count`` integers, sorted."""
    draw = random.random
    return sorted(int(draw() * 1_000_000) for _ in range(count))


def join_and_search(left: str, right: str) -> int:
    """Where ``right`` is found in both together."""
    return f"{left}:{right}".find(right)
