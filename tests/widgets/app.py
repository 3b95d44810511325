"""A small application around the widgets under test, ticked by hand."""

from __future__ import annotations

import os

from textual.app import App, ComposeResult
from textual.widget import Widget
from textual.widgets import Footer

from kvtop.store import Store
from kvtop.widgets.dashboard import Dashboard
from kvtop.widgets.header import RunHeader


class WidgetApp(App[object]):
    """Shows the given widgets, one above the other."""

    def __init__(self, *shown: Widget) -> None:
        super().__init__()
        self._shown = shown

    def compose(self) -> ComposeResult:
        yield from self._shown


class MainApp(App[object]):
    """Header and dashboard as on the main screen."""

    CSS = "RunHeader { dock: top; }"

    def __init__(self, store: Store) -> None:
        plain = "NO_COLOR" in os.environ
        # Textual chooses its filter from this argument: with a theme alone it would show
        # black on black.
        super().__init__(ansi_color=True if plain else None)
        if plain:
            self.theme = "ansi-dark"
        self.store = store
        self.header = RunHeader(store)
        self.dashboard = Dashboard(store)

    def compose(self) -> ComposeResult:
        yield self.header
        yield self.dashboard
        yield Footer(show_command_palette=False)

    def tick(self) -> None:
        """What the real application does on every tick."""
        self.header.refresh_data()
        self.dashboard.refresh_data()
