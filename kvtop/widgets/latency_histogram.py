"""Two histograms side by side over one axis: the devices' latency, and the store's fdatasyncs."""

from __future__ import annotations

from collections import Counter

from textual.strip import Strip

from kvtop.tool_events import BlockRow, Tool
from kvtop.widgets.base import Pane
from kvtop.widgets.figures import count
from kvtop.widgets.line import Piece, fit

_LABEL = 13
_COUNT = 6
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bucket_label(bucket: int) -> str:
    """The range of bucket N, 2**N to 2**(N+1) microseconds, in the coarser unit that fits."""
    low, high = 1 << bucket, 1 << bucket + 1
    if high < 1 << 10:
        return f"{low}–{high} µs" if bucket else f"<{high} µs"
    if high < 1 << 20:
        return f"{_rounded(low / 1000)}–{_rounded(high / 1000)} ms"
    return f"{_rounded(low / 1e6)}–{_rounded(high / 1e6)} s"


def _rounded(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


def bar(share: float, cells: int) -> str:
    """A bar of up to ``cells`` cells; the least that there is shows an eighth of one."""
    eighths = max(1, round(share * cells * 8)) if share > 0 else 0
    whole, rest = divmod(min(eighths, cells * 8), 8)
    return "█" * whole + (_EIGHTHS[rest] if rest else "")


class LatencyHistogram(Pane):
    """Counts per power of two; each side's bars are shares of its own longest."""

    NAME = "Latency"
    COLLECTORS = ()

    def data_revision(self) -> object:
        return id(self.store.tools.reading(Tool.BLOCK_IO)), self.store.cluster.revision

    def update_data(self) -> None:
        self.requests: Counter[int] = Counter()
        reading = self.store.tools.reading(Tool.BLOCK_IO)
        for row in () if reading is None else reading.rows:
            if isinstance(row, BlockRow):
                for bucket, n in row.buckets:
                    self.requests[bucket] += n
        self.syncs: Counter[int] = Counter()
        for node in self.store.cluster.nodes.values():
            for bucket, n in node.fdatasync_buckets:
                self.syncs[bucket] += n

    def describe(self) -> None:
        parts = [f"{count(self.requests.total())} requests"]
        if self.syncs:
            parts.append(f"{count(self.syncs.total())} fdatasyncs of the last 5–10 s")
        self.set_state(*parts)

    def draw(self, width: int, height: int) -> list[Strip]:
        known = sorted(self.requests | self.syncs)
        if not known:
            return []
        sides = [("device requests", self.requests, "first")]
        if self.store.info.has_cluster:
            sides.append(("the store's fdatasyncs", self.syncs, "second"))
        room = max(4, (width - _LABEL) // len(sides) - _COUNT - 3)
        head: list[Piece] = [(fit("", _LABEL), self.paint("head"))]
        for title, _, style in sides:
            head.append((f"  {fit(title, room + _COUNT + 1)}", self.paint(style)))
        lines = [self.line(head)]
        buckets = range(known[0], known[-1] + 1)
        for bucket in list(buckets)[: max(0, height - 1)]:
            pieces: list[Piece] = [(fit(bucket_label(bucket), _LABEL, True), self.paint("head"))]
            for _, counts, style in sides:
                n = counts[bucket]
                share = n / max(counts.values(), default=1)
                pieces.append((f"  {fit(bar(share, room), room)}", self.paint(style)))
                pieces.append((f" {fit(count(n) if n else '', _COUNT, True)}", self.paint("")))
            lines.append(self.line(pieces))
        return lines
