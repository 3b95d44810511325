"""Opens the flamegraph of the last seconds of what the hot symbols show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtop.widgets.flamegraph_screen import FlamegraphScreen
from kvtop.widgets.profile_screen import ProfileScreen

if TYPE_CHECKING:
    from kvtop.app import KvtopApp

HELP: tuple[type[ProfileScreen], ...] = (FlamegraphScreen,)


def show(app: KvtopApp) -> None:
    """Frozen where the main screen is paused."""
    hot = app.dashboard.hot_symbols
    app.open_screen(
        FlamegraphScreen(
            app.session.store,
            scope=app.scope,
            label=hot.label,
            save=app.action_save_svg,
            live=not app.paused,
            until=hot.store.ring.last_time if app.paused else None,
            tree=app.dashboard.flamegraph.state.tree.copy(),
        )
    )
