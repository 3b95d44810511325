"""The time map over the whole screen: choose a stretch of time for every profile view."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from kvtop.profile.scope import Scope, TimeRange
from kvtop.store import Store
from kvtop.widgets.base import Help
from kvtop.widgets.key_bar import KeyBar, KeyHint
from kvtop.widgets.profile_screen import ProfileScreen
from kvtop.widgets.time_map import TimeMap

_HINTS = (
    KeyHint("?", "help", "screen.help"),
    KeyHint("esc", "back", "screen.close"),
    KeyHint("p", "worst p99", "screen.map('spike')"),
    KeyHint("v", "select", "screen.map('anchor')"),
    KeyHint("f", "flamegraph", "screen.map('open')"),
    KeyHint("x", "drop", "app.clear_range"),
    KeyHint("n", "marker", "screen.map('marker(1)')", 1),
    KeyHint("+ -", "scale", "screen.map('scale(-1)')", 2),
    KeyHint("t", "targets", "screen.map('by_target')", 2),
    KeyHint("b", "baseline", "app.baseline", 3),
    KeyHint("d", "diff", "app.open('diff')", 3),
    KeyHint("c", "counter", "screen.map('next_counter')", 4),
)


class TimeScreen(ProfileScreen):
    """Heatmap and curves; ``select`` is told what is selected, ``opened`` shows its flamegraph."""

    NAME = "Time"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,T,q", "close", "back", key_display="esc"),
        Binding("f", "map('open')", "flamegraph of the selection"),
        Binding("question_mark", "help", "help", key_display="?"),
        # Keys of the main screen that must not reach it from here.
        Binding("r,z,slash,tab,shift+tab,space", "nothing", show=False),
        Binding("left_square_bracket,right_square_bracket", "nothing", show=False),
    ]
    KEYS_HELP: ClassVar[list[Help]] = [
        *TimeMap.KEYS_HELP,
        ("b d", "make what is selected the baseline; compare with it"),
        ("s S", "save what is selected"),
        ("esc", "back, with the selection"),
    ]
    DEFAULT_CSS = """
    TimeScreen {
        & > TimeMap { height: 1fr; }
    }
    """

    def __init__(
        self,
        store: Store,
        chosen: TimeRange | None,
        *,
        label: str | None = None,
        select: Callable[[TimeRange | None], None],
        opened: Callable[[], None],
    ) -> None:
        super().__init__()
        self.map = TimeMap(store, label=label, id="time")
        self._chosen = chosen
        self._select = select
        self._open = opened

    def compose(self) -> ComposeResult:
        yield self.map
        yield KeyBar(_HINTS)

    def on_mount(self) -> None:
        """Show what is selected already."""
        self.map.focus()
        self.map.select(self._chosen)

    @property
    def parts(self) -> tuple[TimeMap]:
        """The map."""
        return (self.map,)

    def refresh_data(self) -> None:
        """Follow the newest figures; called on every tick."""
        if self.is_mounted:
            self.map.refresh_data()

    def set_scope(self, scope: Scope) -> None:
        """Show the range that is selected, if any."""
        self._chosen = scope.range
        if self.is_mounted:
            self.map.select(scope.range)

    def on_time_map_selected(self, event: TimeMap.Selected) -> None:
        """Limit every profile view."""
        self._select(event.chosen)

    def on_time_map_opened(self, event: TimeMap.Opened) -> None:
        """Show the flamegraph."""
        self._open()

    async def action_map(self, action: str) -> None:
        """Run an action of the map."""
        await self.map.run_action(action)
