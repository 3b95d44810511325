"""Who calls a function and what it calls: the two halves of the sandwich view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kvtop.profile.stacks import StackTable
from kvtop.profile.tree import CallTree, TreeOptions

Counts = Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Sandwich:
    """The function's weight and two trees that have it as their first level.

    ``callees`` goes on towards the leaves, ``callers`` towards the root. Both hold ``total``:
    where the function is on a stack several times, its outermost call counts and no other, as
    in the totals of `hotspots`. ``self_weight`` is what it had as the leaf; where the interpreter's
    calling machinery is folded, what that did for it counts as well.
    """

    frame_id: int
    self_weight: int
    total: int
    callees: CallTree
    callers: CallTree
    weight: int
    """Of all stacks, whether the function is on them or not."""


def sandwich(
    table: StackTable, counts: Counts, frame_id: int, options: TreeOptions | None = None
) -> Sandwich:
    """Split the stacks of a fold at a function; ``options.inverted`` is of no account.

    Weights are in the unit of the fold. The cut stacks are interned in ``table`` and held by no
    one, so make the trees of a later fold from a new call.
    """
    chosen = options or TreeOptions()
    above: dict[int, int] = {}
    below: dict[int, int] = {}
    glue = chosen.fold_glue and frame_id not in table.glue
    own = total = whole = 0
    for stack, weight in counts.items():
        frames = table.frames(stack)
        whole += weight
        if frame_id not in frames:
            continue
        at = frames.index(frame_id)
        caller, callee = table.stack_id(frames[: at + 1]), table.stack_id(frames[at:])
        above[caller] = above.get(caller, 0) + weight
        below[callee] = below.get(callee, 0) + weight
        total += weight
        leaf = frames[-1]
        if glue and leaf in table.glue:
            leaf = next(frame for frame in reversed(frames) if frame not in table.glue)
        own += weight if leaf == frame_id else 0
    callees = CallTree(table, TreeOptions(False, glue, chosen.fold_recursion))
    callers = CallTree(table, TreeOptions(True, glue, chosen.fold_recursion))
    callees.update(below)
    callers.update(above)
    for tree in (callees, callers):
        # Now, while the table still knows the cut stacks.
        tree.open()
    return Sandwich(frame_id, own, total, callees, callers, whole)
