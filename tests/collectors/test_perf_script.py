"""The parser of perf script's text: figures, hostile input, any chunking."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors import perf_script
from kvtop.collectors.perf_pipe import EventAttr, filler
from kvtop.collectors.perf_script import ScriptParser
from kvtop.events import StackSample
from kvtop.profile.stacks import StackTable

TEXT = b"""\
python3.13 10344/10344  1640.824133968:   10101010 cpu-clock:pppH:\x20
\tffffffff813a2413 finish_task_switch.isra.0 ([kernel.kallsyms])
\tffffffff821f8914 __schedule ([kernel.kallsyms])
\t              85 py::hot_mid:/srv/app.py (/proc/77/fd/12)
\t           20b74 _start (/usr/bin/python3.13)

   Web Content 7/9  1640.833185406:          1 sched:sched_switch:\x20
\t          16a06e operator()<void (*)(int)> (/usr/lib/a (b)/x.so)
\t    7f91087ea087 [unknown] ([unknown])

"""


def parse(text: bytes, size: int = 0) -> tuple[list[StackSample], ScriptParser]:
    parser = ScriptParser(StackTable(), {"/proc/77/fd/": "jit"})
    size = size or max(len(text), 1)
    samples = []
    for at in range(0, len(text), size):
        samples += parser.feed(text[at : at + size])
    return samples, parser


def symbols(parser: ScriptParser, sample: StackSample) -> list[str]:
    table = parser._table
    return [table.frame(f).symbol for f in table.frames(sample.stack)]


def test_reads_every_figure() -> None:
    samples, parser = parse(TEXT)
    first, second = samples
    assert (first.time, first.pid, first.tid, first.comm) == (
        1640.824133968,
        10344,
        10344,
        "python3.13",
    )
    assert (first.event, first.period) == ("cpu-clock", 10101010)
    assert symbols(parser, first) == [
        "_start",
        "hot_mid",
        "__schedule",
        "finish_task_switch.isra.0",
    ]
    assert (second.pid, second.tid, second.comm) == (7, 9, "Web Content")
    assert second.event == "sched:sched_switch"
    assert symbols(parser, second) == ["[unknown]", "operator()<void (*)(int)>"]
    leaf = parser._table.frame(parser._table.frames(second.stack)[-1])
    assert leaf.object == "x.so"
    assert (parser.samples, parser.broken, parser.unresolved, parser.malformed) == (2, 1, 0, 0)


def test_names_objects_of_compiled_code_alike() -> None:
    text = b"""\
