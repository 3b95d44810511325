"""perf mem: its reports as rows, and what it says of a machine without."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors.mem import explain_list
from kvtop.collectors.mem_report import parse_report

FIXTURES = Path(__file__).parent.parent / "fixtures"


def test_a_recorded_report_by_source_of_the_data() -> None:
    rows = parse_report((FIXTURES / "perf_mem_sources.recorded.txt").read_text())
    assert [(row.share, row.samples, row.access) for row in rows] == [
        (44.23, 267, "LFB or LFB hit"),
        (18.87, 111, "L3 or L3 hit"),
        (15.19, 78, "Local RAM or RAM hit"),
        (13.38, 77, "L2 or L2 hit"),
        (8.34, 123, "L1 or L1 hit"),
    ]


def test_a_report_with_functions() -> None:
    rows = parse_report((FIXTURES / "perf_mem_functions.constructed.txt").read_text())
    found = [(row.samples, row.access, row.symbol, row.object) for row in rows]
    assert found == [
        (120, "L1 or L1 hit", "std::map<int, long>::find", "kvd"),
        (31, "Local RAM or RAM hit", "copy_user_generic", "[kernel.kallsyms]"),
        (2, "N/A", "0x00007f3c", "libc.so.6"),
    ]


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_any_text_is_a_report(text: str) -> None:
    for row in parse_report(f"    12.50%   7  {text}\n{text}\n  3.00%  1  L1 hit  [.] {text}  lib"):
        assert (row.access + row.symbol + row.object).isprintable()
        assert 0 <= row.share <= 100


def test_what_perf_says_of_its_memory_events() -> None:
    # Recorded on a virtual machine without PEBS, perf 6.1.
    said = explain_list(255, "failed: memory events not supported\n")
    assert said.startswith("This machine cannot sample memory accesses") and said.endswith(".")
    assert explain_list(0, "ldlat-loads  : available\nldlat-stores : available\n") == ""
    assert "sudo" in explain_list(255, "Permission denied")
