"""Names of functions in the room that a box has: what says least goes first."""

from __future__ import annotations

import re
from functools import lru_cache

from kvtop.widgets.line import clip_middle, width_of

_SUFFIXES = re.compile(
    r"(@.*|(\.(cold|isra|part|constprop|lto_priv|llvm)(\.\d+)?)+|\s?\[clone .*\])$"
)
_PAIRS = {"(": ")", "<": ">", "{": "}", "[": "]"}
LEAST = 3
"""Cells below which a box carries no name: a fragment would only be noise."""


def without_arguments(symbol: str) -> str:
    """The symbol without argument lists: ``a::b(int) const`` becomes ``a::b``."""
    result = _drop(symbol, "(", keep=("operator", "("))
    return result.removesuffix(" const").strip() or symbol


def without_templates(symbol: str) -> str:
    """The symbol without template arguments: ``a<int>::b`` becomes ``a::b``."""
    at = symbol.find("operator")
    # The angle brackets of operator<, operator-> and operator<<= are names, not arguments.
    head, tail = (symbol, "") if at < 0 else (symbol[:at], symbol[at:])
    result = _drop(head, "<").replace("::::", "::") + tail
    return result.removeprefix("::").strip() or symbol


def _drop(symbol: str, opening: str, keep: tuple[str, str] = ("", "")) -> str:
    """Take out balanced groups that start with ``opening``; unbalanced text stays as it is."""
    closing = _PAIRS[opening]
    result: list[str] = []
    depth = 0
    for at, char in enumerate(symbol):
        if char == opening:
            before = symbol[:at]
            if depth == 0 and (
                (keep[0] and before.endswith(keep[0])) or symbol.startswith("(anonymous", at)
            ):
                result.append("()" if before.endswith(keep[0]) else "(anonymous)")
                depth = 1
                continue
            depth += 1
        elif char == closing and depth and not (closing == ">" and symbol[at - 1] == "-"):
            depth -= 1
        elif not depth:
            result.append(char)
    return "".join(result) if not depth else symbol


def without_suffixes(symbol: str) -> str:
    """The symbol without version and compiler's clone marks: ``f@@GLIBC_2.34``, ``f.cold``."""
    return _SUFFIXES.sub("", symbol) or symbol


def last_parts(symbol: str) -> list[str]:
    """Ever shorter tails of a qualified name: C++, Rust, Python and Go."""
    separator = "::" if "::" in symbol else "/" if "/" in symbol else "."
    parts = symbol.split(separator)
    if not any(c.isalpha() for c in parts[-1]):
        return []
    return [separator.join(parts[at:]) for at in range(1, len(parts))]


@lru_cache(maxsize=16384)
def shorten(symbol: str, width: int) -> str:
    """The symbol in at most ``width`` cells, '' where nothing legible fits.

    Arguments go first, then template arguments, then namespaces from the left, then the middle.
    """
    if width_of(symbol) <= width:
        return symbol
    if width < LEAST:
        return ""
    for shorter in _shorter(symbol):
        if width_of(shorter) <= width:
            return shorter
        symbol = shorter
    return clip_middle(symbol, width)


def _shorter(symbol: str) -> list[str]:
    bare = without_arguments(symbol)
    plain = without_suffixes(without_templates(bare))
    return [bare, plain, *last_parts(plain)]
