"""Opens the flamegraph of where the threads of what the hot symbols show wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtop.widgets.profile_screen import ProfileScreen
from kvtop.widgets.waits_screen import WaitsScreen

if TYPE_CHECKING:
    from kvtop.app import KvtopApp

HELP: tuple[type[ProfileScreen], ...] = ()


def show(app: KvtopApp) -> None:
    """Waits are recorded while it is open."""
    screen = WaitsScreen(
        app.session.store,
        app.session.follow_waits,
        app.session.follow_wakers,
        scope=app.scope,
        label=app.dashboard.hot_symbols.label,
        save=app.action_save_svg,
    )
    app.open_screen(screen)
