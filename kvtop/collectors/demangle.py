"""Readable names for C++ and Rust symbols where perf was built without a demangler.

C++ (Itanium ABI) is left to the C++ runtime of the system, Rust's older scheme is undone here
and its newer one, v0 (RFC 2603), in ``rust_v0``. A name that cannot be read stays as it is.
"""

from __future__ import annotations

import ctypes
import re
from functools import cache

from kvtop.collectors.rust_v0 import demangle_v0

MANGLED = "_Z", "_R"
"""What mangled names begin with."""
_LONGEST = 4096
_CLONE = re.compile(r"(\.(?:llvm|lto_priv|constprop|isra|part|cold)(?:\.[\w@]+)*)+$")
_RUST_LEGACY = re.compile(r"_ZN((?:\d+[\w.$]+?)*)17h[0-9a-f]{16}E")
_ESCAPE = re.compile(r"\$(SP|BP|RF|LT|GT|LP|RP|C|u[0-9a-f]{1,6})\$|\.\.")
_ESCAPED: dict[str, str] = dict(re.findall(r"(\w+)=(\S)", "SP=@ BP=* RF=& LT=< GT=> LP=( RP=) C=,"))


def demangle(symbol: str) -> str:
    """The name in the source's own spelling, or ``symbol`` where it is no mangled name."""
    if len(symbol) > _LONGEST:
        return symbol
    clone = _CLONE.search(symbol)
    base = symbol[: clone.start()] if clone else symbol
    plain = demangle_v0(base) if base.startswith("_R") else _legacy(base) or _cxx(base)
    if plain is None:
        return symbol
    # What the compiler made of a function stays told, except by rustc's numbering of units.
    suffix = clone[0] if clone and ".llvm" not in clone[0] else ""
    return plain + suffix


def _legacy(symbol: str) -> str | None:
    match = _RUST_LEGACY.fullmatch(symbol)
    if match is None:
        return None
    parts, rest = [], match[1]
    while rest:
        digits = re.match(r"\d+", rest)
        if digits is None:
            return None
        size, at = int(digits[0]), digits.end()
        if size > len(rest) - at:
            return None
        part = rest[at : at + size]
        parts.append(_ESCAPE.sub(_unescape, part.removeprefix("_") if "_$" in part[:2] else part))
        rest = rest[at + size :]
    return "::".join(parts) or None


def _unescape(match: re.Match[str]) -> str:
    name = match[1]
    if name is None:
        return "::"
    if name[0] == "u":
        code = int(name[1:], 16)
        return chr(code) if code <= 0x10FFFF else match[0]
    return _ESCAPED[name]


@cache
def _runtime() -> ctypes.CDLL | None:
    """The C++ runtime, None where the system has none."""
    for name in ("libstdc++.so.6", "libc++abi.so.1"):
        try:
            library = ctypes.CDLL(name)
            library.__cxa_demangle.restype = ctypes.c_void_p
        except (OSError, AttributeError):
            continue
        library.__cxa_demangle.argtypes = [ctypes.c_char_p] + [ctypes.c_void_p] * 3
        return library
    return None


def _cxx(symbol: str) -> str | None:
    library = _runtime()
    if library is None or "\0" in symbol:
        return None
    made = library.__cxa_demangle(symbol.encode(), None, None, None)
    if not made:
        return None
    text = ctypes.string_at(made).decode(errors="replace")
    _free(made)
    return text


def _free(pointer: int) -> None:
    libc = ctypes.CDLL(None)
    libc.free.argtypes = [ctypes.c_void_p]
    libc.free(pointer)
