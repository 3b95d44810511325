"""The time map: keys or mouse select a stretch of time over heatmap and curves."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from kvtop.profile.scope import TimeRange
from kvtop.store import Store
from kvtop.widgets.base import Help
from kvtop.widgets.time_canvas import EDGE, TimeCanvas
from kvtop.widgets.time_tracks import counter_events
from kvtop.widgets.time_view import Bounds


class TimeMap(TimeCanvas):
    """Columns of time, of which a stretch is selected.

    ``Selected`` tells when the selection changed, ``Opened`` when its flamegraph is wanted.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(-1)", "a column back", show=False, key_display="←"),
        Binding("right,l", "move(1)", "a column on", show=False, key_display="→"),
        Binding("up,k", "slot(-1)", "an earlier part of the column", show=False, key_display="↑"),
        Binding("down,j", "slot(1)", "a later part of the column", show=False, key_display="↓"),
        Binding("shift+left", "extend(-1)", "select a column back", show=False),
        Binding("shift+right", "extend(1)", "select a column on", show=False),
        Binding("pageup", "page(-1)", "a screen back", show=False),
        Binding("pagedown", "page(1)", "a screen on", show=False),
        Binding("home", "oldest", "the oldest samples", show=False),
        Binding("end", "follow", "follow the newest samples", show=False),
        Binding("v", "anchor", "begin or end the selection", show=False),
        Binding("p", "spike", "select the worst p99 spike, then the next", show=False),
        Binding("n", "marker(1)", "next marker", show=False),
        Binding("N", "marker(-1)", "previous marker", show=False),
        Binding("enter", "open", "flamegraph of the selection", show=False),
        Binding("plus", "scale(-1)", "narrower columns", show=False, key_display="+"),
        Binding("minus", "scale(1)", "wider columns", show=False, key_display="-"),
        Binding("t", "by_target", "a row for each target, or parts of a second", show=False),
        Binding("c", "next_counter", "another counter", show=False),
    ]
    KEYS_HELP: ClassVar[list[Help]] = [
        ("← →", "move the cursor by a column"),
        ("↑ ↓", "move it inside the column, by a part of it"),
        ("v", "begin the selection at the cursor; again: end it there"),
        ("shift+← →", "extend the selection; the mouse selects by dragging"),
        ("p", "select the worst p99 spike; again: the next worst"),
        ("n N", "to the next or previous marker (election, kill, restart)"),
        ("enter f", "flamegraph of what is selected; a double click as well"),
        ("x", "drop the selection: the moving window again, everywhere"),
        ("+ -", "narrower or wider columns"),
        ("t", "a row for each target, or for each part of a second"),
        ("c", "another counter under the heatmap"),
        ("home end", "to the oldest samples, to the newest and follow them"),
    ]

    class Selected(Message):
        """What is selected changed."""

        def __init__(self, chosen: TimeRange | None) -> None:
            super().__init__()
            self.chosen = chosen

    class Opened(Message):
        """The flamegraph of the selection is wanted."""

    def __init__(self, store: Store, *, label: str | None = None, id: str | None = None) -> None:
        super().__init__(store, label=label, id=id)
        self._dragged_from: Bounds | None = None

    # Keys

    def _moved(self) -> None:
        """Cursor, view or selection moved: say so and draw."""
        self.describe()
        self.redraw()

    def _chose(self) -> None:
        self._moved()
        self.post_message(self.Selected(self.view.selection))

    def action_move(self, columns: int) -> None:
        """Move the cursor, and the end of a selection that was begun."""
        self.view.move(columns)
        self._stretched()

    def action_slot(self, step: int) -> None:
        """Move the cursor inside its column."""
        if not self.targets:
            self.view.move_slot(step)
            self._stretched()

    def _stretched(self) -> None:
        if self.view.anchor is None:
            self._moved()
        else:
            self._chose()

    def action_extend(self, columns: int) -> None:
        """Select from the cursor on."""
        if self.view.anchor is None:
            self.view.toggle_anchor()
        self.view.move(columns)
        self._chose()

    def action_page(self, step: int) -> None:
        """Look a screen further back, or on."""
        self.view.scroll(step * self.view.cells)
        self._moved()

    def action_oldest(self) -> None:
        """Put the cursor on the oldest samples."""
        self.view.go_to(self.view.oldest)
        self._stretched()

    def action_follow(self) -> None:
        """Drop the cursor and follow the newest samples."""
        self.view.follow()
        self._moved()

    def action_anchor(self) -> None:
        """Begin a selection at the cursor, or end it."""
        self.view.toggle_anchor()
        self._chose()

    def action_spike(self) -> None:
        """Select the worst p99 spike, then the next."""
        if self.view.select_spike():
            self._chose()
        else:
            self.notify("Nothing stands out in the time that is held.", timeout=3)

    def action_marker(self, step: int) -> None:
        """Put the cursor on the next marker, or the one before."""
        if self.view.to_marker(step):
            self._stretched()

    def action_open(self) -> None:
        """The flamegraph of the selection, or of the cell under the cursor."""
        if self.view.selection is None and self.view.cell is not None:
            self.view.begin(self.view.cell)
            self._chose()
        self.view.anchor = None
        self.post_message(self.Opened())

    def action_scale(self, step: int) -> None:
        """Narrower or wider columns."""
        self.view.scale(step)
        self._moved()

    def action_by_target(self) -> None:
        """A row for each target, or for each part of a second."""
        self.targets = not self.targets
        self.view.slot = None
        self._moved()

    def action_next_counter(self) -> None:
        """Draw the next counter in the first place."""
        events = counter_events(self.store, self.view.label)
        self._counter = (self._counter + 1) % max(1, len(events))
        self._moved()

    def select(self, chosen: TimeRange | None) -> None:
        """Show what is selected elsewhere."""
        self.view.select(chosen)
        self._moved()

    # Mouse

    def _cell_at(self, x: int, y: int) -> Bounds | None:
        """What is drawn at a cell of the widget: a part of a second in the heatmap, else all."""
        view = self.view
        column = view.first + x - EDGE
        if x < EDGE or column > view.newest or column < view.oldest:
            return None
        row = y - self._top
        if self.targets or not 0 <= row < self._heat_height:
            return view.axis.bounds(column)
        parts = view.slots // self._heat_height
        return view.axis.bounds(column, row * parts, parts)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Dragging begins."""
        offset = event.get_content_offset(self)
        cell = None if offset is None else self._cell_at(offset.x, offset.y)
        if cell is not None:
            column = self.view.axis.column(cell[0] + 1e-6)
            self.view.anchor = None
            self.view.go_to(column)
            self._dragged_from = cell
            self.capture_mouse()
            self._moved()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Select from where dragging began."""
        offset = event.get_content_offset_capture(self)
        if self._dragged_from is None:
            return
        x = max(EDGE, min(self.inner_width - 1, offset.x))
        cell = self._cell_at(x, offset.y)
        if cell is None or (cell == self._dragged_from and self.view.anchor is None):
            return
        if self.view.anchor is None:
            self.view.begin(self._dragged_from)
        self.view.stretch_to(cell)
        self.view.go_to(self.view.axis.column(cell[0] + 1e-6), stretch=False)
        self._moved()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """What was dragged over is selected."""
        if self._dragged_from is None:
            return
        self._dragged_from = None
        self.release_mouse()
        if self.view.anchor is not None:
            self.view.anchor = None
            self._chose()

    def on_click(self, event: events.Click) -> None:
        """A double click opens the flamegraph."""
        if event.chain > 1:
            self.action_open()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel makes columns narrower."""
        event.stop()
        self.action_scale(-1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Or wider."""
        event.stop()
        self.action_scale(1)
