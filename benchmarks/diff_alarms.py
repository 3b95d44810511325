"""How often `kvtop diff` raises a false alarm, and whether it finds what was planted.

    python benchmarks/diff_alarms.py record DIR --same 26 --planted 6 --seconds 20
    python benchmarks/diff_alarms.py judge DIR --pairs 50

``record`` runs the built-in cluster again and again, the planted runs spread among the others: in
those `StateMachine.apply_data` counts to LOOPS before it begins (an import hook adds the line; no
file of kvtop is touched). ``judge`` compares pairs of runs of the same build, neighbours in time
first, and each planted run with the same one before it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from kvtop.compare.comparison import Comparison, compare
from kvtop.compare.conditions import parse_condition
from kvtop.compare.inputs import Choice, open_pair
from kvtop.compare.model import Pair

CONDITIONS = ("cpu/op>5%", "ops/s<-5%", "p50>5%", "p99>10%", "p99.9>10%", "context-switches/op>5%")
HOOK = """\
import importlib.machinery
import os
import sys

NAME = "kvtop.workload.statemachine"
WHERE = "            command = Command.FromString(data)\\n"
LOOP = "            for _ in range({loops}):\\n                pass\\n"


class Loader(importlib.machinery.SourceFileLoader):
    def path_stats(self, path):
        raise OSError("no cached code")

    def set_data(self, path, data, **options):
        pass

    def get_data(self, path):
        text = super().get_data(path).decode()
        assert WHERE in text
        loop = LOOP.format(loops=os.environ["KVTOP_PLANTED_LOOPS"])
        return text.replace(WHERE, loop + WHERE, 1).encode()


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != NAME:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        spec.loader = Loader(name, spec.origin)
        return spec


sys.meta_path.insert(0, Finder)
"""


def record(directory: Path, same: int, planted: int, seconds: int, loops: int) -> None:
    """Write same-NN.kvtop and planted-NN.kvtop; a planted one follows every few of the same."""
    directory.mkdir(parents=True, exist_ok=True)
    every = max(same // max(planted, 1), 1)
    with tempfile.TemporaryDirectory() as hook:
        (Path(hook) / "sitecustomize.py").write_text(HOOK)
        slow = {**os.environ, "PYTHONPATH": hook, "KVTOP_PLANTED_LOOPS": str(loops)}
        for number in range(same):
            _run(directory / f"same-{number:02}.kvtop", seconds, dict(os.environ))
            if number % every == every - 1 and number // every < planted:
                _run(directory / f"planted-{number:02}.kvtop", seconds, slow)


def _run(path: Path, seconds: int, environment: dict[str, str]) -> None:
    path.unlink(missing_ok=True)
    command = [sys.executable, "-m", "kvtop", "--batch", "--once", "--duration", str(seconds)]
    subprocess.run(
        [*command, "--frequency", "199", "--record", str(path)],
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=seconds + 120,
    )
    print(path.name, flush=True)


def judge(directory: Path, pairs: int, skip: float) -> None:
    """Print how many pairs of the same build fail, and what is found of the planted runs."""
    same = sorted(directory.glob("same-*.kvtop"))
    opened = open_pair([*map(str, same)], [], Choice(skip=skip))
    runs = opened.before
    chosen = [
        (one, runs[at + step])
        for step in range(1, len(runs))
        for at, one in enumerate(runs)
        if at + step < len(runs)
    ][:pairs]
    alarms: Counter[str] = Counter()
    any_alarm = functions = 0
    for one, two in chosen:
        found = judged(Pair([one], [two], opened.table))
        failed = [verdict.condition.text for verdict in found.verdicts if verdict.fails]
        alarms.update(failed)
        any_alarm += bool(failed)
        if failed:
            print(f"  {one.name} and {two.name}: {failed}", flush=True)
        functions += any(f.own.significant(found.alpha) for f in found.functions)
    print(f"{len(chosen)} pairs of the same build, {len(CONDITIONS)} conditions together:")
    print(f"  {any_alarm} pairs fail; by condition: {dict(alarms) or 'none'}")
    print(f"  {functions} pairs in which a function is called changed")
    for path in sorted(directory.glob("planted-*.kvtop")):
        before = directory / path.name.replace("planted", "same")
        told(f"{before.stem} and {path.stem}", compared([before], [path], skip))
    planted = sorted(directory.glob("planted-*.kvtop"))
    if len(planted) > 1:
        befores = [directory / path.name.replace("planted", "same") for path in planted]
        told(f"{len(planted)} runs a side", compared(befores, planted, skip))


def compared(before: list[Path], after: list[Path], skip: float) -> Comparison:
    """The comparison with the conditions above."""
    return judged(open_pair([*map(str, before)], [*map(str, after)], Choice(skip=skip)))


def judged(pair: Pair) -> Comparison:
    """Every condition, at the confidence that is kvtop's own."""
    return compare(pair, [parse_condition(text) for text in CONDITIONS])


def told(title: str, found: Comparison) -> None:
    """One planted comparison in three lines."""
    cpu = next(m for m in found.metrics if m.metric.name == "cpu/op").change
    assert cpu.relative is not None and cpu.p is not None
    print(f"{title}: cpu/op {100 * cpu.relative:+.1f} % (p = {cpu.p:.2g})")
    print("  fails:", [v.condition.text for v in found.verdicts if v.fails])
    for guilty in found.gained:
        symbol = guilty.function.frame.symbol
        print(f"  {symbol}: {1e6 * guilty.figure.delta:+.1f} us/op (q = {guilty.figure.q:.2g})")
    rank = [f.frame.symbol for f in found.functions].index("StateMachine.apply_data")
    own = found.functions[rank].own
    print(
        f"  StateMachine.apply_data is number {rank + 1}: {1e6 * own.delta:+.1f} us/op, "
        f"p = {own.p:.2g}, q = {own.q:.2g}"
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("do", choices=("record", "judge"))
    parser.add_argument("directory", type=Path)
    parser.add_argument("--same", type=int, default=26)
    parser.add_argument("--planted", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--loops", type=int, default=2500)
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--skip", type=float, default=2.0)
    chosen = parser.parse_args()
    if chosen.do == "record":
        record(chosen.directory, chosen.same, chosen.planted, chosen.seconds, chosen.loops)
    else:
        judge(chosen.directory, chosen.pairs, chosen.skip)


if __name__ == "__main__":
    main()
