"""The layers of one group: share of CPU, time a second, time per operation, waiting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from kvtop.profile.layers import OTHER
from kvtop.profile.text import safe_text
from kvtop.store import Store
from kvtop.widgets.base import Help
from kvtop.widgets.cursor_table import CursorTable
from kvtop.widgets.figures import NONE, count, percent
from kvtop.widgets.given_pane import GivenPane
from kvtop.widgets.layer_colours import CLASSES, css, style_of
from kvtop.widgets.layer_data import Gathered, GroupLayers
from kvtop.widgets.table import Cell, Column, Row


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A layer; ``cpu`` and ``waits`` are shares (0..1), the rest is None where not known.

    ``rate`` and ``waited`` are seconds a second, ``each`` is seconds of CPU per operation.
    """

    layer: str
    samples: int
    cpu: float
    rate: float | None
    each: float | None
    waits: float | None
    waited: float | None


def layer_rows(one: GroupLayers, gathered: Gathered, names: Sequence[str]) -> list[LayerRow]:
    """The layers with any weight, and ``other`` always."""
    found = []
    for name in names:
        cpu, waited = one.cpu.layers.get(name, 0), one.waits.layers.get(name, 0)
        if not cpu and not waited and name != OTHER:
            continue
        share = one.cpu.share(name)
        rate = None if one.cores is None else one.cores * share
        recorded = gathered.wait_seconds
        found.append(
            LayerRow(
                name,
                cpu,
                share,
                rate,
                None if rate is None or not gathered.operations else rate / gathered.operations,
                one.waits.share(name) if recorded else None,
                waited / 1e9 / recorded if recorded else None,
            )
        )
    return found


class LayerTable(CursorTable[LayerRow], GivenPane):
    """The cursor chooses the layer whose frames are shown; enter opens its flamegraph."""

    NAME = "CPU by layer"
    FILTERABLE = False
    COMPONENT_CLASSES: ClassVar[set[str]] = set(CLASSES)
    DEFAULT_CSS = css("LayerTable")
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("colour", "", 2, 2, right=False),
        Column("layer", "layer", 13, 0, right=False, grow=1, descending=False),
        Column("cpu", "CPU%", 6, 0),
        Column("rate", "ms/s", 5, 3),
        Column("each", "µs/op", 6, 1),
        Column("waits", "wait%", 6, 2),
        Column("waited", "ms/s", 5, 4),
        Column("samples", "samples", 7, 5),
    )
    KEYS_HELP: ClassVar[list[Help]] = [("enter", "flamegraph of only this layer")]

    def __init__(self, store: Store, names: Sequence[str], *, id: str | None = None) -> None:
        super().__init__(store, id=id)
        self._names = names
        self.sort_key = "cpu"
        self._rows: list[LayerRow] = []

    def show(self, rows: list[LayerRow], *caption: str) -> None:
        """Show these layers."""
        self._rows = rows
        self._given(caption)

    def update_data(self) -> None:
        self.update_items(self._rows)

    def columns(self) -> Sequence[Column]:
        """Without those for which there are no figures at all."""
        missing = set()
        if self.sort_key in ("waits", "waited"):
            # Where it is about waiting, that is what there has to be room for.
            missing |= {"each", "rate", "samples"}
        if all(row.each is None for row in self._rows):
            missing.add("each")
        if all(row.waits is None for row in self._rows):
            missing |= {"waits", "waited"}
        return [column for column in self.COLUMNS if column.key not in missing]

    def identity(self, item: LayerRow) -> str:
        return item.layer

    def filter_text(self, item: LayerRow) -> str:
        return item.layer

    def sort_value(self, item: LayerRow, key: str) -> float | str | None:
        match key:
            case "layer" | "colour":
                return item.layer
            case "rate":
                return item.rate
            case "each":
                return item.each
            case "waits" | "waited":
                return item.waits
            case _:
                return item.samples

    def row(self, item: LayerRow) -> Row:
        def thousand(value: float | None) -> str:
            return NONE if value is None else count(1e3 * value)

        return {
            "colour": Cell("  ", style_of(item.layer, self._names)),
            "layer": Cell(safe_text(item.layer)),
            "cpu": Cell(percent(100 * item.cpu), "bold"),
            "rate": Cell(thousand(item.rate)),
            "each": Cell(thousand(None if item.each is None else 1e3 * item.each)),
            "waits": Cell(percent(None if item.waits is None else 100 * item.waits)),
            "waited": Cell(thousand(item.waited)),
            "samples": Cell(count(item.samples), "dim"),
        }
