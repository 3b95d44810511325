"""How fast perf script's text is folded: CPU time of one core, best and median of some rounds.

python benchmarks/parse_script.py
perf script -F comm,pid,tid,time,event,period,ip,sym,dso --ns --no-inline > text
python benchmarks/parse_script.py text

Without a file the text is made up: 100,000 samples of five processes in 20,000 stacks, whose
depth and names are as in ``kvtop.bench.profile_data``. It comes in pieces of 64 KiB, as from a
pipe. What is timed is what a live run does with each: read the text, intern the stacks, keep the
samples.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from kvtop.bench.profile_data import make_text
from kvtop.collectors.perf_script import ScriptParser
from kvtop.events import Role
from kvtop.profile.ring import SampleRing
from kvtop.profile.stacks import StackTable

SAMPLES, STACKS = 100_000, 20_000
PIECE = 1 << 16


def parse(text: bytes, keep: bool) -> tuple[float, ScriptParser, StackTable]:
    """CPU seconds to fold ``text``; with ``keep`` the samples go into a ring as well."""
    table = StackTable()
    ring = SampleRing(table, 600, 300_000)
    parser = ScriptParser(table)
    start = time.process_time()
    for at in range(0, len(text), PIECE):
        samples = parser.feed(text[at : at + PIECE])
        if keep:
            for sample in samples:
                ring.append(sample, "node0", Role.LEADER)
    return time.process_time() - start, parser, table


def parse_again(text: bytes) -> float:
    """CPU seconds to fold ``text`` by a parser that has seen its stacks before."""
    parser = ScriptParser(StackTable(), cache_size=1 << 20)
    start = 0.0
    for _ in range(2):
        start = time.process_time()
        for at in range(0, len(text), PIECE):
            parser.feed(text[at : at + PIECE])
    return time.process_time() - start


def main() -> None:
    """Measure, and print one line for each way."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("file", type=Path, nargs="?", help="text of perf script")
    arguments.add_argument("--rounds", type=int, default=7)
    options = arguments.parse_args()
    text = options.file.read_bytes() if options.file else make_text(SAMPLES, STACKS)
    _, parser, table = parse(text, False)
    frames = text.count(b"\n\t")
    print(
        f"{parser.samples:,} samples, {len(text) / 1e6:.0f} MB, {len(table):,} unique stacks, "
        f"{frames / parser.samples:.0f} frames a sample"
    )
    # As kvtop does while it runs.
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    ways: dict[str, Callable[[], float]] = {
        "parsed": lambda: parse(text, False)[0],
        "parsed, every stack seen before": lambda: parse_again(text),
        "parsed and kept in the ring": lambda: parse(text, True)[0],
    }
    for what, run in ways.items():
        rates = [parser.samples / run() for _ in range(options.rounds)]
        print(
            f"{what}: {statistics.median(rates) / 1000:.0f} k samples/s of CPU time "
            f"(best {max(rates) / 1000:.0f} k)"
        )


if __name__ == "__main__":
    main()
