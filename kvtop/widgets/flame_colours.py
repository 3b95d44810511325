"""Colours of flamegraph boxes: a hue per kind from the theme, a steady shade per name."""

from __future__ import annotations

from zlib import crc32

from rich.style import Style
from textual.color import Color

from kvtop.profile.frames import Frame, Kind
from kvtop.widgets.flame_rows import Look

SHADES = 7
COMPONENTS = {
    Kind.PYTHON: "flame--python",
    Kind.NATIVE: "flame--native",
    Kind.KERNEL: "flame--kernel",
    Kind.GLUE: "flame--glue",
    Kind.UNKNOWN: "flame--unknown",
    Kind.GROUP: "flame--group",
}
_ATTRIBUTES = {
    Kind.PYTHON: Style(),
    Kind.NATIVE: Style(),
    Kind.KERNEL: Style(italic=True),
    Kind.GLUE: Style(italic=True),
    Kind.UNKNOWN: Style(italic=True),
    Kind.GROUP: Style(bold=True),
}


def shade_of(frame: Frame) -> int:
    """A number below ``SHADES`` that a name keeps from run to run."""
    return crc32(frame.symbol.encode("utf-8", "replace")) % SHADES


class Palette:
    """Looks of boxes for one theme: plain, faded and brightened.

    ``bases`` are the theme's colours per kind. Colours of a 16-colour theme cannot be shaded and
    are taken as they are; with ``mono`` there is none at all.
    """

    def __init__(self, bases: dict[Kind, Color], background: Color, mono: bool) -> None:
        self.mono = mono
        self._bases = bases
        self._background = background
        self._looks: dict[tuple[Kind, int, str], Look] = {}

    def look(self, frame: Frame, mood: str = "") -> Look:
        """The look of a frame's box; ``mood`` is "", "faded" or "bright"."""
        key = frame.kind, shade_of(frame), mood
        known = self._looks.get(key)
        if known is None:
            known = self._looks[key] = self._make(*key)
        return known

    def _make(self, kind: Kind, shade: int, mood: str) -> Look:
        attributes = _ATTRIBUTES[kind]
        if self.mono:
            extra = Style(bold=True) if mood == "bright" else Style(dim=mood == "faded" or None)
            return Look(Style(underline=True) + attributes + extra, None)
        base = self._bases[kind]
        if base.ansi is not None:
            text = Color.parse("ansi_black").rich_color
            fill = base.rich_color
            extra = Style(bold=True) if mood == "bright" else Style()
            return Look(Style(color=text, bgcolor=fill) + attributes + extra, fill)
        colour = _shaded(base, shade)
        if mood == "faded":
            colour = self._background.blend(colour, 0.4)
        elif mood == "bright":
            colour = colour.lighten(0.12)
        text_colour = colour + colour.get_contrast_text(0.9)
        fill = colour.rich_color
        return Look(Style(color=text_colour.rich_color, bgcolor=fill) + attributes, fill)


def _shaded(base: Color, shade: int) -> Color:
    """One of the shades around a base: lighter or darker, the hue a little to either side."""
    hue, saturation, lightness = base.hsl
    turn = (shade * 3 % SHADES - SHADES // 2) / SHADES
    hue = (hue + turn * 0.07) % 1.0
    lightness = min(0.8, max(0.2, lightness * (0.86 + 0.3 * shade / (SHADES - 1))))
    return Color.from_hsl(hue, saturation * 0.8, lightness)
