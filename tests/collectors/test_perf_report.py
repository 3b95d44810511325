"""Self and total per function equal perf report's on the same recordings, through the parser."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from kvtop.collectors.perf_script import FIELDS, ScriptParser
from kvtop.events import Role
from kvtop.profile.frames import Kind
from kvtop.profile.hotspots import hotspots
from kvtop.profile.ring import SampleRing
from kvtop.profile.stacks import StackTable

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not (shutil.which("perf") and shutil.which("g++")), reason="needs perf and g++"
    ),
]
FIXTURES = Path(__file__).parent.parent / "fixtures"
Name = tuple[str, str]
# "70.09%  split  [.] heavy" of perf report -F overhead,dso,sym
LINE = re.compile(r"^\s*(?P<share>[\d.]+)%\s+(?P<dso>\S.*?)\s+\[[.k]\]\s(?P<symbol>.*?)\s*$")
PYTHON = """\
def work(n):
    return sum(i * i for i in range(n)) + len(sorted(str(i) for i in range(n)))
def deep(n, size):
    return deep(n - 1, size) if n else work(size)
for _ in range(1200): deep(10, 1000)
"""


def run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout


def read_report(data: Path, *options: str) -> dict[Name, list[float]]:
    """Percents per (object, symbol); several where an object has several functions of a name.

    What has no name is left out: perf lists it by address, and we by object.
    """
    report = "perf", "report", "-i", str(data), "--stdio", "--no-inline", "--max-stack", "1024"
    shares: dict[Name, list[float]] = defaultdict(list)
    for line in run(*report, "-g", "none", *options).splitlines():
        match = LINE.match(line)
        if match is not None and not re.fullmatch(r"(0x)?[0-9a-f]{16}", match["symbol"]):
            shares[match["dso"], match["symbol"]].append(float(match["share"]))
    return shares


def build(tmp_path: Path, name: str, *flags: str) -> list[str]:
    program = tmp_path / name
    run("g++", "-O1", *flags, "-o", str(program), str(FIXTURES / f"{name}.cc"))
    return [str(program)]


@pytest.mark.parametrize(
    ("what", "graph"),
    [
        ("recursive with frame pointers", "fp"),
        ("recursive without frame pointers", "dwarf,32768"),
        ("recursive without frame pointers", "fp"),
        ("python", "fp"),
        ("python", "dwarf,32768"),
    ],
)
def test_the_figures_are_those_of_perf_report(tmp_path: Path, what: str, graph: str) -> None:
    if what == "python":
        command = [sys.executable, "-c", PYTHON]
    else:
        with_pointers = what.endswith("with frame pointers")
        flag = "-fno-omit-frame-pointer" if with_pointers else "-fomit-frame-pointer"
        command = build(tmp_path, "recursive", flag)
    data = tmp_path / "perf.data"
    # An odd period: what is weighed is time, not the number of samples.
    record = "perf", "record", "-q", "-e", "cpu-clock", "-c", "1234567", "--call-graph", graph
    run(*record, "-o", str(data), *command)
    table = StackTable()
    ring = SampleRing(table)
    parser = ScriptParser(table)
    script = "perf", "script", "-i", str(data), "--ns", "--no-inline", "--max-stack", "1024"
    samples = parser.feed(run(*script, "-F", FIELDS).encode())
    assert len(samples) > 200 and parser.malformed == 0
    for sample in samples:
        ring.append(sample, "program", Role.OTHER)
    counts = ring.fold(weight="period")
    everything = sum(counts.values())
    assert everything == sum(sample.period for sample in samples)

    rows = [h for h in hotspots(table, counts) if h.frame.kind is not Kind.UNKNOWN]
    ours_self = {(h.frame.object, h.frame.symbol): h.self_weight for h in rows if h.self_weight}
    ours_total = {(h.frame.object, h.frame.symbol): h.total for h in rows}
    theirs_self = read_report(data, "--no-children", "-F", "overhead,dso,sym")
    theirs_total = read_report(data, "--children", "-F", "overhead_children,dso,sym")
    assert set(ours_self) == set(theirs_self)
    assert set(ours_total) == set(theirs_total)
    assert len(ours_self) >= 4 and len(ours_total) >= 6
    for name, shares in theirs_self.items():
        bound = 0.0051 * len(shares)
        assert 100 * ours_self[name] / everything == pytest.approx(sum(shares), abs=bound), name
    for name, shares in theirs_total.items():
        bound = 0.0051 * len(shares)
        share = 100 * ours_total[name] / everything
        # Functions of one name are one here: on one stack they count once.
        assert max(shares) - bound <= share <= sum(shares) + bound, name

    if what == "recursive with frame pointers":
        # Nothing is on the stack more often than all the time, however deep it recurses.
        assert max(ours_total.values()) <= everything
        deepest = max((table.frames(stack) for stack in counts), key=len)
        assert max(Counter(deepest).values()) > 5
        named = {symbol for _, symbol in ours_total}
        assert {"even", "odd", "fibonacci", "shapes::Tree<double>::depth"} <= named
