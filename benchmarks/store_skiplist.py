"""The skip list beside sortedcontainers.SortedDict, 100,000 keys; needs the ``test`` extra.

``python -m benchmarks.store_skiplist``: a pyperf script, see its --help for more.
"""

from __future__ import annotations

import random
from time import perf_counter

import pyperf  # type: ignore[import-untyped]
from sortedcontainers import SortedDict

from kvtop.workload.skiplist import SkipList

KEYS = 100_000
_keys = [b"key%08d" % number for number in range(KEYS)]
random.Random(1).shuffle(_keys)


def _fill_skiplist(loops: int) -> float:
    began = perf_counter()
    for _ in range(loops):
        target = SkipList()
        for key in _keys:
            target.set(key, key)
    return perf_counter() - began


def _fill_sorted_dict(loops: int) -> float:
    began = perf_counter()
    for _ in range(loops):
        target = SortedDict()
        for key in _keys:
            target[key] = key
    return perf_counter() - began


def main() -> None:
    """Time per operation of inserting, overwriting, reading and scanning."""
    runner = pyperf.Runner()
    ours = SkipList.from_items((key, key) for key in _keys)
    theirs = SortedDict((key, key) for key in _keys)
    runner.bench_time_func("skip list: insert", _fill_skiplist, inner_loops=KEYS)
    runner.bench_time_func("SortedDict: insert", _fill_sorted_dict, inner_loops=KEYS)
    runner.timeit(
        "skip list: update", "ours.set(key, key)", globals={"ours": ours, "key": _keys[7]}
    )
    runner.timeit("SortedDict: update", "d[key] = key", globals={"d": theirs, "key": _keys[7]})
    runner.timeit("skip list: get", "ours.get(key)", globals={"ours": ours, "key": _keys[7]})
    runner.timeit("SortedDict: get", "d.get(key)", globals={"d": theirs, "key": _keys[7]})
    first, last = b"key00050000", b"key00051000"
    runner.bench_func("skip list: scan 1,000", lambda: list(ours.scan(first, last)))
    runner.bench_func(
        "SortedDict: scan 1,000",
        lambda: [(k, theirs[k]) for k in theirs.irange(first, last, (True, False))],
    )


if __name__ == "__main__":
    main()
