"""Names that stay legible as their box narrows: C, C++, Rust, Go, Python."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

_RUST_HASH = re.compile(r"::h[0-9a-f]{16}$")
# `.constprop.0` of the compiler, `@@GLIBC_2.34` of the linker.
_SUFFIX = re.compile(
    r"((\.(cold|isra|part|constprop|lto_priv|llvm)(\.\d+)?)+|@@?[\w.]+|\s?\[clone [^\]]*\])+$"
)
_QUALIFIERS = re.compile(r"(\s(const|volatile|noexcept|&&?))+$")
_OPERATOR = re.compile(
    r"\boperator(\(\)|\[\]|\s(new|delete)(\[\])?|\s?(->\*?|<=>|<<=?|>>=?|[<>]=?|[^\w\s()<>\[\]{}]+))(\s(?=<))?"
)
_CLOSING = {"<": ">", "(": ")", "{": "}", "[": "]"}
# The brackets and blanks in an operator's name are no brackets: they stand aside meanwhile, as
# characters that safe text does not hold.
_END = "\ue007"
_ASIDE = str.maketrans("()<>[] ", "\ue000\ue001\ue002\ue003\ue004\ue005\ue006")
_BACK = str.maketrans({**{chr(0xE000 + n): c for n, c in enumerate("()<>[] ")}, _END: None})


@lru_cache(maxsize=16384)
def shorten(symbol: str, width: int) -> str:
    """``symbol`` in at most ``width`` characters, empty where not even two would fit.

    Sheds in this order: arguments of calls and suffixes of compiler and linker, arguments of
    templates, namespaces and classes from the left, the middle of the last name (its end, below
    six characters). ``std::map<int, X>::find(int)`` -> ``std::map<int, X>::find`` ->
    ``std::map::find`` -> ``map::find`` -> ``find``.
    """
    if len(symbol) <= width:
        return symbol
    if width < 2:
        return ""
    shorter = symbol
    for shorter in _ever_shorter(symbol):
        if len(shorter) <= width:
            return shorter
    if width < 6:
        return shorter[: width - 1] + "…"
    left = width // 2
    return f"{shorter[:left]}…{shorter[len(shorter) - (width - left - 1) :]}"


def strip_arguments(symbol: str) -> str:
    """A name without arguments of calls and templates, result and suffixes; never empty."""
    return _bare(symbol, "(<").translate(_BACK)


def _ever_shorter(symbol: str) -> Iterator[str]:
    yield _bare(symbol, "(").translate(_BACK)
    bare = _bare(symbol, "(<")
    yield bare.translate(_BACK)
    bare = bare.replace(".<locals>", "")
    yield bare.translate(_BACK)
    for at in _separators(bare):
        tail = bare[at:].translate(_BACK)
        if tail:
            yield tail


def _bare(symbol: str, openings: str) -> str:
    """The name without groups in these brackets, operators' names put aside."""
    name = _OPERATOR.sub(lambda match: match[0].rstrip().translate(_ASIDE) + _END, symbol)
    name = _SUFFIX.sub("", _RUST_HASH.sub("", name.replace("(anonymous namespace)::", "")))
    bare = _QUALIFIERS.sub("", _without_groups(name, openings))
    if bare != name and openings == "(<":
        # `void f<int>(int)`: what stands before the name is the type of its result.
        bare = bare[max(at for at, char in _top_level(f" {bare}") if char == " ") :]
    return bare.strip() or symbol


def _without_groups(name: str, openings: str) -> str:
    """Take out balanced groups that follow a name; `<module>`, `.(*T)`, `<T as U>` follow none."""
    parts: list[str] = []
    at = 0
    while at < len(name):
        char = name[at]
        if char in openings and at and (name[at - 1].isalnum() or name[at - 1] in f"_~>{_END}"):
            end = _end_of_group(name, at)
            if end:
                at = end
                continue
        parts.append(char)
        at += 1
    return "".join(parts)


def _end_of_group(name: str, start: int) -> int:
    """Where the group that opens at ``start`` is over; 0 where it never is."""
    opening, closing = name[start], _CLOSING[name[start]]
    depth = 0
    for at in range(start, len(name)):
        if name[at] == opening:
            depth += 1
        elif name[at] == closing and name[at - 1] != "-":
            depth -= 1
            if not depth:
                return at + 1
    return 0


def _top_level(name: str) -> Iterator[tuple[int, str]]:
    """Characters that are in no brackets, with their places."""
    depth = 0
    for at, char in enumerate(name):
        if char in _CLOSING:
            depth += 1
        elif depth and char in ">)}]":
            depth -= 1
        elif not depth:
            yield at, char


def _separators(name: str) -> list[int]:
    """Where shorter tails of a qualified name may begin, from the left.

    Not before what says nothing alone: `<lambda>`, `{closure}`, `func1`, a number.
    """
    found = []
    for at, char in _top_level(name):
        if char in "./" or name.startswith("::", at - 1):
            tail = name[at + 1 :]
            if tail and not re.match(r"[<{.:]|(func)?\d+(\W|$)", tail):
                found.append(at + 1)
    return found
