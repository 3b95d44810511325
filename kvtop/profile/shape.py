"""Folds as a flamegraph shows them: without the frames that are hidden, recursion in one frame."""

from __future__ import annotations

from dataclasses import dataclass

from kvtop.profile.preorder import Groups
from kvtop.profile.stacks import StackTable
from kvtop.profile.tree import TreeOptions


@dataclass(frozen=True, slots=True)
class Shown:
    """What a flamegraph shows: its folds by group, and how stacks become paths.

    ``left_out`` says in words what its filters keep and hide.
    """

    groups: Groups
    options: TreeOptions
    left_out: tuple[str, ...] = ()


def shaped(shown: Shown, table: StackTable) -> tuple[Groups, StackTable]:
    """The folds with the frames that are shown; the time of a hidden one counts for its caller.

    The stacks of the result are in a table of their own, unless they are all as they were.
    """
    hidden, fold = shown.options.hidden, shown.options.fold_recursion
    if hidden is None and not fold:
        return shown.groups, table
    fresh = StackTable()
    stacks = {stack for counts in shown.groups.values() for stack in counts}
    ids: dict[int, int | None] = {}
    moved: dict[int, int] = {}
    # Glue that is folded does not part a recursion; the page can show it, so it stays.
    glue = table.glue if shown.options.fold_glue else frozenset[int]()
    for stack in stacks:
        path: list[int] = []
        last: int | None = None
        for key in table.frames(stack):
            if key not in ids:
                frame = table.frame(key)
                gone = hidden is not None and hidden.search(frame.symbol) is not None
                ids[key] = None if gone else fresh.intern(frame)
            known = ids[key]
            if known is None or (fold and known == last):
                continue
            path.append(known)
            if key not in glue:
                last = known
        moved[stack] = fresh.stack_id(path)
    groups: dict[str, dict[int, int]] = {}
    for name, counts in shown.groups.items():
        group = groups[name] = {}
        for stack, weight in counts.items():
            group[moved[stack]] = group.get(moved[stack], 0) + weight
    return groups, fresh
