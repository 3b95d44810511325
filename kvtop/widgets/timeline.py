"""The timeline pane: throughput, tail latency and samples on one time axis, with what happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.strip import Strip

from kvtop.profile.series import Series
from kvtop.store import Store
from kvtop.widgets.base import Help, Pane
from kvtop.widgets.chart import Line, marker_row, time_axis, time_span
from kvtop.widgets.figures import count, duration, span
from kvtop.widgets.plots import newest_time, titled_chart

SPANS = (60.0, 180.0, 600.0)
"""Lengths of the time axis, in seconds, that ``w`` goes through."""
_LABELS = 9


class TimelinePane(Pane):
    """Charts above each other; markers run through all of them and say at the top what they are."""

    NAME = "Timeline"
    COLLECTORS: ClassVar[tuple[str, ...]] = ()
    BINDINGS: ClassVar[list[BindingType]] = [Binding("w", "next_span", "time span", show=False)]
    KEYS_HELP: ClassVar[list[Help]] = [("w", "time span: 1, 3 or 10 minutes")]

    def __init__(self, store: Store, *, id: str | None = None) -> None:
        super().__init__(store, id=id)
        self.seconds = SPANS[1]

    def action_next_span(self) -> None:
        """Show a longer stretch of time, or the shortest again."""
        self.seconds = SPANS[(SPANS.index(self.seconds) + 1) % len(SPANS)]
        self.describe()
        self.redraw()

    def data_revision(self) -> object:
        # A column is seconds wide: once a second is often enough.
        stress, rate = self.store.stress.rate.last_time, self.store.sample_rate.last_time
        return int(stress or 0), int(rate or 0), self.store.markers.revision

    def describe(self) -> None:
        markers = self.store.markers.items
        self.set_state(span(self.seconds), f"last: {markers[-1].text}" if markers else "")

    def _tracks(self) -> list[tuple[str, Series, Callable[[float | None], str], str]]:
        store = self.store
        tracks: list[tuple[str, Series, Callable[[float | None], str], str]] = []
        if store.stress.last is not None:
            tracks.append(("ops/s", store.stress.rate, count, "first"))
            tracks.append(("p99", store.stress.p99, duration, "second"))
        tracks.append(("samples/s", store.sample_rate, count, "third"))
        return tracks

    def draw(self, width: int, height: int) -> list[Strip]:
        tracks = self._tracks()
        axis_span = time_span(newest_time(self.store), self.seconds, width - _LABELS - 1)
        dim = self.paint("dim")
        lines: list[Strip] = []
        markers = list(self.store.markers.items)
        room = height - 2
        while len(tracks) > 1 and room // len(tracks) < 2:
            tracks.pop()
        marks = marker_row(markers, axis_span, self.paint)
        lines.append(self.line([(" " * (_LABELS + 1), dim), *marks]))
        for number, (name, series, unit, style) in enumerate(tracks):
            rows = room // (len(tracks) - number)
            room -= rows
            paint = self.paint(style)
            now = "" if series.last is None else f" {unit(series.last)}"
            lines += titled_chart(
                self,
                [(f"─ {name}", paint), (now, dim)],
                [Line(series.since(axis_span.start - 5), paint)],
                axis_span,
                rows,
                unit,
                _LABELS,
                name,
            )
        lines.append(self.line(time_axis(axis_span, _LABELS, self.store.info.wall_offset, dim)))
        return lines
