"""Figures as text, and the axes of the charts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kvtop.report import words
from kvtop.report.blocks import Chart, Line, Mark
from kvtop.report.plots import chart_svg, clock_text, linear_ticks, log_ticks, time_ticks


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_figures() -> None:
    assert [words.number(n) for n in (0, 0.1234, 1.234, 12.34, 123.4, 1234567.8)] == [
        "0", "0.123", "1.23", "12.3", "123", "1,234,568",
    ]  # fmt: skip
    times = (0.0, 1.5e-7, 0.000899, 0.9994, 0.01234, 61.0)
    assert [plain(words.latency(t)) for t in times] == [
        "0 s", "0.15 µs", "899 µs", "999 ms", "12.3 ms", "61 s",
    ]  # fmt: skip
    assert [plain(words.span(s)) for s in (9.5, 60, 125, 3780)] == [
        "9.50 s", "60 s", "2 min 5 s", "1 h 3 min",
    ]  # fmt: skip
    assert [words.moment(s) for s in (0, 59.6, 3723)] == ["+0:00", "+1:00", "+1:02:03"]
    assert words.moment(59.96, 1) == "+1:00.0"
    assert [plain(words.size(n)) for n in (0, 2048, 3 << 20)] == ["0 B", "2 KiB", "3 MiB"]
    assert words.number(None) == words.latency(None) == words.percent(None) == words.NONE
    assert words.listing(["a", "b", "c"]) == "a, b and c"
    assert words.plural(1, "kill") == "1 kill" and words.plural(0, "kill") == "no kills"


@given(st.floats(1e-9, 1e12))
def test_linear_ticks_reach_the_greatest(most: float) -> None:
    ticks = linear_ticks(most)
    assert ticks[0] == 0 and ticks[-1] >= most * 0.99999 and 3 <= len(ticks) <= 7
    assert ticks[-2] < most * 1.00001


@given(st.floats(1e-6, 1e4), st.floats(1, 1e6))
def test_log_ticks_surround_all(least: float, times: float) -> None:
    ticks = log_ticks(least, least * times)
    assert ticks[0] <= least * 1.001 and ticks[-1] >= least * times * 0.999
    assert list(ticks) == sorted(set(ticks)) and 2 <= len(ticks) <= 16


@given(st.floats(0.5, 1e6), st.integers(3, 12))
def test_time_ticks_are_few(length: float, most: int) -> None:
    ticks = time_ticks(0.0, length, most)
    assert 1 <= len(ticks) <= most + 1 and ticks[0] == (0.0, "0:00")
    assert clock_text(3723) == "1:02:03"


def test_a_gap_breaks_the_line_and_one_point_is_a_dot() -> None:
    points = ((0.0, 1.0), (1.0, 2.0), (2.0, None), (3.0, 3.0), (4.0, None), (5.0, 1.0), (6.0, 1.0))
    chart = Chart("a<b", "x", words.number, (Line("one", points),), 0.0, 6.0, (Mark(3, "K", "<"),))
    svg = chart_svg(chart, 400)
    assert svg.count("<polyline") == 2 and svg.count("<circle") == 1
    assert "a&lt;b" in svg and "<title>&lt;</title>" in svg


def test_many_points_keep_their_extremes() -> None:
    points = tuple((n / 100, 50.0 if n == 4321 else 1.0) for n in range(10_000))
    chart = Chart("t", "x", words.number, (Line("one", points),), 0.0, 100.0)
    svg = chart_svg(chart, 400)
    assert svg.count(",") < 2000
    # The peak is drawn at its height: the top of the scale.
    assert ",24.0" in svg


def test_nothing_and_zeroes_are_drawn() -> None:
    zero = Chart("t", "x", words.number, (Line("one", ((0.0, 0.0), (1.0, 0.0))),), 0.0, 1.0)
    assert "<polyline" in chart_svg(zero, 400)
    log = Chart(
        "t", "x", words.number, (Line("one", ((0.0, 0.0), (1.0, 2.0))),), 0.0, 1.0, (), True
    )
    assert "<circle" in chart_svg(log, 400)
