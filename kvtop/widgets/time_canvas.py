"""How the time map looks: a heatmap of samples over curves on the same axis, and words on both."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual.strip import Strip

from kvtop.profile.heat import HeatColumns
from kvtop.profile.scope import TimeRange
from kvtop.profile.text import safe_text
from kvtop.store import Store
from kvtop.widgets.base import Pane
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
from kvtop.widgets.time_tracks import Track, between, during, tracks
from kvtop.widgets.time_view import Bounds, TimeView

_LABELS = 9
EDGE = _LABELS + 1
"""Cells before the first column."""
_SETTLED = 5.0
"""Seconds after which no more late samples and figures are looked for."""
_TICKS = (10, 15, 20, 30)
"""Columns between two times on the axis."""


class TimeCanvas(Pane):
    """Columns of time with what is selected of them; keys and mouse are its subclass's.

    ``label`` limits samples and counters to one target.
    """

    NAME = "Time"
    COLLECTORS = ("perf_record",)
    COMPONENT_CLASSES: ClassVar[set[str]] = {"heat--low", "heat--high", "heat--cursor"}
    DEFAULT_CSS = """
    TimeCanvas {
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
        view.cells = max(1, self.inner_width - EDGE)
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
