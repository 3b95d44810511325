"""Functions of two sides of a comparison, those that changed most first."""

from __future__ import annotations

from typing import ClassVar

from kvtop.profile.diff import BAND, Change, Normalise, SymbolChange
from kvtop.store import Store
from kvtop.widgets.diff_graph import delta_text, rate_text, z_text
from kvtop.widgets.frame_table import KINDS, FrameTable
from kvtop.widgets.table import Cell, Column, Row


class DiffTable(FrameTable[SymbolChange]):
    """Self and total of each function before and after, and whether the change may be noise."""

    NAME = "Changed functions"
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("mark", "", 1, 0, right=False),
        Column("self", "Δ self", 9, 0),
        Column("before", "before", 8, 2),
        Column("after", "after", 8, 1),
        Column("total", "Δ total", 9, 3),
        Column("z", "z", 6, 4),
        Column("kind", "", 3, 5, right=False, descending=False),
        Column("symbol", "symbol", 22, 0, right=False, grow=3, middle=True, descending=False),
        Column("object", "object", 12, 6, right=False, grow=1, middle=True, descending=False),
    )

    def __init__(self, store: Store, *, id: str | None = None) -> None:
        super().__init__(store, id=id)
        self.sort_key = "self"
        self.normalise: Normalise = "share"
        self._rows: list[SymbolChange] = []
        self._revision = 0

    def set_rows(self, rows: list[SymbolChange], normalise: Normalise) -> None:
        """Show these."""
        self._rows, self.normalise = rows, normalise
        self._revision += 1
        self.refresh_data()

    def data_revision(self) -> object:
        return self._revision

    def update_data(self) -> None:
        self.update_items(self._rows)

    def describe(self) -> None:
        many = sum(row.own.significant(BAND) for row in self.items)
        unit = "percentage points" if self.normalise == "share" else "samples per second"
        self.set_state(f"{many} of {len(self.items)} outside the noise", unit)

    def sort_value(self, item: SymbolChange, key: str) -> float | str | None:
        match key:
            case "self" | "mark":
                return _size(item.own)
            case "total":
                return _size(item.total)
            case "before":
                return item.own.before_rate
            case "after":
                return item.own.after_rate
            case "z":
                return abs(item.own.z)
            case _:
                return super().sort_value(item, key)

    def row(self, item: SymbolChange) -> Row:
        own, total = item.own, item.total
        kind, _ = KINDS.get(item.frame.kind, ("", ""))
        style = _style(own)
        mark = "" if not own.significant(BAND) else "▲" if own.delta > 0 else "▼"
        return {
            "mark": Cell(mark, style),
            "self": Cell(delta_text(own, self.normalise), style),
            "before": Cell(rate_text(own.before_rate, self.normalise), "dim"),
            "after": Cell(rate_text(own.after_rate, self.normalise)),
            "total": Cell(delta_text(total, self.normalise), _style(total)),
            "z": Cell(z_text(own.z), "dim"),
            **self.frame_cells(item.frame),
            "kind": Cell(kind, "dim"),
        }

    def empty_text(self, width: int) -> list[str]:
        return ["nothing matches the filter" if self.pattern else "no samples on either side"]


def _size(change: Change) -> float:
    """Significant changes before those that may be noise, each by size."""
    return abs(change.delta) + (1e9 if change.significant(BAND) else 0)


def _style(change: Change) -> str:
    if not change.significant(BAND):
        return "dim"
    return "bad" if change.delta > 0 else "first"
