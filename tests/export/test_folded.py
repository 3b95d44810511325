"""Folded text that other tools read, and that comes back as it went."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.export.folded import read_folded, write_folded
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.stacks import StackTable
from tests.profile.test_stacks import stack
from tests.profile.test_text import ANY_TEXT


def symbols(table: StackTable, counts: dict[int, int]) -> dict[tuple[str, ...], int]:
    return {tuple(table.frame(f).symbol for f in table.frames(s)): n for s, n in counts.items()}


def kinds(table: StackTable, counts: dict[int, int]) -> set[tuple[str, Kind, str, int]]:
    found = {table.frame(f) for s in counts for f in table.frames(s)}
    return {(f.symbol, f.kind, f.file, f.line) for f in found}


def test_the_text() -> None:
    table = StackTable()
    python = table.frame_id("py::Raft.run:/srv/core.py", "/tmp/jitted-1-2.so")
    main = table.frame_id("main", "/bin/x")
    kernel = table.frame_id("ksys_read", "[kernel.kallsyms]")
    counts = {table.stack_id([main, python, kernel]): 12, table.stack_id([main]): 3}
    assert (
        write_folded(counts, table) == "main 3\nmain;py::Raft.run:/srv/core.py;ksys_read_[k] 12\n"
    )
    assert write_folded(counts, table, "node0").startswith("node0;main 3\n")


@given(
    st.dictionaries(
        st.lists(st.tuples(ANY_TEXT, st.sampled_from(["/bin/x", "[kernel.kallsyms]"])), max_size=5)
        .map(tuple)
        .filter(bool),
        st.integers(1, 99),
        max_size=6,
    )
)
def test_what_is_written_reads_back(stacks: dict[tuple[tuple[str, str], ...], int]) -> None:
    table = StackTable()
    counts: dict[int, int] = {}
    for frames, weight in stacks.items():
        known = table.stack_id([table.frame_id(*frame) for frame in frames])
        counts[known] = counts.get(known, 0) + weight
    text = write_folded(counts, table)
    assert all(line.isprintable() for line in text.splitlines())
    other = StackTable()
    again = read_folded(text.splitlines(), other)
    assert sum(again.values()) == sum(counts.values())
    assert write_folded(again, other) == text


def test_kinds_survive() -> None:
    table = StackTable()
    native = stack(table, "_start", "_PyEval_EvalFrameDefault", "[unknown]", "k:ksys_read")
    with_line = table.intern(Frame("run", "core.py", Kind.PYTHON, "/srv/core.py", 7))
    python = table.stack_id([table.frame_id("py::go:/a/b.py", ""), with_line])
    counts = {native: 1, python: 2}
    other = StackTable()
    again = read_folded(write_folded(counts, table).splitlines(), other)
    assert kinds(other, again) == kinds(table, counts)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a;b c;d 7", {("a", "b c", "d"): 7}),
        ("main;sys_read_[k] 1\r\n", {("main", "sys_read"): 1}),
        ("jitted_[j];inlined_[i] 2", {("jitted", "inlined"): 2}),
        ("# comment", {}),
        ("   ", {}),
        ("a 3.0", {("a",): 3}),
    ],
)
def test_lines_of_other_tools(line: str, expected: dict[tuple[str, ...], int]) -> None:
    table = StackTable()
    assert symbols(table, read_folded([line], table)) == expected


def test_py_spy_frames_carry_file_and_line() -> None:
    table = StackTable()
    counts = read_folded(["<module> (work.py:3);run (/srv/kv/core.py:42) 5"], table)
    assert kinds(table, counts) == {
        ("<module>", Kind.PYTHON, "work.py", 3),
        ("run", Kind.PYTHON, "/srv/kv/core.py", 42),
    }


def test_a_line_without_weight_is_an_error_with_its_number() -> None:
    for bad in ("main;run", "main nan", "main inf"):
        with pytest.raises(ValueError, match="line 2"):
            read_folded(["a 1", bad], StackTable())


def test_a_negative_weight_is_an_error() -> None:
    with pytest.raises(ValueError, match="line 1"):
        read_folded(["a -1"], StackTable())
