"""Opens the heatmap of samples over the curves of the run, on which a range is selected."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kvtop.widgets.profile_screen import ProfileScreen
from kvtop.widgets.time_screen import TimeScreen

if TYPE_CHECKING:
    from kvtop.app import KvtopApp

HELP: tuple[type[ProfileScreen], ...] = (TimeScreen,)


def show(app: KvtopApp) -> None:
    """Go back to the one that is open already, or open it."""
    while app.over is not None and not isinstance(app.over, TimeScreen):
        app.pop_screen()
    if app.over is None:
        hot = app.dashboard.hot_symbols
        screen = TimeScreen(
            hot.store,
            app.scope.range,
            label=hot.label,
            select=app.select_range,
            opened=partial(app.action_open, "flamegraph"),
        )
        app.open_screen(screen)
