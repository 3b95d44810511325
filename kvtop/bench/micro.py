"""What a micro benchmark is, and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from time import perf_counter

Timer = Callable[[int], float]
"""Seconds that so many rounds took."""


@dataclass(frozen=True, slots=True)
class Micro:
    """One operation in one process. A round of the timer carries out ``operations`` of them.

    ``prepare`` makes the data and returns the timer; only a process that measures calls it.
    """

    name: str
    text: str
    prepare: Callable[[], Timer]
    operations: int = 1


def repeat(action: Callable[[], object]) -> Timer:
    """A timer of an action that leaves its data as they were."""

    def timer(rounds: int) -> float:
        start = perf_counter()
        for _ in range(rounds):
            action()
        return perf_counter() - start

    return timer


@cache
def micros() -> dict[str, Micro]:
    """Every micro benchmark by name, in the order in which they run."""
    from kvtop.bench.profile_micro import PROFILE
    from kvtop.bench.store_micro import STORE

    every: Sequence[Micro] = (*STORE, *PROFILE)
    return {micro.name: micro for micro in every}
