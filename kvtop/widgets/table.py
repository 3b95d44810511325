"""The live table that the panes build on: columns that fit, sort, filter, a cursor by identity."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from kvtop.store import Store
from kvtop.widgets.base import Help, Pane
from kvtop.widgets.line import Piece, clip, clip_middle, fit, strip_of

_GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """A column; the one with the highest ``priority`` number leaves first when room is short.

    ``grow`` columns share what room is left; ``middle`` cuts long text in its middle.
    ``descending`` is the order that the first sort by this column uses.
    """

    key: str
    title: str
    width: int
    priority: int = 0
    right: bool = True
    grow: int = 0
    middle: bool = False
    descending: bool = True


_STEADY = 200
"""Rows from which on a table's height moves in steps of so many."""


class Cell(NamedTuple):
    """Text (safe already) and the name of its style."""

    text: str
    style: str = ""


Row = dict[str, Cell]
"""A cell per column key."""
Item = TypeVar("Item")


def fit_columns(columns: Sequence[Column], width: int) -> list[tuple[Column, int]]:
    """The columns that fit whole, in order, each with its width; none is half there."""
    kept = list(columns)
    while len(kept) > 1 and sum(c.width for c in kept) + _GAP * (len(kept) - 1) > width:
        kept.remove(max(reversed(kept), key=lambda c: c.priority))
    spare = width - sum(c.width for c in kept) - _GAP * (len(kept) - 1)
    shares = sum(c.grow for c in kept)
    result = []
    for column in kept:
        extra = spare * column.grow // shares if shares and spare > 0 else 0
        spare -= extra
        shares -= column.grow
        result.append((column, column.width + extra))
    return result


