"""Which panes have a place at which size of the screen, as data. Panes are hidden whole."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """A grid: widths of columns and heights of rows as CSS scalars, and what stands in it.

    ``panes`` are (id, columns that it spans), row by row.
    """

    columns: str
    rows: str
    panes: tuple[tuple[str, int], ...]

    @property
    def ids(self) -> frozenset[str]:
        """Ids of the panes that are on screen."""
        return frozenset(pane for pane, _ in self.panes)


WIDE = 110
"""Cells from which two panes stand side by side."""


def plan_for(width: int, height: int, has_cluster: bool, nodes: int = 3) -> Plan:
    """The plan for a dashboard of ``width`` x ``height`` cells (header and footer not counted)."""
    if has_cluster:
        return _cluster_wide(height, nodes) if width >= WIDE else _cluster_narrow(height, nodes)
    return _attach_wide(height) if width >= WIDE else _attach_narrow(height)


def _cluster_wide(height: int, nodes: int) -> Plan:
    top = max(nodes + 3, 6)
    if height < 30:
        return Plan(
            "4fr 3fr",
            f"{top} 1fr",
            (("cluster", 1), ("stress", 1), ("hot-symbols", 1), ("counters", 1)),
        )
    top = max(top, 9 + (height - 30) // 5)
    bottom = 10 + (height - 30) // 5
    return Plan(
        "4fr 3fr",
        f"{top} 1fr {bottom}",
        (
            ("cluster", 1),
            ("stress", 1),
            ("hot-symbols", 1),
            ("counters", 1),
            ("timeline", 1),
            ("logs", 1),
        ),
    )


def _cluster_narrow(height: int, nodes: int) -> Plan:
    top = nodes + 3
    if height < 16:
        return Plan("1fr", f"{top} 1fr", (("cluster", 1), ("hot-symbols", 1)))
    if height < 34:
        return Plan("1fr", f"{top} 6 1fr", (("cluster", 1), ("stress", 1), ("hot-symbols", 1)))
    return Plan(
        "1fr",
        f"{top} 10 1fr 10",
        (("cluster", 1), ("stress", 1), ("hot-symbols", 1), ("counters", 1)),
    )


def _attach_wide(height: int) -> Plan:
    if height < 30:
        return Plan("4fr 3fr", "1fr", (("hot-symbols", 1), ("counters", 1)))
    bottom = 10 + (height - 30) // 5
    return Plan(
        "4fr 3fr",
        f"1fr {bottom}",
        (("hot-symbols", 1), ("counters", 1), ("timeline", 1), ("logs", 1)),
    )


def _attach_narrow(height: int) -> Plan:
    if height < 16:
        return Plan("1fr", "1fr", (("hot-symbols", 1),))
    if height < 34:
        return Plan("1fr", "1fr 9", (("hot-symbols", 1), ("counters", 1)))
    return Plan("1fr", "1fr 12 9", (("hot-symbols", 1), ("counters", 1), ("timeline", 1)))
