"""Boxes of a flamegraph: which node is drawn in which row, from which cell to which."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from kvtop.profile.tree import ROOT, CallTree

EIGHTH = 0.125


class Box(NamedTuple):
    """A node as drawn: ``row`` 0 is the root's, ``x0`` and ``x1`` are cells from the left."""

    node: int
    row: int
    x0: float
    x1: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Rows of boxes, each from left to right; row 0 is the root."""

    rows: tuple[tuple[Box, ...], ...]
    zoom: int
    pruned: int
    """Children of drawn boxes that are not drawn, too narrow or without weight by now."""

    def at(self, row: int, x: float) -> Box | None:
        """The box at a cell, or None."""
        if not 0 <= row < len(self.rows):
            return None
        return next((b for b in self.rows[row] if b.x0 <= x < b.x1), None)


def layout(
    tree: CallTree,
    width: float,
    zoom: int = ROOT,
    max_depth: int | None = None,
    min_width: float = EIGHTH,
) -> Layout:
    """Lay the tree out over ``width`` cells with ``zoom`` and its ancestors at full width.

    ``max_depth`` is the last row to make. Siblings stand in name order, so a box keeps its place
    between refreshes; what is narrower than ``min_width`` leaves a gap where it would stand.
    Costs O(children of the nodes that are drawn).
    """
    rows: list[list[Box]] = []
    ancestors = tree.path(zoom)
    last = inf if max_depth is None else max_depth
    for row, node in enumerate(ancestors):
        if row <= last:
            rows.append([Box(node, row, 0.0, float(width))])
    total = tree.total
    pruned = 0
    if total[zoom] > 0:
        scale = width / total[zoom]
        least = max(min_width / scale, 1)
        tree.open(zoom, least)
        level = [(zoom, 0.0)]
        row = len(ancestors)
        while level and row <= last:
            boxes: list[Box] = []
            for node, x in level:
                at = 0
                for child in tree.children(node):
                    weight = total[child]
                    if weight >= least:
                        left = x + at * scale
                        boxes.append(Box(child, row, left, left + weight * scale))
                    else:
                        pruned += 1
                    at += weight
            if boxes:
                rows.append(boxes)
            level = [(box.node, box.x0) for box in boxes]
            row += 1
    return Layout(tuple(map(tuple, rows)), zoom, pruned)
