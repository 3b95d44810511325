"""A row per role and target: its CPU, and beside it its waiting, as bars of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.style import Style
from textual.strip import Strip

from kvtop.profile.layers import Split
from kvtop.profile.text import safe_text
from kvtop.store import Store
from kvtop.widgets.cursor_table import CursorTable
from kvtop.widgets.figures import NONE, digits3
from kvtop.widgets.given_pane import GivenPane
from kvtop.widgets.layer_colours import CLASSES, cells, css, style_of
from kvtop.widgets.layer_data import Gathered, GroupLayers
from kvtop.widgets.line import Piece, clip, fit, strip_of
from kvtop.widgets.table import Cell, Column, Row

NOT_RECORDED = "no waits recorded: o records them"
_CPU_BAR, _WAIT_BAR = "bar", "waits"
_GAP = "  "


class LayerBars(CursorTable[GroupLayers], GivenPane):
    """The cursor chooses whose layers the other panes are about."""

    NAME = "Layers"
    SORTABLE = False
    FILTERABLE = False
    COMPONENT_CLASSES: ClassVar[set[str]] = set(CLASSES)
    DEFAULT_CSS = css("LayerBars")
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("name", "", 10, 0, right=False, middle=True),
        Column("cpu", "CPU", 5, 1),
        Column(_CPU_BAR, "on CPU", 12, 0, right=False, grow=1),
        Column("wait", "waits", 5, 3),
        Column(_WAIT_BAR, "waiting", 12, 2, right=False, grow=1),
    )

    def __init__(self, store: Store, names: Sequence[str], *, id: str | None = None) -> None:
        super().__init__(store, id=id)
        self.gathered = Gathered()
        self._names = names
        self._bars: dict[str, Split] = {}

    def show(self, gathered: Gathered, *caption: str) -> None:
        """Show these groups; ``caption`` goes into the border."""
        self.gathered = gathered
        self._given(caption)

    def describe(self) -> None:
        waits = "" if self.gathered.wait_seconds else NOT_RECORDED
        self.set_state(*self._caption, waits)

    def update_data(self) -> None:
        self.update_items(self.gathered.groups)

    def columns(self) -> Sequence[Column]:
        """Without those of waiting where no waits were recorded."""
        return self.COLUMNS if self.gathered.wait_seconds else self.COLUMNS[:3]

    def identity(self, item: GroupLayers) -> str:
        return item.group.name

    def filter_text(self, item: GroupLayers) -> str:
        return item.group.name

    def sort_value(self, item: GroupLayers, key: str) -> float | str | None:
        return None

    def row(self, item: GroupLayers) -> Row:
        seconds = self.gathered.wait_seconds
        waited = item.waits.total / 1e9 / seconds if seconds else None
        self._bars = {_CPU_BAR: item.cpu, _WAIT_BAR: item.waits}
        return {
            "name": Cell(safe_text(item.group.name), "bold"),
            "cpu": Cell(NONE if item.cores is None else digits3(item.cores)),
            "wait": Cell(NONE if waited is None else digits3(waited)),
        }

    def empty_text(self, width: int) -> list[str]:
        return ["no samples yet"]

    def _row_strip(self, row: Row, cursor: bool, width: int) -> Strip:
        base = self.plain
        if cursor:
            base += self.paint("cursor")
        plain = cursor and self.has_focus
        pieces: list[Piece] = []
        for column, room in self._layout:
            if column.key in self._bars:
                pieces += self._bar(self._bars[column.key], room)
            else:
                cell = row[column.key]
                text = fit(cell.text, room, column.right)
                style = self.paint(cell.style) if cell.style and not plain else Style.null()
                pieces.append((text, style))
            pieces.append((_GAP, Style.null()))
        return strip_of(pieces[:-1], width, base)

    def _bar(self, split: Split, room: int) -> list[Piece]:
        """Segments with as much of the layer's name as fits: legible without colour."""
        if not split.total:
            return [(fit("none", room), self.paint("dim"))]
        weights = [split.layers.get(name, 0) for name in self._names]
        pieces = []
        for name, width in zip(self._names, cells(weights, room), strict=True):
            if width:
                room = width - 1
                text = clip(name, room) if room > 3 else name[:room]
                pieces.append((fit(text, width), self.paint(style_of(name, self._names))))
        return pieces
