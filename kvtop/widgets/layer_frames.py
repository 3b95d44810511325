"""The functions of one layer: those that ran on the CPU, or those that decided of a wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kvtop.profile.frames import Frame, Kind
from kvtop.profile.hotspots import hotspots
from kvtop.profile.layers import Layers
from kvtop.store import Store
from kvtop.widgets.base import Help
from kvtop.widgets.figures import count, duration, percent
from kvtop.widgets.frame_table import FrameTable
from kvtop.widgets.given_pane import GivenPane
from kvtop.widgets.table import Cell, Column, Row

NO_FRAME = Frame("(empty stack)", "", Kind.UNKNOWN)


@dataclass(frozen=True, slots=True)
class LayerFrame:
    """A function; ``weight`` in samples or nanoseconds, ``share`` (0..1) of the layer."""

    frame: Frame
    weight: int
    share: float


def running_frames(layers: Layers, counts: dict[int, int]) -> list[LayerFrame]:
    """Functions that ran, the interpreter's machinery counted for its caller."""
    whole = sum(counts.values()) or 1
    spots = hotspots(layers.table, counts, fold_glue=True)
    return [
        LayerFrame(s.frame, s.self_weight, s.self_weight / whole) for s in spots if s.self_weight
    ]


def deciding_frames(layers: Layers, counts: dict[int, int], waiting: bool) -> list[LayerFrame]:
    """Functions whose rule put a stack into its layer: what a thread waits in, or works at.

    Where no frame has a rule it is the function that ran.
    """
    found: dict[Frame, int] = {}
    for stack, weight in counts.items():
        decider = layers.decider(stack, waiting)
        frames = layers.table.frames(stack)
        if decider is None and frames:
            decider = frames[-1]
        frame = NO_FRAME if decider is None else layers.table.frame(decider)
        found[frame] = found.get(frame, 0) + weight
    whole = sum(counts.values()) or 1
    ordered = sorted(found.items(), key=lambda item: -item[1])
    return [LayerFrame(frame, weight, weight / whole) for frame, weight in ordered]


class LayerFrames(FrameTable[LayerFrame], GivenPane):
    """Enter shows callers and callees of a function within its layer."""

    NAME = "Functions"
    SORTABLE = False
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("share", "%", 5, 0),
        Column("weight", "weight", 7, 2),
        Column("kind", "", 3, 3, right=False),
        Column("symbol", "function", 18, 0, right=False, grow=3, middle=True),
        Column("object", "object", 10, 4, right=False, grow=1, middle=True),
    )
    KEYS_HELP: ClassVar[list[Help]] = [("enter", "callers and callees within the layer")]

    def __init__(self, store: Store, *, id: str | None = None) -> None:
        super().__init__(store, id=id)
        self._frames: list[LayerFrame] = []
        self._waiting = False

    def show(self, frames: list[LayerFrame], waiting: bool, *caption: str) -> None:
        """Show these functions; of ``waiting`` the weights are nanoseconds."""
        self._frames = frames
        self._waiting = waiting
        self._given(caption)

    def update_data(self) -> None:
        self.update_items(self._frames)

    @property
    def chosen(self) -> Frame | None:
        """The function under the cursor."""
        return self.shown[self._cursor].frame if self.shown else None

    def identity(self, item: LayerFrame) -> Frame:
        return item.frame

    def row(self, item: LayerFrame) -> Row:
        weight = duration(item.weight / 1e9) if self._waiting else count(item.weight)
        return {
            "share": Cell(percent(100 * item.share), "bold"),
            "weight": Cell(weight),
            **self.frame_cells(item.frame),
        }

    def empty_text(self, width: int) -> list[str]:
        if self.pattern is not None:
            return ["nothing matches the filter"]
        return ["nothing here in this stretch of time"]
