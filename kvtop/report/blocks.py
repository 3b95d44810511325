"""What a report consists of, whatever it is written as. All texts are raw: writers escape them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from kvtop.profile.advice import Finding

Points = tuple[tuple[float, float | None], ...]
"""(seconds since the report's beginning, figure), in time order; None is a gap."""


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; ``quiet`` is a remark beside the point."""

    text: str
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """Lines to be copied into a shell."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text; ``align`` has a letter per column: l, r, or c for code, on the left.

    ``shares`` (0..1, a row each) are shown as a bar behind the first column.
    """

    head: tuple[str, ...]
    align: str
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    shares: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart."""

    name: str
    points: Points


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment that every chart marks, with a letter."""

    time: float
    letter: str
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over time, from ``start`` to ``end`` seconds; ``show`` writes a figure with its unit.

    ``quantity`` says what the axis has; ``log`` gives it a logarithmic scale.
    """

    title: str
    quantity: str
    show: Callable[[float], str]
    lines: tuple[Line, ...]
    start: float
    end: float
    marks: tuple[Mark, ...] = ()
    log: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar per row, made of shares (0..1) by name; ``classes`` has the colour of each name."""

    title: str
    rows: tuple[tuple[str, tuple[tuple[str, float], ...]], ...]
    classes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Flame:
    """An interactive flamegraph: the text of an SVG that `kvtop.export` wrote."""

    title: str
    text: str
    svg: str


@dataclass(frozen=True, slots=True)
class Advice:
    """A finding; ``of`` is the whole of which its functions' shares are."""

    finding: Finding
    of: str


Block = Text | Code | Table | Chart | Bars | Flame | Advice


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it; ``id`` is its anchor, letters only."""

    id: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure of the head of the page."""

    name: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class Report:
    """The whole of it. ``summary`` are sentences."""

    title: str
    subtitle: str
    summary: tuple[str, ...]
    tiles: tuple[Tile, ...]
    sections: tuple[Section, ...]
    made: str
    """Who made it of what, for the end of the page."""
    left_out: tuple[str, ...] = field(default=())
    """What this file cannot tell, a sentence each."""
