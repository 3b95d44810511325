"""Which keys a load asks for: all alike, or a few much more often (Zipf)."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate

ZIPF_EXPONENT = 0.99
"""As YCSB's default (Cooper et al., 2010)."""


def key_chooser(keys: int, zipf: bool) -> Callable[[], bytes]:
    """A function that draws one of ``keys`` keys."""
    draw = random.Random().random  # randrange costs five times as much
    if not zipf:
        return lambda: b"key%010d" % int(draw() * keys)
    shares = _cumulated(keys)
    total = shares[-1]
    return lambda: b"key%010d" % bisect_right(shares, draw() * total)


@lru_cache(maxsize=1)
def _cumulated(keys: int) -> list[float]:
    return list(accumulate(1.0 / rank**ZIPF_EXPONENT for rank in range(1, keys + 1)))
