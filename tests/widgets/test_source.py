"""The source screen: the hottest line is pointed at, instructions, waiting, what is missing."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from rich.style import Style
from textual.pilot import Pilot

from kvtop.profile.frames import Frame, Kind
from kvtop.profile.listing import Instruction, Listing, SourceFile
from kvtop.widgets.highlight import MOST_CHARACTERS, highlight
from kvtop.widgets.source_screen import SourceScreen
from tests.widgets import golden
from tests.widgets.app import WidgetApp
from tests.widgets.render import screen_text

FRAME = Frame("spin", "hot", Kind.NATIVE)
CODE = tuple(
    f"    total += table[{n}] / divisor; /* {n} */" if n != 41 else "uint64_t spin(long n) {"
    for n in range(1, 81)
)
MAIN = SourceFile("/src/hot.c", CODE, 41, {43: 6, 60: 90, 44: 1})
HEADER = SourceFile(
    "/src/inline.h", ("static int twice(int x) {", "    return 2 * x;", "}"), 0, {2: 3}
)
INSTRUCTIONS = (
    Instruction(0x1149, 6, "test   %rdi,%rdi", "/src/hot.c", 43),
    Instruction(0x114C, 90, "div    %rsi", "/src/hot.c", 60),
    Instruction(0x114F, 4, "ret", "", 0),
)
LISTING = Listing(101, (MAIN, HEADER), INSTRUCTIONS, seconds=29.9)


class Bench:
    """The screen over a listing that comes when ``ready`` is set."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.ready = asyncio.Event()
        self.loads = 0
        self.app = WidgetApp()
        self.screen = SourceScreen(FRAME, lambda: "self 10.0%, total 20.0%", self.load)

    async def load(self) -> Listing:
        self.loads += 1
        await self.ready.wait()
        return self.listing

    async def open(self, pilot: Pilot[object], ready: bool = True) -> None:
        if ready:
            self.ready.set()
        await self.app.push_screen(self.screen)
        await pilot.pause()
        if ready:
            await self.app.workers.wait_for_complete()
        await pilot.pause()

    @property
    def text(self) -> str:
        return screen_text(self.app)

    @property
    def pointed(self) -> int:
        """Line number under the cursor."""
        return self.screen.view.cursor + 1


async def test_the_hottest_line_is_pointed_at_and_in_sight() -> None:
    bench = Bench(LISTING)
    async with bench.app.run_test(size=(100, 20)) as pilot:
        await bench.open(pilot)
        (line,) = (line for line in bench.text.splitlines() if "▶" in line)
        assert "▶  89.1%     90     60     total += table[60]" in line
        assert bench.pointed == 60
        assert "101 samples of the function itself, callees not counted, of 29.9 s." in bench.text
        assert "1 of them have no" in bench.text
        assert "self 10.0%, total 20.0%" in bench.text
        walk = []
        for key in ("n", "n", "n", "N", "up", "home", "end"):
            await pilot.press(key)
            walk.append(bench.pointed)
        assert walk == [43, 44, 60, 44, 43, 1, 80]


async def test_instructions_and_inlined_files() -> None:
    bench = Bench(LISTING)
    async with bench.app.run_test(size=(100, 20)) as pilot:
        await bench.open(pilot)
        await pilot.press("tab")
        assert "/src/inline.h · file 2 of 2" in bench.text
        assert "▶   3.0%      3      2     return 2 * x;" in bench.text
        await pilot.press("i")
        assert "▶  89.1%     90    114c  div    %rsi" in bench.text
        assert "hot.c:60" in bench.text
        await pilot.press("i", "shift+tab")
        assert "/src/hot.c · file 1 of 2" in bench.text


async def test_it_says_that_it_works_and_can_be_left_meanwhile() -> None:
    bench = Bench(LISTING)
    async with bench.app.run_test(size=(100, 20)) as pilot:
        await bench.open(pilot, ready=False)
        assert "Reading samples, line table and source …" in bench.text
        await pilot.press("escape")
        await pilot.pause()
        assert bench.app.screen is not bench.screen
        assert not bench.app.workers._workers


async def test_it_is_measured_again_on_a_key() -> None:
    bench = Bench(LISTING)
    async with bench.app.run_test(size=(100, 20)) as pilot:
        await bench.open(pilot)
        bench.listing = Listing(7, (SourceFile("/src/hot.c", CODE, 41, {9: 7}),))
        await pilot.press("r")
        await bench.app.workers.wait_for_complete()
        assert bench.loads == 2
        assert "▶ 100.0%      7      9" in bench.text


SERVE = (
    "def serve(queue):",
    "    while True:",
    "        request = queue.get()",
    "        answer = apply(request)",
    "        # it was read, see",
    "        send(answer)",
)
WAITING = Listing(
    files=(SourceFile("/srv/app.py", SERVE, 1),),
    remark="py-spy is recording …",
    sampler="py-spy, 50 Hz",
    more=True,
)


