"""The hot-symbols pane: functions by CPU weight in the last seconds, as perf top shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding, BindingType

from kvtop.profile.hotspots import Hotspot
from kvtop.profile.scope import Scope
from kvtop.profile.text import safe_text
from kvtop.store import Store
from kvtop.widgets.base import Help
from kvtop.widgets.figures import count, percent
from kvtop.widgets.frame_table import FrameTable
from kvtop.widgets.hot_counts import HotCounts
from kvtop.widgets.samples import FunctionAsked, Samples, View
from kvtop.widgets.scope_text import length, remarks
from kvtop.widgets.table import Cell, Column, LiveTable, Row
from kvtop.widgets.weights import in_unit, unit_of, weight_text


class HotSymbolsPane(FrameTable[Hotspot]):
    """Self and total share per function over the window, of all targets or of one."""

    NAME = "Hot symbols"
    COLLECTORS = ("perf_record",)
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("self", "self %", 7, 0),
        Column("total", "total %", 8, 2),
        Column("samples", "samples", 8, 5),
        Column("kind", "", 3, 1, right=False, descending=False),
        Column("symbol", "symbol", 22, 0, right=False, grow=3, middle=True, descending=False),
        Column("object", "object", 12, 4, right=False, grow=1, middle=True, descending=False),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g", "toggle_glue", "glue", show=False),
        Binding("a", "ask('source')", "source", show=False),
    ]
    KEYS_HELP: ClassVar[list[Help]] = [
        *LiveTable.KEYS_HELP,
        ("enter", "callers and callees of the function"),
        ("a", "its source with samples per line, its instructions"),
        ("g", "count interpreter glue for its caller, or by itself"),
        ("", "py: Python, C: native code of any language, krn: kernel, vm: glue, ?: no name"),
    ]

    def __init__(self, store: Store, window: float = 30.0, *, id: str | None = None) -> None:
        super().__init__(store, id=id)
        self.sort_key = "self"
        self.scope = Scope(window)
        """The stretch of time that is looked at from the next refresh on."""
        self.label: str | None = None
        self.fold_glue = True
        self._counts = HotCounts(store.table, self.fold_glue)

    @property
    def window(self) -> float:
        """Seconds that are looked at."""
        return self.scope.seconds(self.store.ring.last_time)

    @property
    def until(self) -> float | None:
        """The newest moment that is looked at; None where there is no sample."""
        return self.scope.bounds(self.store.ring.last_time)[1]

    def set_label(self, label: str | None) -> None:
        """Look at one target only; ``None`` for all."""
        self.label = label
        self._recount()

    def next_label(self) -> None:
        """All targets, then each of them in turn."""
        labels = [None, *sorted(self.store.targets)]
        at = labels.index(self.label) if self.label in labels else 0
        self.set_label(labels[(at + 1) % len(labels)])

    def action_toggle_glue(self) -> None:
        """Count interpreter glue for the function that it runs, or as functions of its own."""
        self.fold_glue = not self.fold_glue
        self._counts = HotCounts(self.store.table, self.fold_glue)
        self._recount()

    def action_choose(self) -> None:
        """Enter or a double click: callers and callees."""
        self.action_ask("callers")

    def action_ask(self, view: View) -> None:
        """Look closely at the function under the cursor."""
        spot = next((s for s in self.shown if self.identity(s) == self.selected), None)
        if spot is not None:
            self.post_message(FunctionAsked(spot.frame, view))

    def samples(self, live: bool) -> Samples:
        """What is counted, for other views of it."""

        def caption() -> str:
            whose = "all targets" if self.label is None else self.label
            return f"{length(self.scope, self.store.ring.last_time)} · {safe_text(whose)}"

        return Samples(
            self.counts,
            caption,
            self.data_revision,
            lambda: self.scope.bounds(self.store.ring.last_time),
            self.label,
            live and self.scope.range is None,
            self.unit,
        )

    def _recount(self) -> None:
        self.update_data()
        self.describe()
        self.redraw()

    def data_revision(self) -> object:
        ring, chosen = self.store.ring, self.scope.range
        if chosen is not None:
            # Late samples come in, the oldest leave: the range is the same as long as none did.
            return self.scope, ring.event, ring.count(chosen.start, chosen.end)
        return self.scope, ring.revision, "" if self.shown else self._why_none()

    def counts(self) -> dict[int, int]:
        """Stack id -> weight, in ``unit``, of the window and target that are shown."""
        ring, weight = self.store.ring, self.scope.weight
        counts = ring.fold(self.scope.filter(ring.last_time, self.label), weight)
        return in_unit(ring, weight, counts)

    @property
    def unit(self) -> str:
        """What ``counts`` counts."""
        return unit_of(self.store.ring, self.scope.weight)

    @property
    def weight_text(self) -> str:
        """The unit in words."""
        return weight_text(self.store.ring, self.scope.weight)

    def columns(self) -> Sequence[Column]:
        if self.unit == "samples":
            return self.COLUMNS
        title = safe_text(self.unit, 8)
        return [replace(c, title=title) if c.key == "samples" else c for c in self.COLUMNS]

    def update_data(self) -> None:
        self.update_items(self._counts.update(self.counts()))

    def describe(self) -> None:
        weight = self._counts.weight
        shown = length(self.scope, self.store.ring.last_time)
        parts = [f"{count(weight)} {self.weight_text} in {shown}"]
        parts += remarks(self.scope, self.store.info.wall_offset)
        parts.append("all targets" if self.label is None else self.label)
        if self.pattern is not None:
            parts.append(f"/{self.pattern.pattern}/ {self._covered(self.shown)}% of self")
        elif self.sort_key == "self" and self.descending and weight:
            rows = self.shown[: max(0, self.size.height - self.head_height)]
            parts.append(f"top {len(rows)} carry {self._covered(rows)}%")
        parts.append("glue folded" if self.fold_glue else "glue shown")
        self.set_state(*parts)

    def _covered(self, spots: list[Hotspot]) -> str:
        """Share of all samples in which one of these functions ran."""
        weight = self._counts.weight
        own = sum(spot.self_weight for spot in spots)
        return percent(100 * own / weight if weight else None)

    def sort_value(self, item: Hotspot, key: str) -> float | str | None:
        match key:
            case "self" | "samples":
                return item.self_weight
            case "total":
                return item.total
            case _:
                return super().sort_value(item, key)

    def row(self, item: Hotspot) -> Row:
        weight = self._counts.weight or 1
        return {
            "self": Cell(percent(100 * item.self_weight / weight), "bold"),
            "total": Cell(percent(100 * item.total / weight)),
            "samples": Cell(count(item.self_weight)),
            **self.frame_cells(item.frame),
        }

    def empty_text(self, width: int) -> list[str]:
        if self.pattern is not None:
            return ["nothing matches the filter"]
        if self.label is not None:
            return [f"no samples of {safe_text(self.label)} here"]
        return [f"no samples yet{self._why_none()}"]

    def _why_none(self) -> str:
        """What the targets do instead of running, as far as it is known."""
        usage = self.store.cluster.usage
        known = [usage[label] for label in self.store.targets if label in usage]
        if not known or len(known) < len(self.store.targets):
            return ""
        if all(one.status == "stopped" for one in known):
            return ": stopped, until a SIGCONT" if len(known) == 1 else ": all are stopped"
        if all(one.cpu_percent == 0 for one in known):
            return ": nothing runs on a CPU; o shows what is waited for"
        return ""