class LiveTable(Pane, Generic[Item]):
    """A pane that is a table of items, which become rows only where they are on screen.

    Cursor, sort and filter are state of the widget and survive new data. A subclass says how an
    item is named (``identity``), sorted (``sort_value``), searched (``filter_text``) and shown
    (``row``).
    """

    COLUMNS: ClassVar[tuple[Column, ...]] = ()
    SORTABLE: ClassVar[bool] = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "cursor(-1)", "up", show=False),
        Binding("down", "cursor(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home", "edge(0)", "first", show=False),
        Binding("end", "edge(1)", "last", show=False),
        Binding("less_than_sign", "sort_by(-1)", "sort column", show=False),
        Binding("greater_than_sign", "sort_by(1)", "sort column", show=False),
        Binding("I", "reverse", "reverse", show=False),
        Binding("enter", "choose", "choose", show=False),
    ]
    FILTERABLE = True
    KEYS_HELP: ClassVar[list[Help]] = [
        ("↑ ↓", "move the cursor"),
        ("< >", "sort by the column before, or after"),
        ("I", "reverse the order"),
    ]

    class Chosen(Message):
        """Enter or a double click on a row."""

        def __init__(self, table: LiveTable[Any], identity: Hashable) -> None:
            super().__init__()
            self.table = table
            self.identity = identity

        @property
        def control(self) -> LiveTable[Any]:
            """The table it came from."""
            return self.table

    def __init__(self, store: Store, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(store, id=id, classes=classes)
        self.items: list[Item] = []
        self.shown: list[Item] = []
        self.sort_key: str | None = None
        self.descending = True
        self.pattern: re.Pattern[str] | None = None
        self._cursor = 0
        self._identity: Hashable | None = None
        self._layout: list[tuple[Column, int]] = []

    # What a subclass says of its items

    def columns(self) -> Sequence[Column]:
        """The columns, in order."""
        return self.COLUMNS

    def identity(self, item: Item) -> Hashable:
        """What stays the same when the item's figures change."""
        raise NotImplementedError

    def sort_value(self, item: Item, key: str) -> float | str | None:
        """What the column sorts by; None sorts last."""
        raise NotImplementedError

    def filter_text(self, item: Item) -> str:
        """What a filter is searched in."""
        raise NotImplementedError

    def row(self, item: Item) -> Row:
        """The item as shown."""
        raise NotImplementedError

    # Items

    def update_items(self, items: list[Item]) -> None:
        """Take new items; sort, filter and selection stay."""
        self.items = items
        self._arrange()

    def set_filter(self, pattern: re.Pattern[str] | None) -> None:
        """Show only items whose text matches; ``None`` shows all."""
        self.pattern = pattern
        self._arrange()
        self.describe()
        self.redraw()

    @property
    def selected(self) -> Hashable | None:
        """Identity of the item under the cursor, or None where there is none."""
        return self.identity(self.shown[self._cursor]) if self.shown else None

    def select(self, identity: Hashable) -> None:
        """Put the cursor on the item with this identity, now or as soon as it appears."""
        self._identity = identity
        self._find_cursor()
        self.redraw()

    def _arrange(self) -> None:
        items = self.items
        if self.pattern is not None:
            search = self.pattern.search
            items = [item for item in items if search(self.filter_text(item))]
        if self.sort_key is not None:
            items = self._sorted(items, self.sort_key)
        self.shown = items
        self._find_cursor()
        self._set_virtual_height()

    def _sorted(self, items: list[Item], key: str) -> list[Item]:
        valued = [(self.sort_value(item, key), item) for item in items]
        known = [pair for pair in valued if pair[0] is not None]
        known.sort(key=lambda pair: pair[0], reverse=self.descending)  # type: ignore[arg-type,return-value]
        return [item for _, item in known] + [item for value, item in valued if value is None]

    def _find_cursor(self) -> None:
        if not self.shown:
            self._cursor = 0
            return
        if self._identity is not None:
            for index, item in enumerate(self.shown):
                if self.identity(item) == self._identity:
                    self._cursor = index
                    return
        self._cursor = min(self._cursor, len(self.shown) - 1)

    # Drawing

    def fitted(self) -> list[tuple[Column, int]]:
        """The columns that are on screen, each with its width."""
        return fit_columns(self.columns(), self.inner_width)

    @property
    def head_height(self) -> int:
        """Lines above the first row: the complaint, if any, and the column titles."""
        return 1 + (len(self.complaint_lines()) if self.complaint() else 0)

    def _set_virtual_height(self) -> None:
        rows = len(self.shown)
        if rows > _STEADY:
            # Every change of it lays the whole screen out again, so long tables grow in steps.
            rows += -rows % _STEADY
        size = Size(self.size.width, rows + self.head_height)
        if self.virtual_size.height != size.height:
            self.virtual_size = size

    def draw(self, width: int, height: int) -> list[Strip]:
        self._layout = self.fitted()
        top = self.complaint_lines()
        lines = [*top, self._title_strip(width)]
        first = self.scroll_offset.y
        last = first + max(0, height - len(lines))
        cursor = self._cursor
        for index, item in enumerate(self.shown[first:last], first):
            lines.append(self._row_strip(self.row(item), index == cursor, width))
        if not self.shown:
            lines += [self.line([(text, self.paint("dim"))]) for text in self.empty_text(width)]
        return lines

    def empty_text(self, width: int) -> list[str]:
        """What to say where there is no row."""
        return ["nothing matches the filter" if self.pattern else "waiting for data"]

    def _title_strip(self, width: int) -> Strip:
        pieces: list[Piece] = []
        head, sorted_ = self.paint("head"), self.paint("sorted")
        for column, cells in self._layout:
            if column.key == self.sort_key:
                mark = "▼" if self.descending else "▲"
                title = clip(column.title, max(1, cells - 1))
                text = mark + title if column.right else title + mark
                pieces.append((fit(text, cells, column.right), sorted_))
            else:
                pieces.append((fit(column.title, cells, column.right), head))
            pieces.append((" " * _GAP, Style.null()))
        return self.line(pieces[:-1])

    def _row_strip(self, row: Row, cursor: bool, width: int) -> Strip:
        base = self.plain
        plain = cursor and self.has_focus
        if cursor:
            base += self.paint("cursor")
        pieces: list[Piece] = []
        null = Style.null()
        empty = Cell("")
        for column, cells in self._layout:
            cell = row.get(column.key, empty)
            style = self.paint(cell.style) if cell.style and not plain else null
            text = clip_middle(cell.text, cells) if column.middle else cell.text
            pieces.append((fit(text, cells, column.right), style))
            pieces.append((" " * _GAP, null))
        return strip_of(pieces[:-1], width, base)

    # Keys and mouse

    def _move_to(self, index: int) -> None:
        if not self.shown:
            return
        self._cursor = max(0, min(index, len(self.shown) - 1))
        self._identity = self.identity(self.shown[self._cursor])
        room = max(1, self.size.height - self.head_height)
        top = self.scroll_offset.y
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False)
        elif self._cursor >= top + room:
            self.scroll_to(y=self._cursor - room + 1, animate=False)
        self.redraw()

    def action_cursor(self, step: int) -> None:
        """Move the cursor by rows."""
        self._move_to(self._cursor + step)

    def action_page(self, step: int) -> None:
        """Move the cursor by a page."""
        self._move_to(self._cursor + step * max(1, self.size.height - self.head_height))

    def action_edge(self, last: int) -> None:
        """Move to the first or the last row."""
        self._move_to(len(self.shown) - 1 if last else 0)

    def action_choose(self) -> None:
        """Tell the application that this row was chosen."""
        if self.shown:
            self.post_message(self.Chosen(self, self.identity(self.shown[self._cursor])))

    def action_sort_by(self, step: int) -> None:
        """Sort by the next column on screen."""
        keys = [c.key for c, _ in self.fitted()]
        if not self.SORTABLE or not keys:
            return
        at = keys.index(self.sort_key) if self.sort_key in keys else (-1 if step > 0 else 0)
        self.sort_by(keys[(at + step) % len(keys)])

    def action_reverse(self) -> None:
        """Turn the order round."""
        if self.sort_key is not None:
            self.descending = not self.descending
            self._sort_changed()

    def sort_by(self, key: str) -> None:
        """Sort by a column in its usual order; again turns the order round."""
        if key == self.sort_key:
            self.descending = not self.descending
        else:
            self.sort_key = key
            self.descending = next(c.descending for c in self.columns() if c.key == key)
        self._sort_changed()

    def _sort_changed(self) -> None:
        self._arrange()
        self.describe()
        self.redraw()

    def _on_table_click(self, x: int, y: int, double: bool) -> None:
        head = self.head_height
        if y == head - 1:
            left = 0
            for column, cells in self._layout:
                if left <= x < left + cells + _GAP and self.SORTABLE:
                    self.sort_by(column.key)
                    return
                left += cells + _GAP
        elif y >= head and (row := self.scroll_offset.y + y - head) < len(self.shown):
            self._move_to(row)
            if double:
                self.action_choose()

    def on_click(self, event: events.Click) -> None:
        """A row is selected, a column title sorts, a double click chooses."""
        offset = event.get_content_offset(self)
        if offset is not None:
            self._on_table_click(offset.x, offset.y, event.chain > 1)
