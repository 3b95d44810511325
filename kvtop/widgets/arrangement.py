"""Which panes have a place at which size of the screen, as data. Panes are hidden whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

REST = 0
"""Height of the pane that takes what its column has left."""
WIDE = 110
"""Cells from which panes stand in two columns."""
TALL = 42
"""Lines from which the flamegraph has a place beside everything else."""
_LEAST = 4
"""Lines below which a pane says nothing: border, titles and one row."""

Column = Sequence[tuple[str, int]]
"""Panes from top to bottom: id and height in lines, one of them ``REST``."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A grid: widths of columns and heights of rows as CSS scalars, and what stands in it.

    ``panes`` are (id, rows that it spans) in the order in which the grid fills itself.
    """

    columns: str
    rows: str
    panes: tuple[tuple[str, int], ...]

    @property
    def ids(self) -> frozenset[str]:
        """Ids of the panes that are on screen."""
        return frozenset(pane for pane, _ in self.panes)


def alone(pane: str) -> Plan:
    """One pane that has all the room."""
    return Plan("1fr", "1fr", ((pane, 1),))


def plan_for(width: int, height: int, has_cluster: bool, rows: int = 3) -> Plan:
    """The plan for a dashboard of ``width`` x ``height`` cells (header and footer not counted).

    ``rows`` is the number of nodes, or of processes without a cluster.
    """
    if has_cluster:
        columns = _cluster(width, height, rows + 3)
    else:
        columns = _attach(width, height, min(rows, max(1, height // 4)) + 3)
    return _grid(height, columns)


def _cluster(width: int, height: int, top: int) -> list[Column]:
    cluster = ("cluster", top)
    hot = ("hot-symbols", REST)
    if height < top + _LEAST:
        return [[hot]]
    if height < 16:
        return [[cluster, hot]]
    if width < WIDE:
        if height < 34:
            return [[cluster, ("stress", 6), hot]]
        return [[cluster, ("stress", 10), hot, ("counters", 10)]]
    if height < 30:
        return [[cluster, hot], [("stress", 9), ("counters", REST)]]
    if height < TALL:
        return [
            [cluster, hot, ("timeline", 11)],
            [("stress", 11), ("counters", REST), ("logs", 10)],
        ]
    more = (height - TALL) // 4
    return [
        [cluster, ("hot-symbols", 14 + more), ("flamegraph", REST)],
        [("stress", 12 + more), ("counters", 15 + more), ("timeline", 9 + more), ("logs", REST)],
    ]


def _attach(width: int, height: int, top: int) -> list[Column]:
    processes = ("processes", top)
    hot = ("hot-symbols", REST)
    if height < top + 2 * _LEAST:
        return [[hot]]
    if height < 18:
        return [[processes, hot]]
    if width < WIDE:
        if height - top < 16:
            return [[processes, hot]]
        if height < 34:
            return [[processes, hot, ("counters", 8)]]
        return [[processes, hot, ("counters", 12), ("timeline", 9)]]
    if height < 30:
        return [[processes, hot], [("counters", REST)]]
    if height < TALL:
        return [[processes, hot, ("timeline", 11)], [("counters", REST), ("logs", 11)]]
    more = (height - TALL) // 4
    return [
        [processes, ("hot-symbols", 14 + more), ("flamegraph", REST)],
        [("counters", 18 + more), ("timeline", 12 + more), ("logs", REST)],
    ]


def _grid(height: int, columns: Sequence[Column]) -> Plan:
    """Columns of panes as one grid whose rows end wherever any pane ends."""
    placed: list[tuple[int, int, str, int]] = []
    edges = {0, height}
    for number, column in enumerate(columns):
        fixed = sum(lines for _, lines in column)
        top = 0
        for pane, lines in column:
            bottom = top + (lines if lines != REST else height - fixed)
            placed.append((top, number, pane, bottom))
            edges |= {top, bottom}
            top = bottom
    order = sorted(edges)
    rows = [below - above for above, below in pairwise(order)]
    panes = tuple(
        (pane, order.index(bottom) - order.index(top)) for top, _, pane, bottom in sorted(placed)
    )
    widths = "1fr" if len(columns) == 1 else "4fr 3fr"
    return Plan(widths, " ".join(map(str, rows)), panes)
