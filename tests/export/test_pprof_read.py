"""pprof files read back, those that protobuf wrote included."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.export.pprof import PprofMeta, write_pprof
from kvtop.export.pprof_read import NotPprof, read_pprof
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.stacks import StackTable
from tests.export.test_pprof import PROFILE
from tests.profile.test_tree import STACKS, Stacks, fold


def symbols(table: StackTable, counts: dict[int, int]) -> dict[tuple[str, ...], int]:
    return {tuple(table.frame(f).symbol for f in table.frames(s)): n for s, n in counts.items()}


@given(STACKS)
def test_what_is_written_reads_back(stacks: Stacks) -> None:
    table, other = StackTable(), StackTable()
    data = write_pprof({"": fold(table, stacks)}, table, PprofMeta("cpu-clock"))
    counts, unit = read_pprof(data, other)
    assert symbols(other, counts) == stacks and unit == "samples"
    assert read_pprof(gzip.decompress(data), StackTable())[1] == "samples"


def test_kinds_and_lines_survive() -> None:
    table, other = StackTable(), StackTable()
    frames = [
        Frame("run", "core.py", Kind.PYTHON, "/srv/core.py", 7),
        Frame("read", "libc.so.6", Kind.NATIVE),
        Frame("ksys_read", "[kernel.kallsyms]", Kind.KERNEL),
    ]
    stack = table.stack_id([table.intern(f) for f in frames])
    counts, unit = read_pprof(write_pprof({"": {stack: 9}}, table, PprofMeta("off", "ms")), other)
    (known,) = counts
    assert [other.frame(f) for f in other.frames(known)] == frames
    assert unit == "ms"


def test_inlined_functions_and_the_last_of_several_values() -> None:
    profile = PROFILE(string_table=["", "cpu", "nanoseconds", "outer", "inner", "samples", "count"])
    profile.sample_type.add(type=5, unit=6)
    profile.sample_type.add(type=1, unit=2)
    profile.function.add(id=1, name=3)
    profile.function.add(id=2, name=4)
    location = profile.location.add(id=1)
    location.line.add(function_id=2)  # innermost first, as the format says
    location.line.add(function_id=1)
    profile.sample.add(location_id=[1], value=[3, 30])
    profile.sample.add(location_id=[1], value=[1, -10])
    table = StackTable()
    counts, unit = read_pprof(profile.SerializeToString(), table)
    assert symbols(table, counts) == {("outer", "inner"): 20}
    assert unit == "nanoseconds"


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for attempt in (data, gzip.compress(data), b"\x1f\x8b" + data):
        with pytest.raises(NotPprof):
            read_pprof(attempt, StackTable())


@given(st.data())
def test_damage_is_read_or_refused(draw: st.DataObject) -> None:
    table = StackTable()
    counts = fold(table, {("a", "b"): 3, ("a",): 1})
    whole = bytearray(gzip.decompress(write_pprof({"": counts}, table, PprofMeta())))
    at = draw.draw(st.integers(0, len(whole) - 1))
    whole[at] = draw.draw(st.integers(0, 255))
    try:
        read_pprof(bytes(whole), StackTable())
    except NotPprof:
        pass
