"""Charts as SVG: axes with units, a legend of figures, and the moments that are marked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, isfinite, log10

from kvtop.profile.text import safe_text
from kvtop.report.blocks import Chart, Line, Points
from kvtop.report.history import middle

WIDE, NARROW = 920, 360
"""Width of the two drawings that a page has of each chart, px."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 24, 26
_HEIGHT = 216
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a figure is drawn, px from the top; ``ticks`` are the figures with a line."""

    at: Callable[[float], float]
    ticks: tuple[float, ...]


def chart_svg(chart: Chart, width: int) -> str:
    """One chart as an SVG element, without its title and legend."""
    right, bottom = width - _RIGHT, _HEIGHT - _BOTTOM
    scale = _log_scale(chart, bottom) if chart.log else _linear_scale(chart, bottom)
    length = chart.end - chart.start

    def x_of(time: float) -> float:
        return _LEFT + (time - chart.start) / length * (right - _LEFT)

    label = escape(safe_text(f"{chart.title}, {chart.quantity}"), quote=True)
    parts = [
        f'<svg class="plot" viewBox="0 0 {width} {_HEIGHT}" width="{width}" height="{_HEIGHT}" '
        f'role="img" aria-label="{label}">'
    ]
    for tick in scale.ticks:
        y = scale.at(tick)
        text = escape(chart.show(tick))
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{_LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
        )
    for time, text in time_ticks(chart.start, chart.end, (right - _LEFT) // 70):
        x = x_of(time)
        parts.append(
            f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}"/>'
            f'<text class="tick" x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{text}</text>'
        )
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    parts += _marks(chart, x_of, right, bottom)
    # The first line is drawn last, on top of those that it shares points with.
    for at, line in reversed(list(enumerate(chart.lines))):
        parts += _curve(line, at, chart, x_of, scale, right - _LEFT)
    parts.append("</svg>")
    return "".join(parts)


def figures(line: Line) -> tuple[float, float, float] | None:
    """Least, median and greatest figure of a line; None where it has none."""
    known = [value for _, value in line.points if value is not None]
    middle_one = middle(known)
    return None if middle_one is None else (min(known), middle_one, max(known))


def _marks(chart: Chart, x_of: Callable[[float], float], right: int, bottom: int) -> Iterator[str]:
    edge = 0.0
    for mark in chart.marks:
        if not chart.start <= mark.time <= chart.end:
            continue
        x = x_of(mark.time)
        title = f"<title>{escape(safe_text(mark.text))}</title>"
        yield (
            f'<g class="mark">{title}'
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 6}" y2="{bottom}"/>'
        )
        # Letters that would cover one another are left out; their lines stay.
        if x >= edge:
            yield (
                f'<rect x="{x - 7:.1f}" y="2" width="14" height="15" rx="3"/>'
                f'<text x="{x:.1f}" y="13" text-anchor="middle">{escape(mark.letter)}</text>'
            )
            edge = x + 16
        yield "</g>"


def _curve(
    line: Line,
    number: int,
    chart: Chart,
    x_of: Callable[[float], float],
    scale: _Scale,
    pixels: int,
) -> Iterator[str]:
    for run in _runs(line.points, chart.start, chart.end, chart.log):
        drawn = [(x_of(time), scale.at(value)) for time, value in _thinned(run, chart, pixels)]
        if len(drawn) == 1:
            (x, y), *_ = drawn
            yield f'<circle class="dot c{number}" cx="{x:.1f}" cy="{y:.1f}" r="2"/>'
        else:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)
            yield f'<polyline class="line c{number}" points="{path}"/>'


def _runs(points: Points, start: float, end: float, log: bool) -> list[list[tuple[float, float]]]:
    """The points in pieces without a gap; a logarithmic axis has no place for 0."""
    runs: list[list[tuple[float, float]]] = [[]]
    for time, value in points:
        if value is None or not isfinite(value) or (log and value <= 0):
            runs.append([])
        elif start <= time <= end:
            runs[-1].append((time, value))
    return [run for run in runs if run]


def _thinned(
    run: Sequence[tuple[float, float]], chart: Chart, pixels: int
) -> list[tuple[float, float]]:
    """Of each pixel's points the least and the greatest, in the order of time."""
    if len(run) <= 2 * pixels:
        return list(run)
    columns: dict[int, list[tuple[float, float]]] = {}
    for time, value in run:
        at = int((time - chart.start) / (chart.end - chart.start) * pixels)
        columns.setdefault(at, []).append((time, value))
    found = []
    for points in columns.values():
        low, high = min(points, key=lambda p: p[1]), max(points, key=lambda p: p[1])
        found += sorted({low, high})
    return found


# ---- axes ---------------------------------------------------------------------------------------


def _values(chart: Chart) -> list[float]:
    return [
        value
        for line in chart.lines
        for _, value in line.points
        if value is not None and isfinite(value)
    ]


def _linear_scale(chart: Chart, bottom: int) -> _Scale:
    ticks = linear_ticks(max(_values(chart), default=0.0))
    top = ticks[-1]
    return _Scale(lambda value: bottom - (bottom - _TOP) * max(0.0, value) / top, ticks)


def linear_ticks(most: float) -> tuple[float, ...]:
    """From 0 to the first round figure that is no less: 3 to 7 figures."""
    if most <= 0:
        return (0.0, 1.0)
    raw = most / 5
    power = 10.0 ** floor(log10(raw))
    step = next(power * n for n in (1, 2, 2.5, 5, 10) if power * n >= raw * 0.999)
    count = ceil(most / step - 1e-9)
    return tuple(float(f"{step * n:.6g}") for n in range(count + 1))


def _log_scale(chart: Chart, bottom: int) -> _Scale:
    known = [value for value in _values(chart) if value > 0]
    ticks = log_ticks(min(known), max(known))
    low, high = log10(ticks[0]), log10(ticks[-1])

    def at(value: float) -> float:
        return bottom - (bottom - _TOP) * (log10(value) - low) / (high - low)

    return _Scale(at, ticks)


def log_ticks(least: float, most: float) -> tuple[float, ...]:
    """Steps of 1, 2 and 5, or of 10 where those were too many, around both figures."""
    low, high = floor(log10(least)), ceil(log10(most) + 1e-9)
    fine = [float(f"{n}e{power}") for power in range(low, high + 1) for n in (1, 2, 5)]
    first = max(at for at, tick in enumerate(fine) if tick <= least * 1.0001)
    last = min(at for at, tick in enumerate(fine) if tick >= most * 0.9999)
    if last == first:
        last += 1
    chosen = fine[first : last + 1]
    if len(chosen) <= 7:
        return tuple(chosen)
    return tuple(float(f"1e{power}") for power in range(low, high + 1))


def time_ticks(start: float, end: float, most: int) -> list[tuple[float, str]]:
    """Round times and their texts (0:30, 1:02:00), at most so many."""
    length = end - start
    step = next((s for s in _STEPS if length / s <= max(1, most)), ceil(length / max(1, most)))
    steps = range(ceil(start / step), floor(end / step + 1e-9) + 1)
    return [(float(number * step), clock_text(number * step)) for number in steps]


def clock_text(seconds: int) -> str:
    """0:05, 12:30, 1:02:00."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
