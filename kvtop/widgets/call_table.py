"""The table of the sandwich view: callers above a function, callees below, as far as unfolded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType

from kvtop.profile.callers import Sandwich
from kvtop.profile.frames import Frame
from kvtop.profile.tree import ROOT, CallTree
from kvtop.store import Store
from kvtop.widgets.base import Help
from kvtop.widgets.figures import count, percent
from kvtop.widgets.frame_table import FrameTable
from kvtop.widgets.table import Cell, Column, Row

CALLER, CENTRE, CALLEE = -1, 0, 1
Place = tuple[int, int]
"""The side, and a number for the way from the function to the row's: that of the way up to its
last step, and that step, hashed. 0 is the function itself."""
OPEN_SHARE = 0.1
"""A path with at least this part of the function's weight is unfolded at first."""
_MOST_INDENT = 24
_STEP = 2


@dataclass(frozen=True, slots=True)
class Call:
    """A row: a function on a path up or down from the one in the centre.

    ``total`` is the weight of the whole path, ``own`` what ran in the path's last function,
    which only callees have. ``unfolded`` is None where the path ends.
    """

    side: int
    way: int
    way_before: int
    frame: Frame
    indent: int
    total: int
    own: int
    unfolded: bool | None

    @property
    def place(self) -> Place:
        """What stays the same when the weights move."""
        return self.side, self.way


class CallTable(FrameTable[Call]):
    """Rows from the farthest caller down to the farthest callee; ``show`` says of which function.

    What was folded or unfolded by hand stays so while the data moves.
    """

    NAME = "Callers and callees"
    SORTABLE = False
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("share", "of it %", 7, 0),
        Column("whole", "of all %", 8, 2),
        Column("samples", "total", 7, 1),
        Column("self", "self", 7, 3),
        Column("kind", "", 3, 1, right=False),
        Column("function", "function", 24, 0, right=False, grow=3, middle=True),
        Column("object", "object", 12, 4, right=False, grow=1, middle=True),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "unfold(True)", "unfold", show=False),
        Binding("left", "unfold(False)", "fold", show=False),
        Binding("c", "centre", "back to the function", show=False),
    ]
    KEYS_HELP: ClassVar[list[Help]] = [
        ("↑ ↓", "towards the callers, towards the callees"),
        ("→ ←", "unfold, fold the path"),
        ("c", "back to the function in the centre"),
    ]

    def __init__(self, store: Store, *, id: str | None = None) -> None:
        super().__init__(store, id=id)
        self.found: Sandwich | None = None
        self.unit = "samples"
        self._parts: tuple[str, ...] = ()
        self._by_hand: dict[Place, bool] = {}
        self._revision = 0

    def show(self, found: Sandwich, fresh: bool, *parts: str) -> None:
        """Show these callers and callees; ``fresh``: of another function than before.

        ``parts`` go into the border, the most needed first.
        """
        self.found = found
        self._parts = parts
        if fresh:
            self._by_hand.clear()
        self._revision += 1
        self.refresh_data()
        if fresh:
            self.call_after_refresh(self.action_centre)

    def data_revision(self) -> object:
        return self._revision

    def describe(self) -> None:
        self.set_state(*self._parts)

    def update_data(self) -> None:
        found = self.found
        if found is None:
            return
        above = list(self._calls(found.callers, CALLER))
        below = list(self._calls(found.callees, CALLEE))
        frame = self.store.table.frame(found.frame_id)
        centre = Call(CENTRE, 0, 0, frame, 0, found.total, found.self_weight, None)
        self.update_items([*reversed(above), centre, *below])

    def _calls(self, tree: CallTree, side: int) -> Iterator[Call]:
        """Unfolded paths in depth-first order, the heaviest first."""
        first = next(iter(tree.children(ROOT)), ROOT)
        enough = tree.total[first] * OPEN_SHARE
        pending: list[tuple[int, int, int]] = []

        def below(node: int) -> list[int]:
            children = [child for child in tree.children(node) if tree.total[child]]
            return sorted(children, key=lambda child: -tree.total[child])

        def push(node: int, way: int, indent: int) -> None:
            pending.extend((child, way, indent) for child in reversed(below(node)))

        push(first, 0, 0)
        while pending:
            node, before, indent = pending.pop()
            frame = tree.frame(node)
            way = hash((before, frame))
            children = len(below(node))
            unfolded = self._by_hand.get((side, way), tree.total[node] >= enough)
            yield Call(
                *(side, way, before, frame, indent, tree.total[node]),
                tree.self_weight(node) if side == CALLEE else 0,
                unfolded if children else None,
            )
            if children and unfolded:
                # A chain of single calls is not worth an indent per link.
                push(node, way, indent + (_STEP if children > 1 else 0))

    def identity(self, item: Call) -> Place:
        return item.place

    def sort_value(self, item: Call, key: str) -> float | str | None:
        return None

    @property
    def chosen(self) -> Call | None:
        """The row under the cursor."""
        return self.shown[self._cursor] if self.shown else None

    def row(self, item: Call) -> Row:
        assert self.found is not None
        cells = self.frame_cells(item.frame)
        centre = item.side == CENTRE
        loud = "bold" if centre else ""
        if centre:
            sign = "●"
        elif item.unfolded is None:
            sign = "·"
        elif not item.unfolded:
            sign = "▸"
        else:
            sign = "▴" if item.side == CALLER else "▾"
        name = f"{' ' * min(item.indent, _MOST_INDENT)}{sign} {item.frame.symbol}"
        return {
            "share": Cell(percent(100 * item.total / (self.found.total or 1)), loud),
            "whole": Cell(percent(100 * item.total / (self.found.weight or 1)), loud),
            "samples": Cell(count(item.total), loud),
            "self": Cell("" if item.side == CALLER else count(item.own), loud),
            "kind": cells["kind"],
            "function": Cell(name, "accent" if centre else ""),
            "object": cells["object"],
        }

    def empty_text(self, width: int) -> list[str]:
        if self.pattern is not None:
            return ["nothing matches the filter"]
        return [f"no {self.unit} here yet"]

    def action_unfold(self, unfolded: bool) -> None:
        """Unfold or fold the path under the cursor; folded already, go back along it."""
        call = self.chosen
        if call is None:
            return
        if call.unfolded is not None and call.unfolded is not unfolded:
            self._by_hand[call.place] = unfolded
            self._revision += 1
            self.refresh_data()
        elif not unfolded and call.side != CENTRE:
            self.select((call.side if call.way_before else CENTRE, call.way_before))
            self._move_to(self._cursor)

    def action_centre(self) -> None:
        """Put the cursor on the function itself, in the middle of the screen."""
        self.select((CENTRE, 0))
        self._move_to(self._cursor)
        room = max(1, self.size.height - self.head_height)
        self.scroll_to(y=max(0, self._cursor - room // 2), animate=False)
        self.redraw()
