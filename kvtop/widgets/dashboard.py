"""The main screen's panes put together: which are shown at which size, focus, one maximised."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from kvtop.store import Store
from kvtop.widgets.arrangement import Plan, alone, plan_for
from kvtop.widgets.base import Help, LineWidget, Pane
from kvtop.widgets.cluster import ClusterPane
from kvtop.widgets.counters import CountersPane
from kvtop.widgets.flame_pane import FlamePane
from kvtop.widgets.hot_symbols import HotSymbolsPane
from kvtop.widgets.logs import LogsPane
from kvtop.widgets.processes import ProcessesPane
from kvtop.widgets.stress import StressPane
from kvtop.widgets.table import LiveTable
from kvtop.widgets.timeline import TimelinePane


class Dashboard(Container):
    """All panes of a run. Small screens hide panes whole; ``show_pane`` brings any of them up."""

    KEYS_HELP: ClassVar[list[Help]] = [("1 … 7", "go to a pane, also to one that is hidden")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(str(n), f"show_number({n})", f"pane {n}", show=False) for n in range(1, 8)
    ]
    DEFAULT_CSS = """
    Dashboard {
        layout: grid;
        grid-size: 2;
        grid-gutter: 0;
    }
    """

    def __init__(self, store: Store, window: float = 30.0, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.store = store
        self.cluster = ClusterPane(store, id="cluster")
        self.processes = ProcessesPane(store, id="processes")
        self.stress = StressPane(store, id="stress")
        self.counters = CountersPane(store, id="counters")
        self.hot_symbols = HotSymbolsPane(store, window, id="hot-symbols")
        self.flamegraph = FlamePane(store, self.hot_symbols, id="flamegraph")
        self.timeline = TimelinePane(store, id="timeline")
        self.logs = LogsPane(store, id="logs")
        self.maximised: LineWidget | None = None
        self._present: Plan | None = None

    @property
    def panes(self) -> list[Pane | FlamePane]:
        """The panes of this run in the order of their numbers."""
        has_cluster = self.store.info.has_cluster
        own: list[Pane] = [self.cluster, self.stress] if has_cluster else [self.processes]
        return [*own, self.hot_symbols, self.counters, self.timeline, self.logs, self.flamegraph]

    def compose(self) -> ComposeResult:
        yield from self.panes

    def set_store(self, store: Store) -> None:
        """Show another store of the same run: one that stands still, or the live one again."""
        self.store = store
        for pane in self.panes:
            pane.store = store

    def refresh_data(self) -> None:
        """Let every pane that is on screen look whether its data moved."""
        self._arrange()
        for pane in self.panes:
            if pane.display:
                pane.refresh_data()
        if not self.flamegraph.display:
            self.flamegraph.keep_up(self.size.width)

    @property
    def focused_pane(self) -> LineWidget | None:
        """The pane that has the focus."""
        focused = self.screen.focused
        return next((pane for pane in self.panes if pane is focused), None)

    def on_mount(self) -> None:
        """Numbers in the titles tell which key brings a pane up."""
        for number, pane in enumerate(self.panes, 1):
            pane.set_number(number)
        self.hot_symbols.focus()

    def on_resize(self, event: events.Resize) -> None:
        """Choose what is shown for the new size."""
        self._arrange()

    def on_live_table_chosen(self, event: LiveTable.Chosen) -> None:
        """Enter on a node or process: profile of it alone, or of all again."""
        if event.table in (self.cluster, self.processes):
            event.stop()
            label = str(event.identity)
            self.hot_symbols.set_label(None if self.hot_symbols.label == label else label)
            self.flamegraph.refresh_data()

    def show_pane(self, pane: LineWidget) -> None:
        """Focus a pane; one that has no place at this size takes the whole room."""
        placed = pane.id in self._plan().ids
        if self.maximised is not pane:
            self.maximised = None if placed else pane
        self._arrange()
        pane.focus()

    def show_number(self, number: int) -> None:
        """As ``show_pane``, for the pane with this number, if there is one."""
        if 1 <= number <= len(self.panes):
            self.show_pane(self.panes[number - 1])

    def action_show_number(self, number: int) -> None:
        """Go to a pane by its number."""
        self.show_number(number)

    def toggle_maximised(self) -> None:
        """Give the focused pane the whole room, or all panes theirs again."""
        if self.maximised is None:
            self.maximised = self.focused_pane or self.hot_symbols
        else:
            self.maximised = None
        self._arrange()

    def _plan(self) -> Plan:
        width, height = self.size
        store = self.store
        if store.info.has_cluster:
            return plan_for(width, height, True, max(3, len(store.cluster.nodes)))
        rows = len(self.processes.items) or len(store.targets)
        return plan_for(width, height, False, max(1, rows))

    def _arrange(self) -> None:
        plan = self._plan()
        if self.maximised is not None:
            plan = alone(self.maximised.id or "")
        if plan == self._present or not self.size:
            return
        self._present = plan
        self.styles.grid_size_columns = len(plan.columns.split())
        self.styles.grid_columns = plan.columns
        self.styles.grid_rows = plan.rows
        spans = dict(plan.panes)
        places = {pane: place for place, (pane, _) in enumerate(plan.panes)}
        self.sort_children(key=lambda pane: places.get(pane.id or "", len(places)))
        for pane in self.panes:
            pane.display = pane.id in spans
            pane.styles.row_span = spans.get(pane.id or "", 1)
            if pane.display:
                pane.refresh_data()
        focused = self.focused_pane
        if focused is None or not focused.display:
            next(pane for pane in self.panes if pane.display).focus()
