"""Samples per line and instruction: perf's text, hostile text, and a real program's hot line."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.collectors.annotate import (
    AnnotateError,
    Block,
    Span,
    parse_annotate,
    parse_places,
)
from kvtop.collectors.perf_record import PerfRecord
from kvtop.events import Event
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.listing import Instruction, SourceFile
from kvtop.profile.stacks import StackTable
from tests.collectors.helpers import processes, until

FIXTURES = Path(__file__).parent.parent / "fixtures"
ANSWER = """\
 Samples |	Source code & Disassembly of /tmp/d/hot for cpu-clock:pppH (15 samples, percent: local period)
---------------------------------------------------------------------------------------------------------------
         :
         : 3    Disassembly of section .text:
         : 5    0000000000001149 <spin>:
       0 :   1149:   test   %rdi,%rdi
      13 :   1164:   mov    0x2ebd(%rip),%r9        # 4028 <sink>
       2 :   11ba:   jne    115d <spin+0x14>
 Samples |	Source code & Disassembly of /usr/lib/libx.so for cpu-clock:pppH (1 samples, percent: local period)
       1 :   22:     ret
"""  # noqa: E501


def test_what_perf_says() -> None:
    assert parse_annotate(ANSWER) == [
        Block(
            "/tmp/d/hot",
            15,
            (
                Instruction(0x1149, 0, "test   %rdi,%rdi"),
                Instruction(0x1164, 13, "mov    0x2ebd(%rip),%r9        # 4028 <sink>"),
                Instruction(0x11BA, 2, "jne    115d <spin+0x14>"),
            ),
        ),
        Block("/usr/lib/libx.so", 1, (Instruction(0x22, 1, "ret"),)),
    ]


@given(
    st.text(),
    st.lists(
        st.tuples(
            st.integers(0, 10**9),
            st.integers(0, 2**64 - 1),
            st.text(st.characters(exclude_characters="\n")).map(str.strip),
        )
    ),
)
def test_any_text_is_read_and_what_comes_out_is_safe(
    noise: str, lines: list[tuple[int, int, str]]
) -> None:
    head = ANSWER.partition("\n")[0]
    body = "\n".join(f"{n:8} :   {address:x}:   {code}" for n, address, code in lines)
    parse_annotate(noise)
    *_, block = parse_annotate(f"{noise}\n{head}\n{body}\n")
    assert block.samples == 15
    assert [(i.samples, i.address) for i in block.instructions] == [x[:2] for x in lines]
    assert all(i.text.isprintable() and len(i.text) <= 200 for i in block.instructions)


@given(st.lists(st.tuples(st.text(st.characters(exclude_characters="\n")), st.integers(1, 10**6))))
def test_places_have_any_name(places: list[tuple[str, int]]) -> None:
    places = [(name, line) for name, line in places if name != "??"]
    answer = "".join(f"{name}:{line}\n" for name, line in places)
    if places:
        assert parse_places(answer) == places


def test_places_that_are_not_known() -> None:
    answer = "??:0\n??:?\n/a b/c.c:?\n/a:b/c.c:7 (discriminator 3)\nnonsense\n"
    assert parse_places(answer) == [("", 0), ("", 0), ("", 0), ("/a:b/c.c", 7), ("", 0)]


def test_the_hottest_line() -> None:
    assert SourceFile("x", ()).hottest == 0
    assert SourceFile("x", (), 1, {9: 2, 4: 5, 3: 5}).hottest == 3


# A real program under real perf


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("perf") is None or shutil.which("gcc") is None:
        pytest.skip("needs perf and gcc")
    directory = tmp_path_factory.mktemp("hot")
    source = directory / "hot_line.c"
    shutil.copy(FIXTURES / "hot_line.c", source)
    flags = ["-O1", "-g", "-fno-omit-frame-pointer"]
    subprocess.run(["gcc", *flags, "-o", directory / "hot_line", source], check=True)
    return directory / "hot_line"


def names_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


HOT = 1 + next(
    n
    for n, line in enumerate((FIXTURES / "hot_line.c").read_text().splitlines())
    if "the hot line */" in line
)


@pytest.mark.e2e
async def test_the_hot_line_of_a_real_program(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    spin = Frame("spin", "hot_line", Kind.NATIVE)
    with processes([program, "30"], [program, "30"]) as (one, other):
        events: list[Event] = []
        record = PerfRecord(StackTable(), [one.pid, other.pid], 199, "fp")
        task = asyncio.create_task(record.run(events.append))
        try:
            await until(lambda: record.forwarded >= 200)
            now = time.monotonic()
            before = record.forwarded  # what was sampled until now is on its way still
            await until(lambda: record.forwarded >= before + 50)
            every = await record.annotate(spin, Span(0, now))
            mine = await record.annotate(spin, Span(0, now, frozenset((one.pid,))))
            late = await record.annotate(spin, Span(now - 0.4, now))
            with pytest.raises(AnnotateError, match="no sample taken in the code of a function"):
                await record.annotate(Frame("idle", "hot_line", Kind.NATIVE), Span(0, now))
            with pytest.raises(AnnotateError, match="no name"):
                await record.annotate(Frame("[unknown]", "", Kind.UNKNOWN), Span(0, now))
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    own = every.files[0]
    assert own.name == str(program.with_suffix(".c")) and not every.remark
    assert own.lines[HOT - 1].strip().startswith("sink += sink / (i | 3)")
    assert own.hottest == HOT
    assert own.samples[HOT] >= 0.9 * every.samples >= 0.9 * 150
    assert own.weight == sum(one.samples for one in every.instructions) == every.samples
    assert own.first == 8
    assert max(every.instructions, key=lambda one: one.samples).line == HOT
    assert late.seconds == pytest.approx(0.4) and every.seconds is not None
    assert 0.4 < every.seconds < 30
    assert 0 < mine.samples < every.samples and 0 < late.samples < every.samples
    assert names_in(tmp_path) == [], "recording and answers are deleted"


@pytest.mark.e2e
async def test_what_takes_too_long_is_ended(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("kvtop.collectors.annotate.PATIENCE", 0.0)
    with processes([program, "30"]) as (one,):
        record = PerfRecord(StackTable(), [one.pid], 199, "fp")
        task = asyncio.create_task(record.run(lambda event: None))
        try:
            await until(lambda: record.forwarded >= 10)
            with pytest.raises(AnnotateError, match="perf took longer than 0 s"):
                await record.annotate(
                    Frame("spin", "hot_line", Kind.NATIVE), Span(0, time.monotonic())
                )
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert names_in(tmp_path) == []
