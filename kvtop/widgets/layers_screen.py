"""Layers and advice over the whole screen: whose, which layer, its functions, what stands out."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from kvtop.events import WaitState
from kvtop.profile.advice import findings
from kvtop.profile.layers import SCHEDULER, Layers
from kvtop.profile.scope import Scope
from kvtop.profile.text import safe_text
from kvtop.store import Store
from kvtop.widgets.advice_facts import facts_of
from kvtop.widgets.advice_pane import AdvicePane
from kvtop.widgets.base import Help
from kvtop.widgets.cursor_table import CursorTable
from kvtop.widgets.key_bar import KeyBar, KeyHint
from kvtop.widgets.layer_bars import NOT_RECORDED, LayerBars
from kvtop.widgets.layer_data import Gathered, GroupLayers, gather
from kvtop.widgets.layer_flame import LayerFlamegraph
from kvtop.widgets.layer_frames import (
    NO_FRAME,
    LayerFrame,
    LayerFrames,
    deciding_frames,
    running_frames,
)
from kvtop.widgets.layer_table import LayerTable, layer_rows
from kvtop.widgets.profile_screen import ProfileScreen
from kvtop.widgets.samples import Samples
from kvtop.widgets.sandwich_screen import SandwichScreen, ShowSource
from kvtop.widgets.scope_text import length, remarks
from kvtop.widgets.table import LiveTable

_HINTS = (
    KeyHint("?", "help", "screen.help"),
    KeyHint("esc", "back", "screen.close"),
    KeyHint("enter", "open", "screen.open"),
    KeyHint("t", "whose", "screen.next_group"),
    KeyHint("w", "CPU or waiting", "screen.waiting"),
    KeyHint("tab", "pane", "app.focus_next", 1),
    KeyHint("[ ]", "window", "app.window_longer", 2),
    KeyHint("z", "zoom", "screen.zoom", 2),
)
_ZOOMED = "zoomed"


class LayersScreen(ProfileScreen):
    """Follows the newest samples, once a second; a range or a paused store stands still.

    ``value_size`` is that of kvtop's own clients, bytes. ``save`` saves an opened flamegraph,
    ``show_source`` opens a function's source.
    """

    NAME = "Layers"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,L", "close", "back", key_display="esc"),
        Binding("t", "next_group", "whose layers"),
        Binding("w", "waiting", "CPU or waiting"),
        Binding("z", "zoom", "zoom the pane"),
        Binding("f", "flamegraph", "flamegraph of the layer"),
        Binding("question_mark", "help", "help", key_display="?"),
        # Keys of the main screen that must not reach it from here.
        Binding("k", "cursor(-1)", "up", show=False),
        Binding("j", "cursor(1)", "down", show=False),
        Binding("p,r,slash,s,S,space", "nothing", show=False),
    ]
    KEYS_HELP: ClassVar[list[Help]] = [
        ("t", "whose layers: all nodes, leader, followers, each target"),
        ("enter f", "flamegraph of only the layer under the cursor"),
        ("enter", "on a function: its callers and callees within the layer"),
        ("w", "functions and flamegraph of CPU, or of waiting"),
        ("tab", "next pane"),
        ("z", "zoom the pane, and back"),
        ("[ ]", "shorter or longer window"),
        ("", "a stack belongs to the first frame from its leaf that has a rule"),
        ("", "your own rules: ~/.config/kvtop/layers.toml, --layers FILE"),
        ("", "waiting: blocked in a layer; ready for a CPU is the scheduler's"),
        ("esc L q", "back to the main screen"),
    ]
    DEFAULT_CSS = """
    LayersScreen {
        & > LayerBars { height: auto; max-height: 34%; min-height: 5; }
        & > Horizontal {
            height: 1fr;
            & > LayerTable { width: 1fr; }
            & > LayerFrames { width: 1fr; }
        }
        & > AdvicePane { height: 1fr; }
        &.zoomed { & > LineWidget { display: none; } & > Horizontal { display: none; } }
        &.zoomed > Horizontal > LineWidget { display: none; }
        &.zoomed > .zoomed { display: block; height: 1fr; max-height: 100%; }
        &.zoomed > Horizontal > .zoomed { display: block; }
        &.zoomed > KeyBar { display: block; }
    }
    """

    def __init__(
        self,
        store: Store,
        layers: Layers,
        scope: Scope,
        *,
        value_size: int | None = None,
        live: bool = True,
        save: Callable[[], object] | None = None,
        show_source: ShowSource | None = None,
    ) -> None:
        super().__init__()
        self.store = store
        self.judge = layers
        self.scope = scope
        self.waiting = False
        """Whether functions and flamegraph are of waiting."""
        self.gathered = Gathered()
        self._value_size = value_size
        self._live = live
        self._save = save
        self._show_source = show_source
        self._seen: object = None
        self.bars = LayerBars(store, layers.names, id="bars")
        self.layer_table = LayerTable(store, layers.names, id="layers")
        self.frames = LayerFrames(store, id="frames")
        self.advice = AdvicePane(store, id="advice")

    def compose(self) -> ComposeResult:
        yield self.bars
        with Horizontal():
            yield self.layer_table
            yield self.frames
        yield self.advice
        yield KeyBar(_HINTS)

    def on_mount(self) -> None:
        """Show the window as it is now."""
        self.layer_table.focus()
        self._load()

    # Data

    def refresh_data(self) -> None:
        """Follow the newest samples, once a second; called on every tick."""
        if self.is_mounted and self._revision() != self._seen:
            self._load()

    def set_scope(self, scope: Scope) -> None:
        """Show another stretch of time."""
        self.scope = scope
        if self.is_mounted:
            self._load()

    def _revision(self) -> object:
        ring, waits = self.store.ring, self.store.waits.ring
        return self.scope, *(int(one.last_time or 0) for one in (ring, waits))

    @property
    def group(self) -> GroupLayers | None:
        """The group under the cursor of the bars."""
        name = self.bars.selected
        return self.gathered.of(name) if isinstance(name, str) else None

    @property
    def chosen(self) -> str | None:
        """The layer under the cursor."""
        name = self.layer_table.selected
        return name if isinstance(name, str) else None

    def _caption(self) -> list[str]:
        newest = self.store.ring.last_time
        text = length(self.scope, newest)
        return [text, *(filter(None, remarks(self.scope, self.store.info.wall_offset)))]

    def _load(self) -> None:
        self._seen = self._revision()
        self.gathered = gather(self.store, self.judge, self.scope)
        rate = self.gathered.operations
        rates = [] if rate is None else [f"{rate:,.0f} operations/s"]
        self.bars.show(self.gathered, *self._caption(), *rates)
        self._show_group()

    def _show_group(self) -> None:
        one = self.group
        if one is None:
            return
        rows = layer_rows(one, self.gathered, self.judge.names)
        name = safe_text(one.group.name)
        samples = f"{one.cpu.total:,} samples"
        self.layer_table.show(rows, name, samples)
        facts = facts_of(self.store, self.judge, self.scope, self.gathered, one, self._value_size)
        self.advice.show(findings(facts), one.cpu.total, name, facts.when)
        self._show_frames()

    def _show_frames(self) -> None:
        what = "waiting" if self.waiting else "on CPU"
        if self.waiting and not self.gathered.wait_seconds:
            self.frames.show([], True, NOT_RECORDED)
            return
        self.frames.show(self._frames(), self.waiting, self.chosen or "", what)

    def _frames(self) -> list[LayerFrame]:
        counts = self._counts()
        if not self.waiting:
            return running_frames(self.judge, counts)
        return deciding_frames(self.judge, counts, waiting=True)

    def _counts(self) -> dict[int, int]:
        """The fold of what is chosen: samples, or nanoseconds of waiting."""
        one, layer = self.group, self.chosen
        if one is None or layer is None:
            return {}
        if not self.waiting:
            start, end = self.scope.bounds(self.store.ring.last_time)
            return self.judge.only(self.store.ring.fold(one.group.filter(start, end)), layer)
        ring = self.store.waits.ring
        start, end = self.scope.bounds(ring.last_time)
        if layer == SCHEDULER:
            return ring.fold(one.group.filter(start, end, WaitState.READY), "period")
        blocked = ring.fold(one.group.filter(start, end, WaitState.BLOCKED), "period")
        return self.judge.only(blocked, layer, waiting=True)

    # Keys

    def on_cursor_table_cursor_moved(self, event: CursorTable.CursorMoved) -> None:
        """Another group, or another layer of it."""
        event.stop()
        if event.table is self.bars:
            self._show_group()
        else:
            self._show_frames()

    def on_live_table_chosen(self, event: LiveTable.Chosen) -> None:
        """Enter or a double click on a row."""
        event.stop()
        if event.table is self.frames:
            self._callers()
        elif event.table is self.bars:
            self.layer_table.focus()
        else:
            self.action_flamegraph()

    def action_flamegraph(self) -> None:
        """The flamegraph of only the layer under the cursor, of the group that is shown."""
        one, layer = self.group, self.chosen
        if one is None or layer is None:
            return
        if self.waiting and not self.gathered.wait_seconds:
            self.notify(f"N{NOT_RECORDED[1:]}.", severity="warning", timeout=3, markup=False)
            return
        self.app.push_screen(
            LayerFlamegraph(
                self.store,
                self.judge,
                layer,
                one.group,
                scope=self.scope,
                waiting=self.waiting,
                save=self._save,
                live=self._live,
            ),
            lambda _: self.refresh_data(),
        )

    def _callers(self) -> None:
        frame = self.frames.chosen
        if frame is None or frame == NO_FRAME:
            return
        unit = "ns" if self.waiting else "samples"
        caption = " · ".join((*self._caption(), f"layer {self.chosen}", self._group_name()))
        samples = Samples(
            self._counts,
            lambda: caption,
            self._revision,
            lambda: self.scope.bounds(self.store.ring.last_time),
            live=self._live and self.scope.range is None,
            unit=unit,
        )
        self.app.push_screen(SandwichScreen(self.store, frame, samples, self._show_source))

    def _group_name(self) -> str:
        one = self.group
        return "" if one is None else one.group.name

    def action_next_group(self) -> None:
        """The next group: roles, then each target, then the first again."""
        names = [one.group.name for one in self.gathered.groups]
        if names:
            at = names.index(self._group_name()) if self._group_name() in names else -1
            self.bars.action_cursor(1) if at + 1 < len(names) else self.bars.action_edge(0)

    def action_waiting(self) -> None:
        """Functions and flamegraph of waiting, or of CPU again."""
        self.waiting = not self.waiting
        key = "waits" if self.waiting and self.gathered.wait_seconds else "cpu"
        if self.layer_table.sort_key != key:
            self.layer_table.sort_by(key)
        self._show_frames()

    def action_zoom(self) -> None:
        """Only the focused pane, or all of them again."""
        zoom = not self.has_class(_ZOOMED)
        for pane in (self.bars, self.layer_table, self.frames, self.advice):
            pane.set_class(zoom and pane is self.focused, _ZOOMED)
        self.set_class(zoom, _ZOOMED)
        self.query_one(Horizontal).set_class(
            zoom and self.focused in (self.layer_table, self.frames), _ZOOMED
        )

    async def action_open(self) -> None:
        """Enter of the pane that has the focus."""
        if isinstance(self.focused, LiveTable):
            self.focused.action_choose()

    def action_cursor(self, step: int) -> None:
        """As the arrow keys."""
        if isinstance(self.focused, LiveTable):
            self.focused.action_cursor(step)
