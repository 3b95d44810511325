"""Figures as short text of bounded width, so that columns do not jump from tick to tick."""

from __future__ import annotations

import time

NONE = "–"
"""Stands for a figure that could not be measured."""

_SI = (("G", 1e9), ("M", 1e6), ("k", 1e3))
_BINARY = (("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10))


def digits3(value: float) -> str:
    """Three significant digits below 1000, at most four characters: 0.12, 1.23, 12.3, 123."""
    size = abs(value)
    if size < 0.0005:
        return "0"
    if size < 9.995:
        return f"{value:.2f}"
    return f"{value:.1f}" if size < 99.95 else f"{value:.0f}"


def count(value: float | None) -> str:
    """A count or rate: 0, 12.3, 999, 1.23k, 45.6M; at most five characters plus sign."""
    if value is None:
        return NONE
    for suffix, unit in _SI:
        if abs(value) >= unit * 0.9995:
            return digits3(value / unit) + suffix
    if value == int(value):
        return str(int(value))
    return digits3(value)


def whole(value: int | None) -> str:
    """An exact count, such as a term or a log index."""
    return NONE if value is None else str(value)


def size(value: float | None) -> str:
    """Bytes in powers of 1024: 512, 12.3K, 1.50G."""
    if value is None:
        return NONE
    for suffix, unit in _BINARY:
        if value >= unit:
            return digits3(value / unit) + suffix
    return str(int(value))


def duration(seconds: float | None) -> str:
    """A latency with its unit: 12.3µs, 1.23ms, 4.56s; at most six characters."""
    if seconds is None:
        return NONE
    if abs(seconds) < 0.0009995:
        return digits3(seconds * 1e6) + "µs" if seconds else "0s"
    if abs(seconds) < 0.9995:
        return digits3(seconds * 1e3) + "ms"
    return digits3(seconds) + "s"


def percent(value: float | None, places: int = 1) -> str:
    """A percentage without its sign: 0.1, 12.3, 100.0."""
    return NONE if value is None else f"{value:.{places}f}"


def span(seconds: float) -> str:
    """A length of time as people say it: 30s, 5m, 1h30m."""
    whole_seconds = round(seconds)
    if whole_seconds < 60:
        return f"{seconds:g}s" if seconds < 10 else f"{whole_seconds}s"
    minutes, rest = divmod(whole_seconds, 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s" if rest else f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if minutes else f"{hours}h"


def clock(wall: float, seconds: bool = True) -> str:
    """Local time of day of a Unix time."""
    return time.strftime("%H:%M:%S" if seconds else "%H:%M", time.localtime(wall))
