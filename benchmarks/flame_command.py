"""CPU time of ``kvtop flame`` as a whole process, beside flamegraph.pl and inferno where installed.

python benchmarks/flame_command.py

Best of some runs each, user + system, loading of the interpreter included. The profile is made up
(``kvtop.bench.profile_data``): stacks of some 25 frames, and perf's text of 100,000 of them.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kvtop.bench.profile_data import make_fold
from kvtop.export.folded import write_folded
from kvtop.export.svg import SvgMeta, write_svg
from kvtop.profile.stacks import StackTable

SAMPLES = 100_000


def perf_text(table: StackTable, counts: dict[int, int]) -> str:
    """What ``perf script`` would print of ``SAMPLES`` samples."""
    texts = {}
    for stack in counts:
        lines = []
        for frame_id in reversed(table.frames(stack)):
            frame = table.frame(frame_id)
            lines.append(f"\t{4096 + 16 * frame_id:16x} {frame.symbol}+0x4 (/lib/{frame.object})")
        texts[stack] = "\n".join(lines)
    chosen = random.Random(1).choices(list(counts), list(counts.values()), k=SAMPLES)
    return "".join(
        f"server  4211 [000] {100 + n / 1000:.6f}:   10101010 cpu-clock:pppH: \n{texts[stack]}\n\n"
        for n, stack in enumerate(chosen)
    )


def cpu_of(command: list[str], source: Path, rounds: int) -> float:
    """Seconds of the process, its children included; its output is thrown away."""
    best = float("inf")
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with source.open("rb") as stdin:
            subprocess.run(command, stdin=stdin, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        best = min(best, spent)
    return best


def main() -> None:
    """Print one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    kvtop = [sys.executable, "-m", "kvtop", "flame"]
    others = [name for name in ("flamegraph.pl", "inferno-flamegraph") if shutil.which(name)]
    with tempfile.TemporaryDirectory(prefix="kvtop-") as folder:
        for stacks in (20_000, 100_000):
            table = StackTable()
            counts = make_fold(table, stacks)
            if stacks == 20_000:
                best = float("inf")
                for _ in range(2 * rounds):
                    start = time.process_time()
                    write_svg(counts, table, SvgMeta("benchmark"))
                    best = min(best, time.process_time() - start)
                print(f"write_svg alone, {stacks:,} stacks: {best:.3f} s")
                text = Path(folder, "text")
                text.write_text(perf_text(table, counts))
                spent = cpu_of(kvtop, text, rounds)
                print(f"perf script's text, {SAMPLES:,} samples -> SVG: {spent:.2f} s")
            source = Path(folder, "folded")
            source.write_text(write_folded(counts, table))
            for command in (kvtop, *([name] for name in others)):
                spent = cpu_of(command, source, rounds)
                name = "kvtop flame" if command is kvtop else command[0]
                print(f"{name}, {stacks:,} folded stacks -> SVG: {spent:.2f} s")


if __name__ == "__main__":
    main()
