"""Which files are read, and where a Python function stands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors.source_text import (
    MAX_BYTES,
    SourceError,
    _find,
    function_lines,
    functions,
    python_function,
    read_source,
)

MODULE = '''\
"""Doc."""
import functools

def f():
    def inner():
        return [lambda: x for x in y]
    return inner

class A:
    class B:
        @functools.cache
        async def g(self):
            if True:
                def late(): ...

    def f(self):
        pass

@functools.cache
def decorated(
    a,
):
    return a
'''


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("f", (4, 7)),
        ("A.f", (16, 17)),
        ("f.<locals>.inner", (5, 6)),
        ("f.<locals>.inner.<locals>.<lambda>", (6, 6)),
        ("A.B.g", (12, 14)),
        ("A.B.g.<locals>.late", (14, 14)),
        ("decorated", (20, 23)),
        ("<module>", (1, 24)),
        ("A.gone", (0, 0)),
    ],
)
def test_functions_are_found_by_their_qualified_name(
    name: str, lines: tuple[int, int], tmp_path: Path
) -> None:
    file = tmp_path / "m.py"
    file.write_text(MODULE)
    assert python_function(str(file), name)[1:] == lines


def test_source_for_another_python_is_searched_as_text(tmp_path: Path) -> None:
    file = tmp_path / "m.py"
    file.write_text("print 'old'\n\nclass A:\n    def step(self):\n        pass\n")
    assert python_function(str(file), "A.step")[1:] == (4, 4)


@given(st.text() | st.sampled_from([MODULE, MODULE[:90], MODULE[40:]]), st.text())
def test_any_text_is_searched(text: str, name: str) -> None:
    first, last = _find(text, name)
    assert 0 <= first <= last
    try:
        found = functions(text)
    except ValueError:
        return
    assert all(0 < first <= last for first, last in found.values())


def test_first_lines_of_a_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "m.py"
    file.write_text(MODULE)
    lines = function_lines(str(file))
    assert (lines["f"], lines["A.B.g"], lines["A.f"]) == (4, 12, 16)
    assert function_lines(str(tmp_path / "gone.py")) == {}


def test_lines_are_safe_text(tmp_path: Path) -> None:
    file = tmp_path / "x.c"
    file.write_bytes(b"int\tx;\r\n\x1b[31m red \xff\n" + b"y" * 1000)
    first, second, third = read_source(str(file))
    assert (first, second) == ("int x;", "\\x1b[31m red �")
    assert len(third) == 400


def test_only_regular_files_of_a_bounded_size_are_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    binary = tmp_path / "binary"
    binary.write_bytes(b"\x7fELF\0")
    for name, why in [
        (str(pipe), "not a regular file"),
        ("/dev/zero", "not a regular file"),
        (str(tmp_path), "not a regular file"),
        (str(large), "larger than 4 MiB"),
        (str(binary), "not a text file"),
        (str(tmp_path / "gone"), "No such file"),
        ("<frozen importlib._bootstrap>", "not a file that can be found"),
        ("relative.py", "not a file that can be found"),
        ("", "not a file that can be found"),
        ("/a\0b", "cannot be read"),
    ]:
        with pytest.raises(SourceError, match=why):
            read_source(name)
