"""Weight per function: the figures of ``perf report`` (self) and ``perf report --children``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kvtop.profile.frames import Frame
from kvtop.profile.stacks import StackTable


@dataclass(frozen=True, slots=True)
class Hotspot:
    """One function: ``self_weight`` is where it was the leaf, ``total`` where it was on the stack.

    Both are in the unit of the fold. A function that is on one stack twice counts once.
    """

    frame_id: int
    frame: Frame
    self_weight: int
    total: int


def hotspots(
    table: StackTable, counts: Mapping[int, int], fold_glue: bool = False
) -> list[Hotspot]:
    """Functions of a fold, the one with the greatest own weight first.

    With ``fold_glue`` the interpreter's calling machinery counts for its caller.
    """
    own: dict[int, int] = {}
    total: dict[int, int] = {}
    for stack, weight in counts.items():
        frames: Sequence[int] = table.frames(stack)
        if fold_glue:
            frames = [f for f in frames if f not in table.glue] or frames
        if not frames:
            continue
        own[frames[-1]] = own.get(frames[-1], 0) + weight
        for frame in set(frames):
            total[frame] = total.get(frame, 0) + weight
    return sorted(
        (Hotspot(f, table.frame(f), own.get(f, 0), weight) for f, weight in total.items()),
        key=lambda h: (-h.self_weight, -h.total, h.frame.symbol, h.frame.object),
    )
