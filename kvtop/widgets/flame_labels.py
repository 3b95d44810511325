"""Names of functions in the cells that a box has."""

from __future__ import annotations

from functools import lru_cache

from kvtop.profile import labels
from kvtop.widgets.line import clip_middle, width_of

LEAST = 3
"""Cells below which a box carries no name: a fragment would only be noise."""


@lru_cache(maxsize=16384)
def shorten(symbol: str, width: int) -> str:
    """The symbol in at most ``width`` cells, '' where nothing legible fits."""
    if width_of(symbol) <= width:
        return symbol
    if width < LEAST:
        return ""
    label = labels.shorten(symbol, width)
    if width_of(label) > width:
        # Characters of two cells.
        label = labels.shorten(symbol, width // 2)
    return clip_middle(label, width)