node 1/1  1.0:   1 cycles: \n\t  85 Function:~work (/proc/77/fd/12)\n
node 2/2  1.0:   1 cycles: \n\t  85 Function:~work (/proc/77/fd/13)\n\n"""
    samples, parser = parse(text)
    assert samples[0].stack == samples[1].stack
    assert parser._table.frame(parser._table.frames(samples[0].stack)[0]).object == "jit"


def test_same_result_from_cache_and_without() -> None:
    cached, _ = parse(TEXT * 3)
    parser = ScriptParser(StackTable(), {"/proc/77/fd/": "jit"}, cache_size=1)
    assert parser.feed(TEXT * 3) == cached
    assert cached[0] == cached[2] == cached[4]


def test_a_function_is_one_frame_at_every_address() -> None:
    text = "".join(
        f"a 1/1 1.0:   5 cycles: \n\t{at:16x} {name} ({dso})\n\n"
        for at in (1, 2, 0xFFFFFFFF81000000)
        for name, dso in (("f", "/x"), ("f", "/y"), ("f(int) const", "/x"), ("[unknown]", "/x"))
    )
    samples, parser = parse(text.encode())
    leaves = [parser._table.frame(parser._table.frames(s.stack)[-1]) for s in samples]
    assert [(f.symbol, f.object) for f in leaves] == 3 * [
        ("f", "x"),
        ("f", "y"),
        ("f(int) const", "x"),
        ("[unknown]", "x"),
    ]
    assert len({s.stack for s in samples}) == 4


def test_survives_a_compaction_of_the_table() -> None:
    table = StackTable()
    parser = ScriptParser(table)
    parser.feed(TEXT)
    table.compact()
    table.compact()
    for sample in parser.feed(TEXT):
        assert table.frames(sample.stack)


SHOWN_EVENTS = [
    ("cycles:P", "cycles"),
    ("cpu-clock:pppH", "cpu-clock"),
    ("cpu-clock:uhpppH", "cpu-clock:u"),
    ("cycles:uk", "cycles"),
    ("cycles", "cycles"),
]


def test_modifiers_of_precision_are_dropped_and_of_scope_kept() -> None:
    for shown, event in SHOWN_EVENTS:
        samples, _ = parse(f"a 1/1 1.0:  5 {shown}: \n\t 1 f (/x)\n\n".encode())
        assert samples[0].event == event


def test_a_thread_name_cannot_forge_a_header() -> None:
    """15 bytes suffice for a false header and a line break; the true one follows."""
    for name in (" 1/1 1.0: 1 e:\n", "a\nb", "x 1/1 1.0: 1 e:", "\n", ")(", "\x1b[31m\x07"):
        text = f"{name:>16} 42/43  9.5:   7 cycles: \n\t 1 f (/x)\n\n".encode()
        samples, parser = parse(text)
        assert [(s.pid, s.tid, s.time, s.period) for s in samples] == [(42, 43, 9.5, 7)], name
        assert samples[0].comm.isprintable()
        assert symbols(parser, samples[0]) == ["f"]


def test_a_cut_line_and_an_empty_stack_are_counted_not_raised() -> None:
    samples, parser = parse(b"a 1/1 1.0:   5 cycles: \n\n\tnonsense\n\ngarbage\n\n")
    assert len(samples) == 1
    assert parser.broken == parser.unresolved == 1
    assert parser.malformed == 2
    parser.feed(b"a 1/1 1.0:   5 cycles: \n\t 1 f (/x)")
    parser.reset()
    assert (parser.samples, parser.malformed) == (1, 3)


def test_caches_are_bounded() -> None:
    parser = ScriptParser(StackTable(), cache_size=10)
    for i in range(100):
        parser.feed(f"c{i} {i}/{i} 1.0: 5 e{i}: \n\t{i:16} f{i} (/x)\n\n".encode())
    caches = (parser._who, parser._events, parser._stacks, parser._lines, parser._functions)
    assert max(map(len, caches)) <= 10


def test_a_block_without_end_is_dropped() -> None:
    parser = ScriptParser(StackTable())
    for _ in range(6):
        parser.feed(b"x" * (1 << 20))
    assert parser.malformed == 1
    assert len(parser._rest) < 4 << 20


PIECES = st.sampled_from(
    [
        TEXT,
        b"\n",
        b"\n\n",
        b"\t",
        b"a 1/1 1.0:   5 cycles: \n",
        b"a 1/1 nan:   5 cycles: \n",
        b"\t  7f f (/x)\n",
        b"\t  7f \xff\xfe\x1b (/x)\n",
        b"(",
        b"/",
        b":",
        b" ",
        "\u2028\u00a0".encode(),
        "é".encode()[:1],
    ]
)


@given(st.lists(PIECES | st.binary(max_size=20), max_size=12), st.integers(1, 40))
def test_any_chunking_gives_the_same(pieces: list[bytes], size: int) -> None:
    text = b"".join(pieces)
    whole, one = parse(text)
    split, other = parse(text, size)
    assert whole == split
    assert (one.samples, one.broken, one.unresolved) == (
        other.samples,
        other.broken,
        other.unresolved,
    )
    assert one._rest.strip(b"\n") == other._rest.strip(b"\n")


@given(st.binary(max_size=400))
def test_garbage_never_raises(text: bytes) -> None:
    for sample in parse(text, 7)[0]:
        assert sample.comm.isprintable() and sample.event.isprintable()


def test_what_pushes_out_perfs_buffer_leaves_no_trace() -> None:
    attr = EventAttr(1, 0, 6, True, False)
    path = filler(attr, 50)[16:].partition(b"\0")[0]
    line = (
        b"         swapper     0/0         0.000000000: PERF_RECORD_CGROUP cgroup: 1 "
        + path
        + b"\n"
    )
    text = line + TEXT + line * 2 + TEXT + line
    plain, _ = parse(TEXT * 2)
    for size in (1, 7, 100, len(text)):
        samples, parser = parse(text, size)
        assert samples == plain
        assert parser.malformed == 0 and parser._rest == b""


def test_text_of_deep_stacks_is_not_kept_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perf_script, "_MOST_STACK_TEXT", 10_000)
    parser = ScriptParser(StackTable())
    for number in range(200):
        lines = "\n".join(f"\t{at:x} function_{number}_{at} (store)" for at in range(1, 20))
        block = f"store 7/7 {number}.000000001: 1 cpu-clock: \n{lines}\n\n"
        assert len(parser.feed(block.encode())) == 1
        assert sum(map(len, parser._stacks)) <= 10_000
