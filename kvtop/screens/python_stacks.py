"""Opens the flamegraph of what py-spy saw of the programs that the hot symbols show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtop.widgets.profile_screen import ProfileScreen
from kvtop.widgets.python_stacks_screen import PythonStacksScreen

if TYPE_CHECKING:
    from kvtop.app import KvtopApp

HELP: tuple[type[ProfileScreen], ...] = ()


def show(app: KvtopApp) -> None:
    """Frozen where the main screen is paused."""
    hot = app.dashboard.hot_symbols
    app.open_screen(
        PythonStacksScreen(
            app.session.store,
            scope=app.scope,
            label=hot.label,
            save=app.action_save_svg,
            live=not app.paused,
            until=hot.store.ring.last_time if app.paused else None,
        )
    )
