"""Figures as a text has them: three significant digits, a space before the unit."""

from __future__ import annotations

from collections.abc import Sequence

NONE = "–"
"""Stands for a figure that was not measured."""
_SPACE = "\u00a0"
"""Keeps a figure and its unit on one line."""


def number(value: float | None) -> str:
    """1,234,567, 2,057, 12.3, 0.123; three significant digits below 1,000."""
    if value is None:
        return NONE
    size = abs(value)
    if size >= 99.95 or value == int(value):
        return f"{value:,.0f}"
    if size >= 9.995:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.9995 else f"{value:.3g}"


def whole(value: float | None) -> str:
    """A count."""
    return NONE if value is None else f"{value:,.0f}"


def latency(seconds: float | None) -> str:
    """A duration of an operation: 899 µs, 12.3 ms, 1.23 s."""
    if seconds is None:
        return NONE
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale * 0.9995:
            return f"{number(seconds / scale)}{_SPACE}{unit}"
    return f"{number(seconds * 1e6)}{_SPACE}µs" if seconds else f"0{_SPACE}s"


def percent(share: float | None, places: int = 1) -> str:
    """A share (0..1): 12.3 %."""
    return NONE if share is None else f"{100 * share:.{places}f}{_SPACE}%"


def size(value: float | None) -> str:
    """Bytes: 12.3 MiB."""
    if value is None:
        return NONE
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value >= scale:
            return f"{number(value / scale)}{_SPACE}{unit}"
    return f"{number(value)}{_SPACE}B"


def span(seconds: float) -> str:
    """A length of time: 9.5 s, 60 s, 2 min 5 s, 1 h 3 min."""
    if seconds < 120:
        return f"{number(seconds)}{_SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{_SPACE}min" + (f" {rest}{_SPACE}s" if rest else "")
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{_SPACE}h" + (f" {minutes}{_SPACE}min" if minutes else "")


def moment(seconds: float, places: int = 0) -> str:
    """A time since the recording began: +0:32, +1:02:03."""
    seconds = round(max(0.0, seconds), places)
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    wide = 3 + places if places else 2
    tail = f"{rest:0{wide}.{places}f}"
    return f"+{hours}:{minutes:02d}:{tail}" if hours else f"+{minutes}:{tail}"


def plural(count: int, one: str, more: str = "") -> str:
    """1 kill, 2 kills, no kills."""
    word = one if count == 1 else more or f"{one}s"
    return f"{count:,} {word}" if count else f"no {word}"


def listing(parts: Sequence[str]) -> str:
    """a, b and c."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
