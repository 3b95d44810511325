"""Fold, tree, layout, hot symbols and writers on made-up profiles (``profile_data``).

python benchmarks/profile_engine.py --fast
python benchmarks/profile_engine.py -o engine.json && python -m pyperf show engine.json
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TypeVar

import pyperf
from profile_data import make_fold, make_ring

from kvtop.export.folded import read_folded, write_folded
from kvtop.export.svg import SvgMeta, read_svg, write_svg
from kvtop.profile.hotspots import hotspots
from kvtop.profile.layout import layout
from kvtop.profile.ring import EVERYTHING, Filter, GroupKey, SampleRing
from kvtop.profile.stacks import StackTable
from kvtop.profile.tree import CallTree

META = SvgMeta("benchmark")
HALF_MINUTE = Filter(start=570)
Data = TypeVar("Data")
Profile = tuple[StackTable, dict[int, int]]


@cache
def ring() -> SampleRing:
    """300,000 samples in 20,000 stacks: 10 minutes of five processes at 99 Hz."""
    return make_ring(300_000, 20_000)


@cache
def profile(stacks: int) -> Profile:
    """A fold of ``stacks`` unique stacks."""
    table = StackTable()
    return table, make_fold(table, stacks)


@cache
def tree(stacks: int) -> CallTree:
    """The tree of that fold."""
    return build(*profile(stacks))


def build(table: StackTable, counts: dict[int, int]) -> CallTree:
    """A new tree of a fold."""
    made = CallTree(table)
    made.update(counts)
    return made


def bench(
    runner: pyperf.Runner, name: str, data: Callable[[], Data], action: Callable[[Data], object]
) -> None:
    """Time ``action`` on what ``data`` makes; only the process that times it makes it."""

    def timed(loops: int) -> float:
        made = data()
        start = pyperf.perf_counter()
        for _ in range(loops):
            action(made)
        return pyperf.perf_counter() - start

    runner.bench_time_func(name, timed)


def merge(loops: int, stacks: int) -> float:
    """Add 1,000 stacks that are not there yet to a tree, each time to a new one."""
    table, counts = profile(stacks)
    fresh = make_fold(table, 1000, seed=9)
    spent = 0.0
    for _ in range(loops):
        target = build(table, counts)
        start = pyperf.perf_counter()
        target.add(fresh)
        spent += pyperf.perf_counter() - start
    return spent


def main() -> None:
    """Every benchmark; pyperf runs each in processes of its own."""
    runner = pyperf.Runner()
    bench(runner, "fold 300k samples", ring, lambda r: r.fold())
    bench(runner, "fold the last 30 s, 15k samples", ring, lambda r: r.fold(HALF_MINUTE))
    one_node = Filter(labels=frozenset({"node1"}))
    bench(runner, "fold one node of 300k samples", ring, lambda r: r.fold(one_node))
    bench(runner, "fold 30 s by node", ring, lambda r: r.fold_by(HALF_MINUTE, GroupKey.LABEL))
    bench(runner, "heatmap of 300k samples", ring, lambda r: r.histogram(0, 600, 200, EVERYTHING))
    for stacks in (20_000, 100_000):
        name = f"{stacks // 1000}k stacks"
        bench(runner, f"tree of {name}", lambda n=stacks: profile(n), lambda p: build(*p))
        bench(
            runner,
            f"layout 200x50 of {name}",
            lambda n=stacks: tree(n),
            lambda t: layout(t, 200, max_depth=49),
        )
        bench(runner, f"hot symbols of {name}", lambda n=stacks: profile(n), lambda p: hotspots(*p))
        runner.bench_time_func(f"merge 1,000 stacks into {name}", merge, stacks)
    fold = 20_000
    bench(
        runner,
        "write svg of 20k stacks",
        lambda: profile(fold),
        lambda p: write_svg(p[1], p[0], META),
    )
    bench(
        runner,
        "write folded of 20k stacks",
        lambda: profile(fold),
        lambda p: write_folded(p[1], p[0]),
    )
    bench(
        runner,
        "read svg of 20k stacks",
        cache(lambda: write_svg(profile(fold)[1], profile(fold)[0], META)),
        lambda text: read_svg(text, StackTable()),
    )
    bench(
        runner,
        "read folded of 20k stacks",
        cache(lambda: write_folded(profile(fold)[1], profile(fold)[0]).splitlines()),
        lambda lines: read_folded(lines, StackTable()),
    )


if __name__ == "__main__":
    main()
