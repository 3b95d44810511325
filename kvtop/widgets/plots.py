"""What panes with charts share: the newest time of the store, and a titled chart in a pane."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.strip import Strip

from kvtop.store import Store
from kvtop.widgets.base import Pane
from kvtop.widgets.chart import Line, TimeSpan, chart, marker_columns
from kvtop.widgets.line import Piece, width_of


def newest_time(store: Store) -> float:
    """The time of the newest figure of any source: the right end of every time axis."""
    times = [store.info.started]
    if store.pipeline is not None:
        times.append(store.pipeline.time)
    if store.stress.last is not None:
        times.append(store.stress.last.time)
    if store.own is not None:
        times.append(store.own.time)
    times += [reading.time for reading in store.cluster.usage.values()]
    times += [status.time for status in store.cluster.nodes.values()]
    events = store.counters.events[:1]
    for label in store.counters.labels:
        times += [r.time for e in events if (r := store.counters.last(label, e)) is not None]
    return max(times)


def titled_chart(
    pane: Pane,
    title: Sequence[Piece],
    lines: Sequence[Line],
    span: TimeSpan,
    height: int,
    unit: Callable[[float], str],
    label_width: int,
    name: str = "",
) -> list[Strip]:
    """A chart with the store's markers under a title line, ``height`` lines in all.

    Too low for a title line, the chart says its ``name`` at its scale.
    """
    head: list[Strip] = []
    if height > 3:
        used = sum(width_of(text) for text, _ in title)
        head.append(pane.line(title if used <= pane.inner_width else title[:1]))
    rows = chart(
        lines,
        span,
        height - len(head),
        unit=unit,
        label_width=label_width,
        dim=pane.paint("dim"),
        name="" if head else name,
        markers=marker_columns(list(pane.store.markers.items), span, pane.paint),
    )
    return head + [pane.line(row) for row in rows]
