"""Opens the layers: what CPU and waiting are spent on, and advice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtop.layers_config import load_rules
from kvtop.profile.layers import Layers
from kvtop.widgets.layers_screen import LayersScreen
from kvtop.widgets.profile_screen import ProfileScreen

if TYPE_CHECKING:
    from kvtop.app import KvtopApp

HELP: tuple[type[ProfileScreen], ...] = (LayersScreen,)


def show(app: KvtopApp) -> None:
    """Of a paused run the layers at that moment."""
    config = app.session.config
    store = app.dashboard.hot_symbols.store
    stressed = store.info.has_cluster and not config.no_stress
    app.open_screen(
        LayersScreen(
            store,
            Layers(store.table, load_rules(config.layers)),
            app.scope,
            value_size=config.value_size if stressed else None,
            live=not app.paused,
            save=app.action_save_svg,
        )
    )
