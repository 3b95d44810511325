"""The flamegraph widget: keys and mouse move over its boxes, zoom, search and turn it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from kvtop.profile.frames import Kind
from kvtop.profile.tree import TreeOptions
from kvtop.widgets.base import Help
from kvtop.widgets.flame_canvas import FlameCanvas
from kvtop.widgets.samples import FunctionAsked, View


class Flamegraph(FlameCanvas):
    """Selection, zoom, search and modes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move_up", "up", show=False),
        Binding("down", "move_down", "down", show=False),
        Binding("left", "sibling(-1)", "left", show=False),
        Binding("right", "sibling(1)", "right", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home", "edge(0)", "first row", show=False),
        Binding("end", "edge(1)", "last row", show=False),
        Binding("enter", "zoom", "zoom", show=False),
        Binding("backspace", "zoom_out", "zoom out", show=False),
        Binding("u", "reset", "reset zoom", show=False),
        Binding("n", "match(1)", "next match", show=False),
        Binding("N", "match(-1)", "previous match", show=False),
        Binding("i", "invert", "upside down", show=False),
        Binding("c", "reverse", "callers first", show=False),
        Binding("g", "glue", "glue", show=False),
        Binding("R", "recursion", "fold recursion", show=False),
        Binding("A", "plumbing", "dim the event loop", show=False),
        Binding("w", "ask('callers')", "callers and callees", show=False),
        Binding("a", "ask('source')", "source and lines", show=False),
        Binding("y", "copy_name", "copy name", show=False),
    ]
    KEYS_HELP: ClassVar[list[Help]] = [
        ("↑ ↓ ← →", "to the caller, the widest callee, the boxes beside"),
        ("pgup pgdn home end, wheel", "scroll the depth"),
        ("enter, click", "zoom into the box"),
        ("esc, backspace", "zoom out"),
        ("u", "everything at full width again"),
        ("/ n N", "search by regex, next and previous match"),
        ("i", "upside down: root at the bottom"),
        ("c", "callers first: functions that ran first, then their callers"),
        ("g", "show or fold the interpreter's own frames"),
        ("R", "show or fold recursion"),
        ("A", "dim what starts threads and turns the event loop"),
        ("w, right click", "who calls it, what it calls: callers and callees"),
        ("a", "its source with samples per line, its instructions"),
        ("y", "copy the function's name"),
    ]

    class ZoomedOut(Message):
        """Zoom out was asked for where nothing was zoomed."""

    # Keys

    def _moved(self) -> None:
        """The selection moved: show it, draw the rows that it left and came to."""
        self.hovered = None
        self._show_selected()
        self.redraw()

    def _show_selected(self) -> None:
        row = self.state.row
        line = row
        if self.flame:
            line = max(len(self.state.layout.rows), self.room) - 1 - row
        top = self.scroll_offset.y
        if line < top:
            self.scroll_to(y=line, animate=False)
        elif line >= top + self.room:
            self.scroll_to(y=line - self.room + 1, animate=False)

    def action_move_up(self) -> None:
        """To the box above."""
        if self.flame:
            self.state.to_child()
        else:
            self.state.to_parent()
        self._moved()

    def action_move_down(self) -> None:
        """To the box below."""
        if self.flame:
            self.state.to_parent()
        else:
            self.state.to_child()
        self._moved()

    def action_sibling(self, step: int) -> None:
        """To the box beside."""
        self.state.to_sibling(step)
        self._moved()

    def action_page(self, step: int) -> None:
        """Scroll the depth by a page."""
        self.scroll_to(y=self.scroll_offset.y + step * (self.room - 1), animate=False)

    def action_edge(self, last: int) -> None:
        """Scroll to the uppermost row or to the lowest."""
        self.scroll_to(y=self.max_scroll_y if last else 0, animate=False)

    def action_zoom(self) -> None:
        """Give the selected box the whole width."""
        self.state.zoom_to(self.state.selected)
        self._zoomed()

    def action_zoom_out(self) -> None:
        """Back to the zoom before."""
        if self.state.zoom_out():
            self._zoomed()
        else:
            self.post_message(self.ZoomedOut())

    def action_reset(self) -> None:
        """Everything at full width again."""
        self.state.reset()
        self._zoomed()

    def _zoomed(self) -> None:
        self.hovered = None
        self._changed()
        self._show_selected()

    def action_match(self, step: int) -> None:
        """Select the next box that matches the search."""
        if self.state.next_match(step):
            self._moved()

    def search(self, pattern: re.Pattern[str] | None) -> None:
        """Mark what matches; ``None`` ends the search."""
        self.state.search(pattern)
        self._forget()
        self.redraw()

    def action_invert(self) -> None:
        """Turn it upside down."""
        self.flame = not self.flame
        self._changed()
        self.scroll_to(y=self.max_scroll_y if self.flame else 0, animate=False)

    def _set_options(self, options: TreeOptions) -> None:
        self.hovered = None
        self.state.set_options(options)
        self._changed()

    def action_reverse(self) -> None:
        """Functions that ran first and their callers below, or the usual way again."""
        o = self.state.options
        self._set_options(replace(o, inverted=not o.inverted))

    def action_glue(self) -> None:
        """Show or fold the interpreter's own frames."""
        o = self.state.options
        self._set_options(replace(o, fold_glue=not o.fold_glue))

    def action_recursion(self) -> None:
        """Show or fold recursion."""
        o = self.state.options
        self._set_options(replace(o, fold_recursion=not o.fold_recursion))

    def hide(self, pattern: re.Pattern[str] | None) -> None:
        """Leave out frames that match; their own weight counts for their callers."""
        if pattern != self.state.options.hidden:
            self._set_options(replace(self.state.options, hidden=pattern))

    def action_plumbing(self) -> None:
        """Dim what starts threads and turns the event loop, or no longer."""
        self.plumbing_dimmed = not self.plumbing_dimmed
        self._forget()
        self.redraw()

    def action_ask(self, view: View) -> None:
        """Callers and callees, or the source, of the selected function."""
        frame = self.state.tree.frame(self.state.selected)
        if frame.kind is Kind.GROUP:
            self.notify("Select a function first: this box is none.", timeout=2, markup=False)
            return
        self.post_message(FunctionAsked(frame, view))

    def action_copy_name(self) -> None:
        """Copy the selected function's name to the clipboard (OSC 52)."""
        name = self.state.tree.frame(self.state.selected).symbol
        self.app.copy_to_clipboard(name)
        self.notify("name copied", timeout=2)

    # Mouse

    def _node_at(self, x: int, y: int) -> int | None:
        if not 0 <= y < self.room:
            return None
        layout_ = self.state.layout
        row = self._row_at(y)
        box = layout_.at(row, x + 0.5) or layout_.at(row, x + 0.1) or layout_.at(row, x + 0.9)
        return box.node if box is not None else None

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """The details follow the mouse."""
        offset = event.get_content_offset(self)
        node = None if offset is None else self._node_at(offset.x, offset.y)
        if node != self.hovered:
            self.hovered = node
            self.redraw()

    def on_leave(self, event: events.Leave) -> None:
        """Back to the selected box."""
        if self.hovered is not None:
            self.hovered = None
            self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Zoom into the box; on the zoomed box, go back; the right button shows its callers."""
        offset = event.get_content_offset(self)
        node = None if offset is None else self._node_at(offset.x, offset.y)
        if node is None:
            return
        self.state.select(node)
        if event.button == 3:
            self._moved()
            self.action_ask("callers")
            return
        if node == self.state.zoom:
            self.state.zoom_out()
        else:
            self.state.zoom_to(node)
        self._zoomed()
