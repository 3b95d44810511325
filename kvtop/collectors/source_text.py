"""Source files read with care, and functions found in those of Python.

Which file is read is the word of the program that is looked at: nothing but a regular file of a
bounded size is opened, and what it holds becomes safe text.
"""

from __future__ import annotations

import ast
import os
import re
import stat
from functools import lru_cache
from pathlib import Path

from kvtop.profile.text import safe_text

MAX_BYTES = 4 << 20
MAX_COLUMNS = 400
_TAB = 4


class SourceError(Exception):
    """A source file that cannot be shown: one sentence with the reason."""


def read_source(name: str) -> tuple[str, ...]:
    """The lines of a file as safe text, tabs as blanks; SourceError where there is none to show."""
    return tuple(
        safe_text(line.expandtabs(_TAB).rstrip(), MAX_COLUMNS) for line in _raw(name).split("\n")
    )


def _raw(name: str) -> str:
    path = Path(name)
    shown = safe_text(name, 120)
    if name.startswith("<") or not path.is_absolute():
        raise SourceError(f"{shown or 'It'} is not a file that can be found.")
    try:
        # Without O_NONBLOCK a pipe would keep us waiting for somebody who writes into it.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no such file name"
        raise SourceError(f"{shown} cannot be read here: {why}.") from None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(f"{shown} is not a regular file.")
        if status.st_size > MAX_BYTES:
            raise SourceError(f"{shown} is larger than {MAX_BYTES >> 20} MiB.")
        data = os.read(fd, MAX_BYTES)
    except OSError as error:
        raise SourceError(f"{shown} cannot be read here: {error.strerror}.") from None
    finally:
        os.close(fd)
    if b"\0" in data:
        raise SourceError(f"{shown} is not a text file.")
    return data.decode("utf-8", "replace").replace("\r\n", "\n")


def python_function(name: str, qualified: str) -> tuple[tuple[str, ...], int, int]:
    """The lines of a Python file and the first and last line of a function in it.

    ``qualified`` is ``co_qualname`` as perf's trampoline tells it (``Raft.step``,
    ``main.<locals>.<lambda>``). The lines are 0, 0 where the function is not in the file.
    SourceError where the file cannot be shown.
    """
    try:
        status = Path(name).stat()
        stamp = status.st_mtime_ns, status.st_size
    except (OSError, ValueError):
        stamp = 0, 0
    return _python_function(name, qualified, stamp)


@lru_cache(maxsize=2)
def _python_function(
    name: str, qualified: str, stamp: tuple[int, int]
) -> tuple[tuple[str, ...], int, int]:
    """As `python_function`; a view that is open asks for it every few seconds."""
    lines = read_source(name)
    first, last = _find(_raw(name), qualified)
    return lines, first, last


def functions(text: str) -> dict[str, tuple[int, int]]:
    """First and last line of every function in a Python source, by its qualified name.

    ValueError where it is none, or one for another Python than the one that runs here.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(str(error)) from None
    found: dict[str, tuple[int, int]] = {}
    pending: list[tuple[ast.AST, str]] = [(tree, "")]
    while pending:
        node, prefix = pending.pop()
        name = _name(node)
        if name is not None:
            assert isinstance(node, ast.expr | ast.stmt)
            place = node.lineno, node.end_lineno or node.lineno
            found.setdefault(prefix + name, place)
            if isinstance(node, ast.ClassDef):
                prefix += f"{name}."
            elif not isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp):
                # Those are part of the function around them since Python 3.12 (PEP 709).
                prefix += f"{name}.<locals>."
        pending.extend((child, prefix) for child in reversed(list(ast.iter_child_nodes(node))))
    return found


def _find(text: str, qualified: str) -> tuple[int, int]:
    if qualified == "<module>":
        return 1, text.count("\n") + 1
    try:
        return functions(text).get(qualified, (0, 0))
    except ValueError:
        name = re.escape(qualified.rpartition(".")[2])
        found = re.search(rf"^[ \t]*(async[ \t]+)?def[ \t]+{name}\b", text, re.M)
        line = text.count("\n", 0, found.end()) + 1 if found else 0
        return line, line


def function_lines(name: str) -> dict[str, int]:
    """First line of every function of a Python file; nothing where it cannot be read."""
    try:
        return {function: first for function, (first, _) in functions(_raw(name)).items()}
    except (SourceError, ValueError):
        return {}


_COMPREHENSIONS = {
    ast.ListComp: "<listcomp>",
    ast.SetComp: "<setcomp>",
    ast.DictComp: "<dictcomp>",
    ast.GeneratorExp: "<genexpr>",
    ast.Lambda: "<lambda>",
}


def _name(node: ast.AST) -> str | None:
    """What the node adds to the qualified names of functions in it; None for nothing."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name
    return _COMPREHENSIONS.get(type(node))
