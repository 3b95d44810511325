"""Which boxes of a profile are wide enough to be drawn, and where."""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

from kvtop.profile.frames import Kind
from kvtop.profile.preorder import Preorder


class Box(NamedTuple):
    """``frame`` indexes the profile's frames; ``at`` is the weight on its left."""

    frame: int
    depth: int
    at: int
    weight: int


def boxes_of(profile: Preorder, least: float) -> list[Box]:
    """Every node that weighs at least ``least``, parents before children."""
    total, own, depth, frame = profile.total, profile.self_weight, profile.depth, profile.frame
    # A box begins where those before it end, but what its ancestors have of their own stands on
    # their right.
    before = list(accumulate(own, initial=0))
    above = [0] * (max(depth) + 2)
    """Own weight of the ancestors of the next box at each depth."""
    found = []
    for node in [node for node, weight in enumerate(total) if weight >= least]:
        level = depth[node]
        found.append(Box(frame[node], level, before[node] - above[level], total[node]))
        above[level + 1] = above[level] + own[node]
    return found


def boxes_without_glue(profile: Preorder, least: float) -> list[Box]:
    """As `boxes_of` the profile that is left when glue gives its time to its callers.

    Laid out from the wide boxes up: what is narrow is never looked at, which takes a fraction of
    the time of sorting all stacks a second time.
    """
    total, frame = profile.total, profile.frame
    ends = _ends(profile.depth)
    glue = [f.kind is Kind.GLUE for f in profile.frames]
    found = []
    pending = [(Box(frame[0], 0, 0, total[0]), [0])] if total[0] >= least else []
    while pending:
        box, nodes = pending.pop()
        found.append(box)
        children: dict[int, list[int]] = {}
        # Grows while it is walked along: the children of glue are children of its caller.
        for node in nodes:
            child, end = node + 1, ends[node]
            while child < end:
                index = frame[child]
                if glue[index]:
                    nodes.append(child)
                else:
                    children.setdefault(index, []).append(child)
                child = ends[child]
        at = box.at
        for index in sorted(children):
            members = children[index]
            weight = sum([total[node] for node in members])
            if weight >= least:
                pending.append((Box(index, box.depth + 1, at, weight), members))
            at += weight
    return found


def _ends(depth: list[int]) -> list[int]:
    """For every node the one after the last that is under it."""
    size = len(depth)
    depths = [*depth, -1]
    ends = [size] * size
    # The nodes, seen from the end, that may close one: each is less deep than the one before.
    closing = [size]
    for node in range(size - 1, -1, -1):
        level = depths[node]
        while depths[closing[-1]] > level:
            closing.pop()
        ends[node] = closing[-1]
        closing.append(node)
    return ends
