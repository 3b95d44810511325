"""Charts: scale, gaps that stay gaps, markers, and a steady time axis."""

from __future__ import annotations

from rich.style import Style

from kvtop.events import Marker, MarkerKind
from kvtop.widgets.chart import (
    Line,
    Points,
    TimeSpan,
    chart,
    marker_row,
    nice_ceiling,
    plot,
    time_axis,
    time_span,
)
from kvtop.widgets.figures import count
from kvtop.widgets.line import Piece

NULL = Style()
SPAN = TimeSpan(0.0, 20.0, 20)


def text(pieces: list[Piece]) -> str:
    return "".join(part for part, _ in pieces)


def drawn(points: Points, height: int = 2) -> list[str]:
    return [text(row) for row in plot([Line(points, NULL)], SPAN, height, 10.0)]


def test_a_constant_is_a_level_line() -> None:
    assert drawn([(float(t), 10.0) for t in range(20)]) == ["⠉" * 19 + "⠁", " " * 20]
    assert drawn([(float(t), 0.0) for t in range(20)]) == [" " * 20, "⣀" * 19 + "⡀"]


def test_a_missing_value_is_a_gap_and_not_zero() -> None:
    points: list[tuple[float, float | None]] = [(float(t), 10.0) for t in range(20)]
    points[8:12] = [(float(t), None) for t in range(8, 12)]
    top, bottom = drawn(points)
    assert top[8:12] == "    "
    assert top[6] != " " and top[13] != " "
    assert bottom == " " * 20


def test_silence_is_a_gap_too() -> None:
    points = [(float(t), 10.0) for t in range(5)] + [(float(t), 10.0) for t in range(15, 20)]
    assert drawn(points)[0][6:15].strip() == ""


def test_a_step_is_joined_by_a_vertical() -> None:
    top, bottom = drawn([(0.0, 0.0), (10.0, 0.0), (10.5, 10.0), (19.0, 10.0)])
    assert set(bottom[:10]) == {"⣀"}
    assert bottom[10] != " " and top[10] != " "


def test_the_scale_ends_on_a_round_figure() -> None:
    assert [nice_ceiling(v) for v in (0, 0.7, 1, 1.1, 3, 49, 51, 3400)] == [
        1.0, 1.0, 1.0, 2.0, 5.0, 50.0, 100.0, 5000.0,
    ]  # fmt: skip
    rows = chart([Line([(1.0, 3400.0)], NULL)], SPAN, 3, unit=count, label_width=6, dim=NULL)
    assert [text(row)[:7] for row in rows] == [" 5.00k┤", "      │", "     0┤"]
    assert {len(text(row)) for row in rows} == {27}


def test_points_keep_their_place_while_time_goes_on() -> None:
    # Within one dot column of time the axis stands still, then it moves by exactly one.
    first, same, later = (time_span(t, 60.0, 30) for t in (100.1, 100.9, 101.1))
    assert first == same
    assert later.end - first.end == 1.0


def test_markers_leave_the_curve_alone() -> None:
    rows = chart(
        [Line([(float(t), 10.0) for t in range(20)], NULL)],
        SPAN,
        2,
        unit=count,
        label_width=3,
        dim=NULL,
        markers=[(5, "✕", NULL)],
    )
    assert text(rows[0])[4:].find("┊") == -1
    assert text(rows[1])[4 + 5] == "┊"


def test_marker_words_are_whole_or_missing() -> None:
    markers = [
        Marker(2.0, MarkerKind.KILL, "node2 killed", "node2"),
        Marker(11.0, MarkerKind.ELECTION, "node1 is leader in term 7", "node1"),
        Marker(99.0, MarkerKind.NOTE, "later"),
    ]
    line = text(marker_row(markers, SPAN, lambda name: NULL))
    assert line == "  ✕ node2  ♛ node1"


def test_the_axis_names_its_ends() -> None:
    axis = text(time_axis(TimeSpan(0.0, 120.0, 40), 6, 0.0, NULL))
    assert axis.split() == ["-2m", "-1m", "00:02:00"]
    assert len(axis) == 47
