"""Folds of several files over one table of stacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kvtop.profile.stacks import StackTable


def moved_ids(source: StackTable, table: StackTable, stacks: Iterable[int]) -> dict[int, int]:
    """Id in ``source`` -> id of the same stack in ``table``."""
    chosen = set(stacks)
    frames = {f: table.intern(source.frame(f)) for s in chosen for f in source.frames(s)}
    return {s: table.stack_id([frames[f] for f in source.frames(s)]) for s in chosen}


def moved(counts: Mapping[int, int], ids: Mapping[int, int]) -> dict[int, int]:
    """A fold with other ids."""
    found: dict[int, int] = {}
    for stack, weight in counts.items():
        found[ids[stack]] = found.get(ids[stack], 0) + weight
    return found
