"""The list from which processes are picked: sorted by CPU, searched by typing."""

from __future__ import annotations

import re
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from kvtop.events import ListedProcess
from kvtop.profile.text import safe_text
from kvtop.store import Store
from kvtop.widgets.base import LineWidget
from kvtop.widgets.figures import percent, size, whole
from kvtop.widgets.table import Cell, Column, LiveTable, Row


class ProcessPicker(LiveTable[ListedProcess]):
    """Rows of processes of which some are marked. What one types is searched for."""

    NAME = "Which processes?"
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("mark", "", 1, 0, right=False),
        Column("pid", "PID", 7, 0),
        Column("user", "user", 8, 2, right=False, descending=False),
        Column("cpu", "CPU %", 6, 0),
        Column("rss", "RSS", 6, 1),
        Column("command", "command", 20, 0, right=False, grow=1, descending=False),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "select", show=False),
        Binding("I", "nothing", "", show=False),
    ]

    class Picked(Message):
        """Enter: these processes."""

        def __init__(self, pids: tuple[int, ...]) -> None:
            super().__init__()
            self.pids = pids

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.sort_key = "cpu"
        self.marked: dict[int, None] = {}
        self.search = ""
        self._revision = 0

    def set_processes(self, processes: list[ListedProcess]) -> None:
        """Take a new reading; the marks of those that ended go with them."""
        alive = {process.pid for process in processes}
        self.marked = {pid: None for pid in self.marked if pid in alive}
        self.update_items(processes)
        self._changed()

    def set_search(self, text: str) -> None:
        """Show those whose PID, user or command line holds the text, whatever its case."""
        self.search = text
        self.set_filter(re.compile(re.escape(text), re.IGNORECASE) if text else None)
        self.scroll_to(y=0, animate=False)

    def _changed(self) -> None:
        self._revision += 1
        self.refresh_data()

    def data_revision(self) -> object:
        return self._revision

    def describe(self) -> None:
        marked = f"{len(self.marked)} selected" if self.marked else ""
        self.set_state(marked, f"{len(self.shown):,} of {len(self.items):,} processes")

    def action_mark(self) -> None:
        """Select the row, or not any more, and go on to the next."""
        if (pid := self.selected) is not None:
            assert isinstance(pid, int)
            if pid in self.marked:
                del self.marked[pid]
            else:
                self.marked[pid] = None
            self.action_cursor(1)
            self._changed()

    def action_choose(self) -> None:
        """The selected processes, or the one under the cursor where none is."""
        if self.marked:
            self.post_message(self.Picked(tuple(self.marked)))
        elif isinstance(self.selected, int):
            self.post_message(self.Picked((self.selected,)))

    def action_nothing(self) -> None:
        """A capital letter belongs to the search."""

    def identity(self, item: ListedProcess) -> int:
        return item.pid

    def filter_text(self, item: ListedProcess) -> str:
        return f"{item.pid} {item.user} {item.name} {item.command}"

    def sort_value(self, item: ListedProcess, key: str) -> float | str | None:
        values: dict[str, float | str | None] = {
            "mark": float(item.pid in self.marked),
            "pid": item.pid,
            "user": item.user,
            "cpu": item.cpu_percent,
            "rss": item.rss,
            "command": item.command,
        }
        return values[key]

    def row(self, item: ListedProcess) -> Row:
        return {
            "mark": Cell("●" if item.pid in self.marked else "", "good"),
            "pid": Cell(whole(item.pid), "bold"),
            "user": Cell(safe_text(item.user, 40)),
            "cpu": Cell(percent(item.cpu_percent)),
            "rss": Cell(size(item.rss)),
            "command": Cell(safe_text(item.command)),
        }

    def empty_text(self, width: int) -> list[str]:
        return ["no process matches" if self.search else "reading /proc"]


class SearchLine(LineWidget, can_focus=False):
    """What was typed so far."""

    DEFAULT_CSS = """
    SearchLine {
        border: none;
        height: 1;
        padding: 0 1;
        background: $panel;
        &:ansi { border: none; background: ansi_default; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def set_text(self, text: str) -> None:
        """Show another search."""
        self.text = text
        self.redraw()

    def draw(self, width: int, height: int) -> list[Strip]:
        shown = safe_text(self.text)
        if not shown:
            return [self.line([("type to search", self.paint("dim"))])]
        return [self.line([("search ", self.paint("dim")), (f"{shown}▏", self.paint("bold"))])]
