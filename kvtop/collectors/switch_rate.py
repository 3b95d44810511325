"""How often threads leave the CPU, and which of these switches to record a stack of.

The kernel counts every thread's switches anyway (proc(5), voluntary_ctxt_switches in
/proc/PID/task/TID/status); reading them twice costs the targets nothing.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

STACKS_A_SECOND = 250
"""How many stacks to record in all; a DWARF one costs the target about 0.1 ms."""
_SELDOM = 50.0
"""Switches a second up to which a thread's are all recorded, if there is room for it."""
_SWITCHES = re.compile(r"^(?:non)?voluntary_ctxt_switches:\s*(\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Part:
    """Threads of which one in ``every`` switches is recorded with its stack."""

    tids: tuple[int, ...]
    every: int


def count_switches(pids: Iterable[int]) -> dict[int, int]:
    """Switches so far of every thread of these processes, by thread id."""
    counts: dict[int, int] = {}
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("[0-9]*"):
            try:
                status = (task / "status").read_text(errors="replace")
            except OSError:
                continue
            counts[int(task.name)] = sum(map(int, _SWITCHES.findall(status)))
    return counts


async def switch_rates(pids: Iterable[int], seconds: float = 0.3) -> dict[int, float]:
    """Switches a second of every thread that lived through the next ``seconds``, 0 of new ones."""
    pids = tuple(pids)
    began, before = time.monotonic(), count_switches(pids)
    await asyncio.sleep(seconds)
    after, took = count_switches(pids), time.monotonic() - began
    return {tid: max(0, n - before.get(tid, n)) / took for tid, n in after.items()}


def plan(rates: Mapping[int, float], budget: float = STACKS_A_SECOND) -> list[Part]:
    """The parts to record, so that about ``budget`` stacks a second come.

    Every switch of all threads where there is room for it. Where not, one in N of the busy
    threads, with N a prime: a loop that switches a fixed number of times in each round must not
    show the same of them again and again.
    """
    if not rates:
        return []
    if sum(rates.values()) <= budget:
        return [Part(tuple(sorted(rates)), 1)]
    seldom = {tid for tid, rate in rates.items() if rate <= _SELDOM}
    while seldom and sum(rates[tid] for tid in seldom) > budget / 2:
        # Too many of them: the less busy half keeps its privilege.
        seldom = set(sorted(seldom, key=rates.__getitem__)[: len(seldom) // 2])
    room = budget - sum(rates[tid] for tid in seldom)
    busy = rates.keys() - seldom
    every = _prime_from(sum(rates[tid] for tid in busy) / room)
    parts = [Part(tuple(sorted(busy)), every)]
    return [*parts, Part(tuple(sorted(seldom)), 1)] if seldom else parts


def _prime_from(least: float) -> int:
    number = max(3, int(least))
    while number < least or any(number % d == 0 for d in range(2, int(number**0.5) + 1)):
        number += 1
    return number
