"""Rust's v0 symbol mangling (RFC 2603) undone, as ``rustc`` writes it.

Paths, generic arguments, types, constants, trait objects, closures, back references and punycode;
crate hashes are left out, as perf does. Depth and length are bounded: a symbol is hostile text.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_BASIC: dict[str, str] = dict(
    re.findall(
        r"(\w)=(\S+)",
        "a=i8 b=bool c=char d=f64 e=str f=f32 h=u8 i=isize j=usize l=i32 m=u32 n=i128 o=u128 p=_ "
        "s=i16 t=u16 u=() v=... x=i64 y=u64 z=!",
    )
)
_SIGNED, _UNSIGNED = "ailnsx", "hjmoty"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DEEPEST = 64
_LONGEST = 8192


class _NotRust(Exception):
    """The symbol does not follow the grammar."""


def demangle_v0(symbol: str) -> str | None:
    """The path that a v0 symbol stands for; None where it is no such symbol."""
    if not symbol.startswith("_R") or not symbol.isascii():
        return None
    # What follows a dot was added by LLVM.
    reader = _Reader(symbol[2:].partition(".")[0])
    try:
        return reader.path(in_value=True)
    except (_NotRust, ValueError, OverflowError):
        return None


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._made = 0
        self._lifetimes = 0

    # Characters and numbers

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise _NotRust
        self._at += 1
        return self._text[self._at - 1]

    def _eat(self, wanted: str) -> bool:
        if self._text.startswith(wanted, self._at):
            self._at += len(wanted)
            return True
        return False

    def _base62(self) -> int:
        if self._eat("_"):
            return 0
        value = 0
        while (char := self._next()) != "_":
            value = value * 62 + _DIGITS.index(char)
        return value + 1

    def _optional(self, tag: str) -> int:
        return self._base62() + 1 if self._eat(tag) else 0

    def _identifier(self) -> tuple[str, int]:
        disambiguator = self._optional("s")
        punycode = self._eat("u")
        start = self._at
        while self._text[self._at : self._at + 1].isdigit():
            self._at += 1
            if self._text[start] == "0":
                break
        size = int(self._text[start : self._at])
        self._eat("_")
        name = self._text[self._at : self._at + size]
        if len(name) < size:
            raise _NotRust
        self._at += size
        if punycode:
            head, _, tail = name.rpartition("_")
            name = f"{head}-{tail}" if head else tail
            name = name.encode().decode("punycode")
        return name, disambiguator

    # Grammar

    def _enter(self) -> None:
        self._depth += 1
        self._made += 1
        if self._depth > _DEEPEST or self._made > _LONGEST:
            raise _NotRust

    def _again(self, start: int) -> _Reader:
        """A reader at the place that a back reference names."""
        target = self._base62()
        if target >= start:
            raise _NotRust
        other = _Reader(self._text)
        other._at, other._depth, other._made = target, self._depth, self._made
        other._lifetimes = self._lifetimes
        return other

    def path(self, in_value: bool = False) -> str:
        """A path; generic arguments are written as in an expression with ``in_value``."""
        self._enter()
        start = self._at
        tag = self._next()
        if tag == "C":
            text = self._identifier()[0]
        elif tag in "MX":
            self._optional("s")
            self.path()
            text = f"<{self._type()}>" if tag == "M" else self._qualified()
        elif tag == "Y":
            text = self._qualified()
        elif tag == "N":
            text = self._nested(in_value)
        elif tag == "I":
            base = self.path(in_value)
            text = f"{base}{'::' * in_value}<{', '.join(self._list(self._generic))}>"
        elif tag == "B":
            other = self._again(start)
            text = other.path(in_value)
            self._made = other._made
        else:
            raise _NotRust
        self._depth -= 1
        return text

    def _qualified(self) -> str:
        kind = self._type()
        return f"<{kind} as {self.path()}>"

    def _nested(self, in_value: bool) -> str:
        space = self._next()
        parent = self.path(in_value)
        name, disambiguator = self._identifier()
        if space.isupper():
            kind = {"C": "closure", "S": "shim"}.get(space, space)
            return f"{parent}::{{{kind}{':' if name else ''}{name}#{disambiguator}}}"
        return f"{parent}::{name}" if name else parent

    def _list(self, read: Callable[[], str]) -> list[str]:
        found: list[str] = []
        while not self._eat("E"):
            found.append(read())
        return found

    def _generic(self) -> str:
        if self._eat("L"):
            return self._lifetime()
        if self._eat("K"):
            return self._constant()
        return self._type()

    def _lifetime(self) -> str:
        index = self._base62()
        if not index:
            return "'_"
        bound = self._lifetimes - index
        return f"'{chr(ord('a') + bound)}" if 0 <= bound < 26 else f"'_{bound}"

    def _type(self) -> str:
        self._enter()
        start = self._at
        tag = self._next()
        if tag in _BASIC:
            text = _BASIC[tag]
        elif tag in "RQ":
            lifetime = f"{self._lifetime()} " if self._eat("L") else ""
            lifetime = "" if lifetime == "'_ " else lifetime
            text = f"&{lifetime}{'mut ' * (tag == 'Q')}{self._type()}"
        elif tag in "PO":
            text = f"*{'const' if tag == 'P' else 'mut'} {self._type()}"
        elif tag == "A":
            text = f"[{self._type()}; {self._constant()}]"
        elif tag == "S":
            text = f"[{self._type()}]"
        elif tag == "T":
            parts = self._list(self._type)
            text = f"({', '.join(parts)}{',' * (len(parts) == 1)})"
        elif tag == "F":
            text = self._function()
        elif tag == "D":
            text = self._dyn()
        elif tag == "B":
            other = self._again(start)
            text = other._type()
            self._made = other._made
        else:
            self._at = start
            text = self.path()
        self._depth -= 1
        return text

    def _binder(self) -> str:
        count = self._optional("G")
        if count > 26:
            raise _NotRust
        names = [chr(ord("a") + self._lifetimes + n) for n in range(count)]
        self._lifetimes += count
        return f"for<{', '.join(f'{chr(39)}{n}' for n in names)}> " if names else ""

    def _function(self) -> str:
        before = self._lifetimes
        text = self._binder()
        if self._eat("U"):
            text += "unsafe "
        if self._eat("K"):
            abi = "C" if self._eat("C") else self._identifier()[0].replace("_", "-")
            text += f'extern "{abi}" '
        text += f"fn({', '.join(self._list(self._type))})"
        if not self._eat("u"):
            text += f" -> {self._type()}"
        self._lifetimes = before
        return text

    def _dyn(self) -> str:
        before = self._lifetimes
        binder = self._binder()
        traits = " + ".join(self._list(self._trait))
        self._lifetimes = before
        if not self._eat("L"):
            raise _NotRust
        lifetime = self._lifetime()
        return f"dyn {binder}{traits}" + (f" + {lifetime}" if lifetime != "'_" else "")

    def _trait(self) -> str:
        base = self.path()
        bindings = []
        while self._eat("p"):
            name = self._identifier()[0]
            bindings.append(f"{name} = {self._type()}")
        if not bindings:
            return base
        if base.endswith(">"):
            return f"{base[:-1]}, {', '.join(bindings)}>"
        return f"{base}<{', '.join(bindings)}>"

    def _constant(self) -> str:
        start = self._at
        tag = self._next()
        if tag == "B":
            return self._again(start)._constant()
        if tag == "p":
            return "_"
        negative = tag in _SIGNED and self._eat("n")
        end = self._text.index("_", self._at)
        value = int(self._text[self._at : end] or "0", 16)
        self._at = end + 1
        if tag == "b":
            return "true" if value else "false"
        if tag == "c":
            return repr(chr(value))
        if tag not in _SIGNED + _UNSIGNED:
            raise _NotRust
        return f"{'-' * negative}{value}"
