"""A line of styled pieces on its way to a Strip: clipping, padding, alignment in cells."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

Piece = tuple[str, Style]


def width_of(text: str) -> int:
    """Cells that the text takes."""
    return len(text) if text.isascii() else cell_len(text)


def clip(text: str, width: int) -> str:
    """The text in at most ``width`` cells, an ellipsis in place of what is cut."""
    if width_of(text) <= width:
        return text
    if width <= 1:
        return "…"[:width]
    return set_cell_size(text, width - 1).rstrip() + "…"


def clip_middle(text: str, width: int) -> str:
    """As ``clip``, but the middle goes: both ends of a path or a name say the most."""
    if width_of(text) <= width or width < 5:
        return clip(text, width)
    tail = (width - 1) // 2
    head = width - 1 - tail
    if text.isascii():
        return f"{text[:head]}…{text[-tail:]}"
    end = len(text)
    while width_of(text[end - 1 :]) <= tail:
        end -= 1
    return set_cell_size(text, head) + "…" + text[end:]


def fit(text: str, width: int, right: bool = False) -> str:
    """The text in exactly ``width`` cells: clipped, or padded on one side."""
    text = clip(text, width)
    pad = " " * (width - width_of(text))
    return pad + text if right else text + pad


def strip_of(pieces: Iterable[Piece], width: int, base: Style) -> Strip:
    """A Strip of exactly ``width`` cells; each piece's style lies over ``base``."""
    segments: list[Segment] = []
    used = 0
    for text, style in pieces:
        if not text:
            continue
        cells = width_of(text)
        if used + cells > width:
            text = clip(text, width - used)
            cells = width_of(text)
        if cells:
            segments.append(Segment(text, base + style if style else base))
        used += cells
        if used >= width:
            break
    if used < width:
        segments.append(Segment(" " * (width - used), base))
        used = width
    return Strip(segments, used)
