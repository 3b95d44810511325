"""The time map: a sub-second heatmap of samples over curves on the same axis, with a selection."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from kvtop.profile.heat import HeatColumns
from kvtop.profile.scope import TimeRange
from kvtop.profile.text import safe_text
from kvtop.store import Store
from kvtop.widgets.base import Help, Pane
from kvtop.widgets.chart import (
    MARKER_GLYPHS,
    Line,
    TimeSpan,
    chart,
    marker_columns,
    marker_row,
)
from kvtop.widgets.figures import clock, count, duration, span
from kvtop.widgets.heat_rows import HeatColours
from kvtop.widgets.line import Piece, fit, width_of
from kvtop.widgets.plots import newest_time
from kvtop.widgets.scope_text import moment, range_text
from kvtop.widgets.time_heat import outside, slot_values, target_values
from kvtop.widgets.time_tracks import Track, between, counter_events, during, tracks
from kvtop.widgets.time_view import Bounds, TimeView

_LABELS = 9
_EDGE = _LABELS + 1
_SETTLED = 5.0
"""Seconds after which no more late samples and figures are looked for."""
_TICKS = (10, 15, 20, 30)
"""Columns between two times on the axis."""


class TimeMap(Pane):
    """Columns of time; keys or mouse select a stretch of them.

    ``selection`` is what is selected; ``Selected`` tells when it changed, ``Opened`` when its
    flamegraph is wanted. ``label`` limits samples and counters to one target.
    """

    NAME = "Time"
    COLLECTORS = ("perf_record",)
    COMPONENT_CLASSES: ClassVar[set[str]] = {"heat--low", "heat--high", "heat--cursor"}
    DEFAULT_CSS = """
    TimeMap {
        & > .heat--low { color: $warning; }
        & > .heat--high { color: $error; }
        & > .heat--cursor { color: $foreground; }
        &:ansi {
            & > .heat--low { color: ansi_yellow; }
            & > .heat--high { color: ansi_red; }
            & > .heat--cursor { color: ansi_default; }
        }
    }
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
        super().__init__(store, id=id)
        self.view = TimeView(store, label)
        self.targets = False
        """A row a target, in place of a row a part of a second."""
        self._counter = 0
        self._heat: HeatColumns | None = None
        self._colours: HeatColours | None = None
        self._top = 0
        self._heat_height = 1
        self._dragged_from: Bounds | None = None

    # What is shown

    def data_revision(self) -> object:
        store = self.store
        self._fit()
        start, end = self.view.bounds
        if not self.view.following and end + _SETTLED < newest_time(store):
            # The past only changes where samples leave it.
            return store.ring.count(start, end), store.markers.revision
        counters = store.counters.revision
        return store.ring.revision, store.stress.revision, counters, store.markers.revision

    def _rows(self, height: int) -> int:
        """Lines of the heatmap, for which a second has even parts."""
        return 10 if height >= 34 else 5 if height >= 15 else 2

    def _fit(self) -> HeatColumns:
        """Bring columns and their parts in line with the size."""
        view = self.view
        rows = self._rows(self.size.height)
        view.cells = max(1, self.inner_width - _EDGE)
        view.slots = rows if self._mono else 2 * rows
        if self._heat is None or self._heat.axis != view.axis:
            self._heat = HeatColumns(view.axis, view.label)
        return self._heat

    @property
    def _mono(self) -> bool:
        """Whether there are no colours; known also before there are styles, and after."""
        return self.app.no_color and self.app.native_ansi_color

    @property
    def colours(self) -> HeatColours:
        """Shades of the present theme."""
        if self._colours is None:
            low, high, cursor = (
                self.get_component_styles(f"heat--{name}").color
                for name in ("low", "high", "cursor")
            )
            self._colours = HeatColours(self.background_colors[1], low, high, cursor, self._mono)
        return self._colours

    def notify_style_update(self) -> None:
        """Theme or focus changed: colours are old."""
        super().notify_style_update()
        self._colours = None

    def describe(self) -> None:
        self._fit()
        view = self.view
        parts = [f"column {span(view.step)}"]
        if not self.targets:
            parts.append(f"row {duration(view.step / view.slots)}")
        parts.append("all targets" if view.label is None else view.label)
        parts.append("following" if view.following else "end follows the newest")
        self.set_state(*parts)

    # Drawing

    def draw(self, width: int, height: int) -> list[Strip]:
        heat = self._fit()
        view = self.view
        span_ = TimeSpan(*view.bounds, view.cells)
        markers = list(self.store.markers.items)
        lines = [self._labelled("", marker_row(markers, span_, self.paint))]
        self._top = len(lines)
        rows = self._target_lines(heat) if self.targets else self._slot_lines(heat)
        self._heat_height = len(rows)
        lines += rows
        lines.append(self._labelled("", self._ruler()))
        foot = 2 if height >= 12 else 1
        lines += self._track_lines(span_, max(0, height - len(lines) - 1 - foot))
        lines.append(self._clock())
        lines += [self.line(self._summary()), self.line(self._happened())][:foot]
        return lines

    def _labelled(self, label: str, pieces: list[Piece], edge: str = " ") -> Strip:
        dim = self.paint("dim")
        return self.line([(fit(label, _LABELS, right=True), dim), (edge, dim), *pieces])

    def _slot_lines(self, heat: HeatColumns) -> list[Strip]:
        table, most = slot_values(self.view, heat, self.store)
        if self.colours.mono:
            rows = [self.colours.plain_row(row) for row in table]
        else:
            pairs = zip(table[::2], table[1::2], strict=True)
            rows = [self.colours.row(upper, lower) for upper, lower in pairs]
        lines = []
        for at, row in enumerate(rows):
            offset = heat.axis.step * at / len(rows)
            label = "" if at and at != len(rows) // 2 else f"+{duration(offset)}"
            if at == len(rows) - 1 and len(rows) > 4:
                label = f"max {count(most)}"
            lines.append(self._labelled(label, row))
        return lines

    def _target_lines(self, heat: HeatColumns) -> list[Strip]:
        table, _ = target_values(self.view, heat, self.store)
        height = self.size.height
        rows = max(self._rows(height), min(len(table), height // 3))
        hidden = len(table) > rows
        colours = self.colours
        lines = []
        for name, values in list(table.items())[: rows - 1 if hidden else rows]:
            row = colours.plain_row(values) if colours.mono else colours.row(values, values)
            lines.append(self._labelled(safe_text(name), row))
        if hidden:
            text = f"and {len(table) - rows + 1} more; t on the main screen chooses one"
            lines.append(self._labelled("", [(text, self.paint("dim"))]))
        return lines + [self.blank()] * (rows - len(lines))

    def _ruler(self) -> list[Piece]:
        """Where the cursor is, and what is selected."""
        view = self.view
        text = "".join(
            "━" if view.selection and not outside(view, *view.axis.bounds(column)) else " "
            for column in range(view.first, view.last + 1)
        )
        accent = self.paint("accent")
        at = -1 if view.column is None else view.column - view.first
        if 0 <= at < view.cells:
            return [(text[:at], accent), ("▲", self.paint("bold")), (text[at + 1 :], accent)]
        return [(text, accent)]

    def _track_lines(self, span_: TimeSpan, room: int) -> list[Strip]:
        view = self.view
        found = tracks(self.store, self._counter, view.label, view.axis, *view.bounds)
        found = found[: room // (3 if room < 20 else 5)]
        marks = marker_columns(list(self.store.markers.items), span_, self.paint)
        if view.selection is not None:
            style = self.paint("accent")
            edges = span_.column(view.selection.start), span_.column(view.selection.last)
            marks += [(edge, "", style) for edge in edges]
        lines: list[Strip] = []
        for number, track in enumerate(found):
            height = room // (len(found) - number)
            room -= height
            lines += self._track(track, span_, height, marks)
        return lines + [self.blank()] * room

    def _track(
        self, track: Track, span_: TimeSpan, height: int, marks: list[tuple[int, str, Style]]
    ) -> list[Strip]:
        paint, dim = self.paint(track.style), self.paint("dim")
        lines: list[Strip] = []
        if height > 3:
            title: list[Piece] = [(f"─ {track.name}", paint)]
            if track.points:
                title.append((f" {track.unit(track.points[-1][1])}", dim))
            lines.append(self.line(title))
        name = "" if lines else track.name
        rows = chart(
            [Line(track.points, paint)],
            span_,
            height - len(lines),
            unit=track.unit,
            label_width=_LABELS,
            dim=dim,
            markers=marks,
            name=name,
        )
        return lines + [self.line(row) for row in rows]

    def _clock(self) -> Strip:
        """Wall-clock times under their columns."""
        view = self.view
        every = next(n for n in _TICKS if (n * view.step).is_integer())
        text = ""
        for at, column in enumerate(range(view.first, view.last + 1)):
            stamp = f"╵{clock(round(column * view.step))}"
            if column % every == 0 and at + len(stamp) <= view.cells:
                text = text.ljust(at) + stamp
        return self._labelled("", [(text, self.paint("dim"))])

    # Words

    def _current(self) -> Bounds | None:
        """What the words speak of: the selection, or the cell under the cursor."""
        chosen = self.view.selection
        return self.view.cell if chosen is None else (chosen.start, chosen.end)

    def _summary(self) -> list[Piece]:
        bounds = self._current()
        dim, bold = self.paint("dim"), self.paint("bold")
        if bounds is None:
            text = "p selects the worst p99 spike, v or the mouse a stretch of time, enter opens it"
            return [(text, dim)]
        start, end = bounds
        store = self.store
        shown = TimeRange(start, end)
        head = "selected " if self.view.selection is not None else "cursor "
        text = f"{range_text(shown, store.info.wall_offset)} ({span(round(end - start, 3))})"
        pieces: list[Piece] = [(head, dim), (text, bold)]
        if self.view.selection is not None and self.view.selection.why:
            pieces.append((f" {self.view.selection.why}", self.paint("accent")))
        pieces.append((f"  {self.view.samples(start, end):,} samples", self.paint("")))
        last = store.stress.last
        if last is not None:
            low = start - 2 * last.interval
            for name, series, unit, pick in (
                ("ops/s", store.stress.rate, count, min),
                ("p99", store.stress.p99, duration, max),
            ):
                values = during(between(series, low, end + 5), start, end, last.interval)
                if values:
                    sign = "≥" if pick is min else "≤"
                    pieces.append((f"  {name} {sign}{unit(pick(values))}", dim))
        while len(pieces) > 3 and sum(width_of(t) for t, _ in pieces) > self.inner_width:
            pieces.pop()
        return pieces

    def _happened(self) -> list[Piece]:
        """The markers inside of what the words speak of."""
        bounds = self._current()
        pieces: list[Piece] = []
        for marker in self.store.markers.items:
            if bounds is not None and bounds[0] <= marker.time < bounds[1]:
                glyph = MARKER_GLYPHS[marker.kind]
                at = moment(round(marker.time + self.store.info.wall_offset, 1))
                pieces.append((f"{glyph} {safe_text(marker.text)} {at}   ", self.paint("")))
        if not pieces:
            text = "enter flamegraph   x drop" if self.view.selection is not None else ""
            pieces.append((text, self.paint("dim")))
        return pieces

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
        column = view.first + x - _EDGE
        if x < _EDGE or column > view.newest or column < view.oldest:
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
        x = max(_EDGE, min(self.inner_width - 1, offset.x))
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
