"""Self and total per function: against a plain count, and against perf report itself."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given

from kvtop.profile.frames import UNKNOWN_SYMBOL
from kvtop.profile.hotspots import hotspots
from kvtop.profile.stacks import StackTable
from tests.profile.test_stacks import stack
from tests.profile.test_tree import STACKS, Stacks, fold

FIXTURES = Path(__file__).parent
# "70.09%  split  [.] heavy" of perf report -F overhead,dso,sym
REPORT_LINE = re.compile(r"^\s*(?P<share>[\d.]+)%\s+(?P<rest>.*\[[.k]\] .*)$")


@given(STACKS)
def test_against_a_plain_count(stacks: Stacks) -> None:
    table = StackTable()
    found = {h.frame.symbol: (h.self_weight, h.total) for h in hotspots(table, fold(table, stacks))}
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for names, weight in stacks.items():
        own[names[-1] if names else ""] += weight
        for name in set(names):
            total[name] += weight
    assert found == {name: (own[name], weight) for name, weight in total.items()}


def test_recursion_counts_once_and_objects_keep_functions_apart() -> None:
    table = StackTable()
    recursive = stack(table, "f", "f", "g", "f")
    other = stack(table, "f", dso="/lib/other.so")
    rows = hotspots(table, {recursive: 5, other: 2})
    assert [(h.frame.symbol, h.frame.object, h.self_weight, h.total) for h in rows] == [
        ("f", "x", 5, 5),
        ("f", "other.so", 2, 2),
        ("g", "x", 0, 5),
    ]


def run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout


def read_script(text: str, table: StackTable) -> dict[int, int]:
    """Fold of ``perf script -F period,ip,sym,dso`` by period, read as plainly as can be."""
    counts: dict[int, int] = {}
    for block in text.split("\n\n"):
        head, *lines = block.strip("\n").splitlines() or [""]
        frames = []
        for line in lines:
            symbol, _, dso = line.strip().partition(" ")[2].rpartition(" (")
            frames.append(table.frame_id(symbol, dso.removesuffix(")")))
        if frames:
            found = table.stack_id(frames[::-1])
            counts[found] = counts.get(found, 0) + int(head.split()[0])
    return counts


def read_report(text: str) -> dict[tuple[str, str], float]:
    """(object, symbol) -> percent of ``perf report -F overhead,dso,sym``.

    What has no name is left out: perf lists it by address, and we by object.
    """
    shares: dict[tuple[str, str], float] = {}
    for line in text.splitlines():
        match = REPORT_LINE.match(line)
        if match is not None:
            dso, _, symbol = re.split(r"\s+(\[[.k]\]) ", match["rest"].strip(), maxsplit=1)
            if not re.fullmatch(r"(0x)?[0-9a-f]{16}", symbol.strip()):
                shares[dso, symbol.strip()] = float(match["share"])
    return shares


@pytest.mark.e2e
@pytest.mark.skipif(not (shutil.which("perf") and shutil.which("gcc")), reason="needs perf and gcc")
def test_the_figures_are_those_of_perf_report(tmp_path: Path) -> None:
    program, data = tmp_path / "split", str(tmp_path / "perf.data")
    run("gcc", "-O1", "-fno-omit-frame-pointer", "-o", str(program), str(FIXTURES / "split.c"))
    run("perf", "record", "-q", "-e", "cpu-clock", "-F", "4999", "-g", "-o", data, str(program))
    table = StackTable()
    counts = read_script(run("perf", "script", "-i", data, "-F", "period,ip,sym,dso"), table)
    everything = sum(counts.values())
    rows = [h for h in hotspots(table, counts) if h.frame.symbol != UNKNOWN_SYMBOL]
    ours_self = {
        (h.frame.object, h.frame.symbol): 100 * h.self_weight / everything
        for h in rows
        if h.self_weight
    }
    ours_total = {(h.frame.object, h.frame.symbol): 100 * h.total / everything for h in rows}
    report = "perf", "report", "-i", data, "--stdio", "-g", "none", "-F"
    theirs_self = read_report(run(*report, "overhead,dso,sym", "--no-children"))
    theirs_total = read_report(run(*report, "overhead_children,dso,sym", "--children"))
    assert len(theirs_self) >= 3 and len(theirs_total) >= 5
    assert set(ours_self) == set(theirs_self)
    assert set(ours_total) == set(theirs_total)
    for name, share in theirs_self.items():
        assert ours_self[name] == pytest.approx(share, abs=0.0051), name
    for name, share in theirs_total.items():
        assert ours_total[name] == pytest.approx(share, abs=0.0051), name
    # The program's loop spends 70, 20 and 10 % in these three, by construction; interrupts
    # that hit it are the kernel's.
    split = {"heavy": 70, "medium": 20, "light": 10}
    loop = sum(ours_self["split", symbol] for symbol in split)
    for symbol, share in split.items():
        assert 100 * ours_self["split", symbol] / loop == pytest.approx(share, abs=2), symbol
