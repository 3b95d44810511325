"""Text of perf script in all its usual forms, and in pieces."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kvtop.collectors.perf_script import ScriptParser
from kvtop.export.perf_text import PerfText
from kvtop.profile.stacks import StackTable

HEADER = b"""\
# ========
# captured on    : Mon Nov 23 15:10:15 2026
# hostname : box
# os release : 6.1.0
# cmdline : /usr/bin/perf record -F 999 -- python -c\x20
for n in range(3):
    print(n)
# event : name = cycles:P, , id = { 1 }, { sample_period, sample_freq } = 999, freq = 1
# ========
#
"""
FRAMES = b"\t    4005d0 leaf+0x10 (/bin/x)\n\t    4004b0 main+0x3 (/bin/x)\n\n"
HEADS = {
    "default": b"my prog   12 [001]  5.250000:     250 cycles:P: \n",
    "process and thread": b"my prog   11/12    5.250000:     250 cycles:P: \n",
    "irq flags": b"my prog   11/12    [001] d..2.  5.250000:     250 cycles:P: \n",
    "no period": b"my prog 12 5.250000: cycles:P: \n",
    "the fields that kvtop asks for": b"my prog   11/12    5.250000001:   250 cycles:P: \n",
    "tracepoint": b"my prog 12 [001] 5.25: sched:sched_switch: comm=a pid=3 ==> x\n",
}
Row = tuple[str, int, float, str, list[str]]


def read(text: bytes, size: int = 1 << 20) -> tuple[list[Row], PerfText, int]:
    """Name, thread, time, event and root-first symbols of every sample."""
    table = StackTable()
    parser, converter = ScriptParser(table), PerfText()
    samples = []
    for at in range(0, len(text), size):
        samples += parser.feed(converter.feed(text[at : at + size]))
    samples += parser.feed(converter.end())
    rows = [
        (s.comm, s.tid, s.time, s.event, [table.frame(f).symbol for f in table.frames(s.stack)])
        for s in samples
    ]
    return rows, converter, parser.malformed


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("preface", [b"", HEADER])
def test_every_form_of_a_sample(head: str, preface: bytes) -> None:
    event = "sched:sched_switch" if head == "tracepoint" else "cycles"
    rows, text, malformed = read(preface + 2 * (HEADS[head] + FRAMES))
    assert malformed == 0
    assert len(rows) == 2
    for comm, tid, time, found, names in rows:
        assert (comm, tid, found, names) == ("my prog", 12, event, ["main", "leaf"])
        assert time == pytest.approx(5.25)
    assert text.periods is (head not in ("no period", "tracepoint"))


def test_a_sample_without_call_chain_is_one_frame() -> None:
    line = (
        b"  ls 12 [000] 5.25: 99 cycles:P:  ffffffff8158c3f5 next_folio+0xd5 ([kernel.kallsyms])\n"
    )
    rows, _, malformed = read(3 * line)
    assert [names for *_, names in rows] == [["next_folio"]] * 3
    assert malformed == 0


def test_the_header_becomes_facts() -> None:
    _, text, _ = read(HEADER + HEADS["default"] + FRAMES)
    assert text.facts["hostname"] == "box"
    assert text.facts["os release"] == "6.1.0"
    assert text.facts["cmdline"].endswith("python -c \\nfor n in range(3):\\n    print(n)")
    assert text.frequency == "999 Hz"


@given(st.sampled_from(sorted(HEADS)), st.integers(1, 80), st.booleans())
def test_the_size_of_pieces_does_not_matter(head: str, size: int, preface: bool) -> None:
    text = (HEADER if preface else b"") + (HEADS[head] + FRAMES) * 3
    assert read(text, size)[0] == read(text)[0] != []


@example(b"\x0b")
@given(st.binary(max_size=400))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    read(data)
    rows, _, _ = read(HEADS["default"] + FRAMES + data + b"\n\n" + HEADS["default"] + FRAMES)
    assert rows[0][4] == ["main", "leaf"]
