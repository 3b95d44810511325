"""The live flamegraph as a pane of the main screen."""

from __future__ import annotations

import re
from typing import ClassVar

from textual.binding import Binding, BindingType

from kvtop.profile.text import safe_text
from kvtop.store import Store
from kvtop.widgets.figures import count
from kvtop.widgets.flamegraph import Flamegraph
from kvtop.widgets.hot_symbols import HotSymbolsPane
from kvtop.widgets.scope_text import length, remarks

KEEP_UP = 2.0
"""Seconds between two looks at the samples while the pane is not on screen."""


class FlamePane(Flamegraph):
    """Shows the samples that the hot-symbols pane counts: same window, same target."""

    FILTERABLE: ClassVar[bool] = True
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "zoom_out", "zoom out", show=False)]

    def __init__(self, store: Store, hot: HotSymbolsPane, *, id: str | None = None) -> None:
        super().__init__(store.table, id=id)
        self.store = store
        self._hot = hot
        self._seen: object = None
        self._kept = 0.0

    def refresh_data(self) -> None:
        """Take the window as it is now, if anything in it moved."""
        hot = self._hot
        revision = hot.data_revision(), hot.label
        if revision == self._seen:
            return
        self._seen = revision
        self.unit = hot.unit
        counts = hot.counts()
        whose = "all targets" if hot.label is None else hot.label
        shown = length(hot.scope, self.store.ring.last_time)
        parts = [f"{count(sum(counts.values()))} {hot.weight_text} in {shown}"]
        parts += remarks(hot.scope, self.store.info.wall_offset)
        caption = safe_text(" · ".join(filter(None, [*parts, whose])))
        self.set_counts(counts, self.store.table, caption)

    def keep_up(self, width: int) -> None:
        """Follow the samples unseen, now and then: the flamegraph's screen opens on this tree."""
        newest = self.store.ring.last_time
        if width and newest is not None and not 0 <= newest - self._kept < KEEP_UP:
            self._kept = newest
            self.state.set_groups({"": self._hot.counts()})
            self.state.lay_out(width)

    def set_filter(self, pattern: re.Pattern[str] | None) -> None:
        """Mark what matches."""
        self.search(pattern)