def spied(*lines: tuple[int, int, int]) -> Listing:
    """What py-spy saw: line, self, total."""
    own = {line: count for line, count, _ in lines if count}
    totals = {line: count for line, _, count in lines}
    file = SourceFile("/srv/app.py", SERVE, 1, own, totals)
    return Listing(
        sum(own.values()),
        (file,),
        seconds=4.0,
        sampler="py-spy, 50 Hz",
        total=sum(totals.values()),
        more=True,
    )


async def test_lines_of_python_fill_in_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kvtop.widgets.source_screen._AGAIN", 0.01)
    bench = Bench(WAITING)
    async with bench.app.run_test(size=(100, 20)) as pilot:

        async def until(text: str) -> None:
            async with asyncio.timeout(20):
                while text not in bench.text:
                    await pilot.pause(0.01)

        await bench.open(pilot, ready=False)
        bench.ready.set()
        await until("py-spy is recording …")
        assert bench.pointed == 1 and "%" not in bench.text.partition("recording")[2]
        bench.listing = spied((4, 0, 140), (6, 60, 60))
        await until("Per line by py-spy, 50 Hz, not perf: 200 samples in 4 s")
        assert "▶  70.0%            140      4         answer = apply(request)" in bench.text
        assert "   30.0%   30.0%     60      6         send(answer)" in bench.text
        assert bench.pointed == 4
        # From now on the cursor is the reader's.
        bench.listing = spied((4, 0, 140), (6, 160, 260))
        await until("▶  65.0%   40.0%    260      6         send(answer)")
        assert bench.pointed == 4
        await pilot.press("n")
        assert bench.pointed == 6
        await pilot.press("escape")
        loads = bench.loads
        await pilot.pause(0.05)
        assert bench.loads == loads


async def test_screen_of_python_lines() -> None:
    bench = Bench(dataclasses.replace(spied((4, 0, 140), (6, 60, 60), (2, 3, 3)), more=False))
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await bench.open(pilot)
        golden.check("source-python-80x24.txt", bench.text)


async def test_a_function_without_lines_begins_where_it_stands() -> None:
    python = SourceFile("/srv/raft.py", ("import os", *["x = 1"] * 60, "def step(self):"), 62)
    bench = Bench(Listing(0, (python,), (), "perf knows no lines of Python."))
    async with bench.app.run_test(size=(100, 20)) as pilot:
        await bench.open(pilot)
        assert "perf knows no lines of Python." in bench.text
        assert bench.pointed == 62 and "62 def step(self):" in bench.text
        assert "%" not in bench.text.partition("perf knows")[2].partition("?")[0]


async def test_what_cannot_be_had_is_a_sentence() -> None:
    bench = Bench(Listing(remark="objdump is missing: install the package binutils."))
    async with bench.app.run_test(size=(100, 20)) as pilot:
        await bench.open(pilot)
        assert "objdump is missing: install the package binutils." in bench.text
        for key in ("n", "i", "tab", "down", "up", "pagedown", "end"):
            await pilot.press(key)


async def test_lines_without_a_file_have_their_numbers() -> None:
    bench = Bench(Listing(10, (SourceFile("/gone/x.c", (), 3, {7: 9, 5: 1}),), INSTRUCTIONS))
    async with bench.app.run_test(size=(100, 20)) as pilot:
        await bench.open(pilot)
        assert "/gone/x.c cannot be read here" in bench.text
        assert "▶  90.0%      9      7" in bench.text


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda s: f"{s[0]}x{s[1]}")
async def test_screen(size: tuple[int, int]) -> None:
    bench = Bench(LISTING)
    async with bench.app.run_test(size=size) as pilot:
        await bench.open(pilot)
        golden.check(f"source-{size[0]}x{size[1]}.txt", bench.text)
        if size == (120, 40):
            svg = golden.steady_svg(bench.app.export_screenshot())
            golden.check("source-120x40.svg", svg)


@pytest.mark.parametrize("name", ["a.c", "x.py", "vector", "a.unknown", "b.rs"])
def test_colours_change_no_text(name: str) -> None:
    lines = ("int main(void) {", "", "  /* [b]x[/] */", '  return "a" + 1;', "}", "", "")
    found = highlight(name, lines, dark=True)
    assert ["".join(text for text, _ in line) for line in found] == list(lines)
    assert all(style.bgcolor is None for line in found for _, style in line)
    assert (name == "a.unknown") == all(
        style == Style.null() for line in found for _, style in line
    )


def test_very_long_files_stay_plain() -> None:
    lines = ("x" * 1000,) * (MOST_CHARACTERS // 1000 + 1)
    assert highlight("x.py", lines, True) == [[(line, Style.null())] for line in lines]
