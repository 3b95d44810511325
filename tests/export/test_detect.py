"""Formats are told by their content."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.export.detect import Format, UnknownFormat, detect
from kvtop.export.folded import write_folded
from kvtop.export.pprof import PprofMeta, write_pprof
from kvtop.export.speedscope import write_speedscope
from kvtop.export.svg import SvgMeta, write_svg
from kvtop.profile.stacks import StackTable
from tests.profile.test_tree import STACKS, Stacks, fold


@given(STACKS.filter(bool))
def test_what_kvtop_writes_is_known_again(stacks: Stacks) -> None:
    table = StackTable()
    counts = fold(table, stacks)
    assert detect(write_svg(counts, table, SvgMeta("t")).encode()) is Format.SVG
    assert detect(write_speedscope({"": counts}, table, "t").encode()) is Format.SPEEDSCOPE
    assert detect(write_pprof({"": counts}, table, PprofMeta())) is Format.PPROF
    if folded := write_folded(counts, table):
        assert detect(folded.encode()) is Format.FOLDED


@pytest.mark.parametrize(
    ("head", "form"),
    [
        (b"PERFILE2\x10\0\0\0\0\0\0\0", Format.PERF_DATA),
        (b"\n\n# py-spy\nmain (a.py:3);f (b.py) 12\n", Format.FOLDED),
        (b"a;b;c 1.5\r\n", Format.FOLDED),
        (b"[unknown];main 5\n", Format.FOLDED),
        (b"<module> (a.py:1) 5\n", Format.FOLDED),
        (b"{lambda()#1};main 5\n", Format.FOLDED),
        (b"java;a b 12.34: 5\n", Format.FOLDED),
        (b"x 1 [000] 1.5:  100 cycles:u: \n\t 4005 main+0x3 (/bin/x)\n\n", Format.PERF_SCRIPT),
        (b"x 1/2 1.5: cycles:  4005 main (/bin/x)\n", Format.PERF_SCRIPT),
        (b"# ========\n# hostname : h\n", Format.PERF_SCRIPT),
        (b'  {"$schema": "https://www.speedscope.app/x"}', Format.SPEEDSCOPE),
    ],
)
def test_files_of_other_programs(head: bytes, form: Format) -> None:
    assert detect(head) is form


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"<?xml version='1.0'?><svg><title>flamegraph.pl</title></svg>", "another program"),
        (b"\x7fELF\x02\x01\x01\0\0\0", "binary"),
        (b'{"meta":{"preprocessedProfileVersion":47}}', "Firefox"),
        (b'{"traceEvents":[]}', "Chrome"),
        (b"Dear reader,\n", "kvtop reads"),
    ],
)
def test_anything_else_is_named_where_it_can_be(head: bytes, words: str) -> None:
    with pytest.raises(UnknownFormat, match=words):
        detect(head)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_format_or_refused_in_words(head: bytes) -> None:
    try:
        detect(head)
    except UnknownFormat as error:
        assert "kvtop" in str(error) or "another program" in str(error)
