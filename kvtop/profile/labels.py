"""Names that stay legible as their box narrows."""

from __future__ import annotations

import re
from functools import lru_cache

# Arguments follow a name: `<module>`, `.<locals>`, Go's `.(*T)` and Rust's `<T as U>` do not.
_ARGUMENTS = re.compile(r"(?<=[\w~])(<[^<>]*>|\([^()]*\))")
_RUST_HASH = re.compile(r"::h[0-9a-f]{16}$")
# `.constprop.0` of the compiler, `@@GLIBC_2.34` of the linker.
_SUFFIX = re.compile(r"(\.[a-z_]+\.\d+|\.(cold|part|isra|constprop))+$|@@?[\w.]+$")
_SEPARATOR = re.compile(r"::|\.(?!<)")


@lru_cache(maxsize=16384)
def shorten(symbol: str, width: int) -> str:
    """``symbol`` in at most ``width`` characters, empty where not even two would fit.

    Sheds in this order: arguments of templates and calls and suffixes of compiler and linker,
    namespaces and classes from the left, the middle of the last name (its end, below six
    characters). ``std::map<int, X>::find(int)`` -> ``map::find`` -> ``find``.
    """
    if len(symbol) <= width:
        return symbol
    if width < 2:
        return ""
    bare = strip_arguments(symbol)
    while len(bare) > width:
        found = _SEPARATOR.search(bare, 1)
        if found is None or found.end() == len(bare):
            break
        bare = bare[found.end() :]
    if len(bare) <= width:
        return bare
    if width < 6:
        return bare[: width - 1] + "…"
    left = width // 2
    return f"{bare[:left]}…{bare[len(bare) - (width - left - 1) :]}"


def strip_arguments(symbol: str) -> str:
    """A C++ or Rust name without arguments, a C name without suffixes; others as they are."""
    if "operator" in symbol:
        return symbol
    bare = _RUST_HASH.sub("", symbol.replace("(anonymous namespace)::", ""))
    bare = _SUFFIX.sub("", bare)
    while (cut := _ARGUMENTS.sub("", bare)) != bare:
        bare = cut
    return bare.removesuffix(" const")
