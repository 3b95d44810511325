"""Figures out of the Prometheus text format, and quantiles of its histograms.

Format: prometheus.io/docs/instrumenting/exposition_formats. Lines that are none are left out.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

_LINE = re.compile(
    r"^[ \t]*([a-zA-Z_:][a-zA-Z0-9_:]*)"
    r'[ \t]*(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?[ \t]+(\S+)',
    re.MULTILINE,
)
_BOUND = re.compile(r'(?:^|,)[ \t]*le[ \t]*=[ \t]*"([^"]*)"')
Buckets = tuple[tuple[float, float], ...]
"""(upper bound, observations at or below it), by rising bound; the last bound is infinite."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Samples without labels by name, and the buckets of histograms without other labels."""

    values: dict[str, float] = field(default_factory=dict)
    histograms: dict[str, Buckets] = field(default_factory=dict)

    def whole(self, name: str) -> int | None:
        """A count; None where it is absent or no finite number."""
        value = self.values.get(name)
        return int(value) if value is not None and math.isfinite(value) else None


def parse(text: str, wanted: Collection[str]) -> Metrics:
    """The metrics named in ``wanted``: samples, or histograms by their name without suffix."""
    values: dict[str, float] = {}
    buckets: dict[str, list[tuple[float, float]]] = {}
    prefixes = tuple(wanted)
    chosen = "\n".join(line for line in text.split("\n") if line.lstrip().startswith(prefixes))
    for name, labels, number in _LINE.findall(chosen):
        try:
            value = float(number)
        except ValueError:
            continue
        histogram = name.removesuffix("_bucket")
        if name in wanted and not labels:
            values[name] = value
        elif histogram != name and histogram in wanted:
            bound = _BOUND.search(labels)
            if bound is not None and labels.count("=") == 1:
                with_bound = _bucket(bound[1], value)
                if with_bound is not None:
                    buckets.setdefault(histogram, []).append(with_bound)
    whole = {name: tuple(sorted(parts)) for name, parts in buckets.items()}
    return Metrics(values, {name: parts for name, parts in whole.items() if _is_whole(parts)})


def _bucket(bound: str, value: float) -> tuple[float, float] | None:
    try:
        upper = float(bound)
    except ValueError:
        return None
    return None if math.isnan(upper) or not math.isfinite(value) or value < 0 else (upper, value)


def _is_whole(buckets: Buckets) -> bool:
    """Whether the counts never fall and the last bucket has no bound."""
    counts = [count for _, count in buckets]
    return buckets[-1][0] == math.inf and counts == sorted(counts)


def increase(before: Buckets, after: Buckets) -> Buckets:
    """What was observed in between; all of ``after`` where the process began anew."""
    if [bound for bound, _ in before] != [bound for bound, _ in after]:
        return after
    pairs = list(zip(before, after, strict=True))
    grown = tuple((bound, count - old) for (_, old), (bound, count) in pairs)
    counts = [count for _, count in grown]
    return grown if counts[0] >= 0 and counts == sorted(counts) else after


def quantile(share: float, buckets: Buckets) -> float | None:
    """As Prometheus's ``histogram_quantile``: linear within the bucket that holds the rank.

    So it is exact to the width of a bucket. Of the one without an upper bound the lower bound is
    told. None without observations.
    """
    total = buckets[-1][1]
    if total <= 0:
        return None
    rank = share * total
    below, lower = 0.0, 0.0
    for bound, count in buckets:
        if count >= rank and count > below:
            if bound == math.inf:
                return lower
            return lower + (bound - lower) * max(0.0, rank - below) / (count - below)
        below, lower = count, bound
    return lower


class RecentQuantile:
    """A quantile of what a histogram observed over the last ``span`` seconds."""

    def __init__(self, share: float, span: float = 10.0) -> None:
        self._share = share
        self._span = span
        self._seen: deque[tuple[float, Buckets]] = deque()

    def update(self, time: float, buckets: Buckets) -> float | None:
        """Take the histogram as it is at ``time``; None where nothing was observed since."""
        self._seen.append((time, buckets))
        while len(self._seen) > 2 and time - self._seen[1][0] >= self._span:
            self._seen.popleft()
        if len(self._seen) == 1:
            return None
        return quantile(self._share, increase(self._seen[0][1], buckets))
