"""Colours of the SVG: a hue per kind of code, a shade per name, for light and dark pages."""

from __future__ import annotations

import colorsys
from functools import cache
from zlib import crc32

from kvtop.profile.frames import Frame, Kind

SHADES = 8

_Range = tuple[int, int]
_Page = tuple[int, int, int]
# Hues in degrees, then (saturation, lightness from, lightness to) in % for light and dark pages.
_HUES: dict[Kind, tuple[_Range, _Page, _Page]] = {
    Kind.PYTHON: ((146, 172), (46, 64, 76), (44, 23, 32)),
    Kind.NATIVE: ((34, 48), (86, 66, 77), (62, 25, 34)),
    Kind.KERNEL: ((4, 18), (78, 69, 79), (52, 31, 41)),
    Kind.GLUE: ((205, 222), (26, 74, 82), (20, 32, 39)),
    Kind.UNKNOWN: ((276, 292), (24, 76, 82), (20, 33, 39)),
    Kind.GROUP: ((220, 220), (10, 84, 88), (8, 24, 28)),
}


def shade(frame: Frame) -> int:
    """Which of the shades of its kind a frame has: the same in every file and every run."""
    return crc32(frame.symbol.encode("utf-8", "replace")) % SHADES


def fill_class(frame: Frame) -> str:
    """The CSS class that fills a frame's box."""
    return f"k{frame.kind:d}s{shade(frame)}"


@cache
def stylesheet() -> str:
    """One rule per kind and shade, and their dark counterparts."""
    light = "\n".join(_rules({kind: (hues, page) for kind, (hues, page, _) in _HUES.items()}))
    dark = "\n".join(_rules({kind: (hues, page) for kind, (hues, _, page) in _HUES.items()}))
    return f"{light}\n@media (prefers-color-scheme: dark){{\n{dark}\n}}\n"


def _rules(pages: dict[Kind, tuple[_Range, _Page]]) -> list[str]:
    return [
        f".k{kind:d}s{at},.k{kind:d}s{at}>rect{{fill:{_colour(hues, page, at)}}}"
        for kind, (hues, page) in pages.items()
        for at in range(SHADES)
    ]


def _colour(hues: _Range, page: _Page, at: int) -> str:
    (first, last), (saturation, low, high) = hues, page
    hue = first + (last - first) * at / (SHADES - 1)
    # Neighbouring hues get distant lightness, so that siblings stand apart.
    lightness = low + (high - low) * (at * 3 % SHADES) / (SHADES - 1)
    rgb = colorsys.hls_to_rgb(hue / 360, lightness / 100, saturation / 100)
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)
