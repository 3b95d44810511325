"""Colours and cells of layers: one colour per layer in every pane, bars of whole cells."""

from __future__ import annotations

from collections.abc import Sequence

from kvtop.profile.layers import BUILT_IN, OTHER

# (true colour, of the terminal's 16); dark text is legible on all of them.
_COLOURS = (
    ("#5aa7e6", "ansi_bright_blue"),
    ("#e3a83b", "ansi_yellow"),
    ("#bd8ae6", "ansi_bright_magenta"),
    ("#6cc070", "ansi_bright_green"),
    ("#e98aac", "ansi_magenta"),
    ("#ddd465", "ansi_bright_yellow"),
    ("#e8825f", "ansi_red"),
    ("#56c4c4", "ansi_cyan"),
    ("#f06a6a", "ansi_bright_red"),
    ("#ccd2dc", "ansi_white"),
    ("#a9c681", "ansi_green"),
    ("#cfae8c", "ansi_bright_cyan"),
    ("#93a9f0", "ansi_blue"),
    ("#808898", "ansi_bright_black"),
)
_OWN, _OTHER = len(BUILT_IN), len(_COLOURS) - 1
CLASSES = frozenset(f"pane--layer-{n}" for n in range(len(_COLOURS)))
"""Component classes for a widget that paints layers."""


def css(widget: str) -> str:
    """The rules of those classes for a widget's DEFAULT_CSS."""
    rules = []
    for n, (true, ansi) in enumerate(_COLOURS):
        dark = "ansi_white" if ansi == "ansi_bright_black" else "ansi_black"
        rules.append(f"& > .pane--layer-{n} {{ background: {true}; color: #101418; }}")
        rules.append(f"&:ansi > .pane--layer-{n} {{ background: {ansi}; color: {dark}; }}")
    odd = (f"&:nocolor > .pane--layer-{n} {{ text-style: reverse; }}" for n in (*range(1, 13, 2),))
    return f"{widget} {{\n" + "\n".join([*rules, *odd]) + "\n}\n"


def style_of(layer: str, names: Sequence[str]) -> str:
    """The name of a layer's style; ``names`` are all layers, for the user's own ones."""
    if layer in BUILT_IN:
        return f"layer-{BUILT_IN.index(layer)}"
    if layer == OTHER:
        return f"layer-{_OTHER}"
    own = [name for name in names if name not in BUILT_IN and name != OTHER]
    at = own.index(layer) if layer in own else 0
    return f"layer-{_OWN + at % (_OTHER - _OWN)}"


def cells(weights: Sequence[float], width: int) -> list[int]:
    """Whole cells per weight, ``width`` in all, by largest remainder; all 0 of nothing."""
    total = sum(weights)
    if total <= 0 or width <= 0:
        return [0] * len(weights)
    exact = [weight * width / total for weight in weights]
    found = [int(part) for part in exact]
    order = sorted(range(len(weights)), key=lambda n: found[n] - exact[n])
    for n in order[: width - sum(found)]:
        found[n] += 1
    return found
