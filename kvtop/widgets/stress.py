"""The stress pane: throughput and latency of the clients, now and over the last minutes."""

from __future__ import annotations

from typing import ClassVar

from textual.strip import Strip

from kvtop.widgets.base import Pane
from kvtop.widgets.chart import Line, chart, marker_columns, time_axis, time_span
from kvtop.widgets.figures import count, duration
from kvtop.widgets.line import Piece, fit
from kvtop.widgets.plots import newest_time, titled_chart

HISTORY = 120.0
"""Seconds of history in the plots."""
_LABELS = 6


class StressPane(Pane):
    """Figures of the last interval at the top or the left, plots of ops/s and p99 in the rest."""

    NAME = "Stress"
    COLLECTORS: ClassVar[tuple[str, ...]] = ("stress",)

    def data_revision(self) -> object:
        return self.store.stress.revision, self.store.markers.revision

    def describe(self) -> None:
        last = self.store.stress.last
        if last is not None:
            clients = f"{last.clients} client{'' if last.clients == 1 else 's'}"
            self.set_state(clients, f"{count(last.total_operations)} ops so far")

    def draw(self, width: int, height: int) -> list[Strip]:
        lines = self.complaint_lines()
        if self.store.stress.last is None:
            return lines or [self.line([("no operation yet", self.paint("dim"))])]
        figures = self._figures()
        rest = height - len(lines)
        if rest < 8 and width >= 64:
            return lines + self._beside(figures, width, rest)
        columns = max(1, width // 22)
        rows = -(-len(figures) // columns)
        cell = width // columns
        for first in range(rows):
            pieces: list[Piece] = []
            for label, text, style in figures[first::rows]:
                pieces += [
                    (fit(label, 8), self.paint("dim")),
                    (fit(text, min(cell - 9, 9), right=True), self.paint(style)),
                    (" " * (cell - 8 - min(cell - 9, 9)), self.paint("")),
                ]
            lines.append(self.line(pieces))
        return lines + self._plots(width, height - len(lines))

    def _figures(self) -> list[tuple[str, str, str]]:
        last = self.store.stress.last
        assert last is not None
        per = last.interval or 1.0
        return [
            ("ops/s", count(last.rate), "bold"),
            ("reads/s", count(last.reads / per), ""),
            ("writes/s", count(last.writes / per), ""),
            ("p50", duration(last.p50), ""),
            ("p99", duration(last.p99), "bold"),
            ("p99.9", duration(last.p999), ""),
            ("errors/s", count(last.errors / per), "bad" if last.errors else ""),
            ("errors", count(last.total_errors), "warn" if last.total_errors else ""),
        ]

    def _beside(self, figures: list[tuple[str, str, str]], width: int, height: int) -> list[Strip]:
        """Figures in two columns at the left, one plot of each kind at their right."""
        null = self.paint("")
        rows = min(height, 4)
        left: list[list[Piece]] = []
        for index in range(rows):
            pieces: list[Piece] = []
            for label, text, style in figures[index : index + rows + 1 : rows]:
                pieces += [
                    (fit(label, 8), self.paint("dim")),
                    (fit(text, 7, right=True), self.paint(style)),
                    ("   ", null),
                ]
            left.append(pieces)
        room = width - 2 * 18
        half = room // 2
        span = time_span(newest_time(self.store), HISTORY, half - _LABELS - 2)
        stress = self.store.stress
        charts = []
        for name, series, unit, style in (
            ("ops/s", stress.rate, count, "first"),
            ("p99", stress.p99, duration, "second"),
        ):
            rows_ = chart(
                [Line(series.since(span.start - 5), self.paint(style))],
                span,
                rows,
                unit=unit,
                label_width=_LABELS,
                dim=self.paint("dim"),
                name=name,
                markers=marker_columns(list(self.store.markers.items), span, self.paint),
            )
            charts.append(rows_)
        return [
            self.line([*left[index], *charts[0][index], (" ", null), *charts[1][index]])
            for index in range(rows)
        ]

    def _plots(self, width: int, height: int) -> list[Strip]:
        if height < 3:
            return []
        span = time_span(newest_time(self.store), HISTORY, width - _LABELS - 1)
        stress = self.store.stress
        dim = self.paint("dim")
        first = self.paint("first")
        axis = height >= 7
        room = height - axis
        upper = room - room // 2 if room >= 6 else room
        lines = titled_chart(
            self,
            [("─ ops/s", first)],
            [Line(stress.rate.since(span.start - 5), first)],
            span,
            upper,
            count,
            _LABELS,
            "ops/s",
        )
        if room >= 6:
            tail, middle = self.paint("second"), self.paint("third")
            lines += titled_chart(
                self,
                [("─ p99", tail), ("   ┄ p50", middle), ("  latency", dim)],
                [
                    Line(stress.p50.since(span.start - 5), middle, dashed=True),
                    Line(stress.p99.since(span.start - 5), tail),
                ],
                span,
                room - upper,
                duration,
                _LABELS,
                "p99",
            )
        if axis:
            lines.append(self.line(time_axis(span, _LABELS, self.store.info.wall_offset, dim)))
        return lines
