"""The help screen: every key in groups, in as many columns as there is room for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from kvtop.widgets.line import width_of

_KEYS = 15
"""Cells of the column of keys, at most."""


class HelpScreen(ModalScreen[None]):
    """Shows (group, key, text) rows; any of escape, ``q``, ``?`` closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter,space", "dismiss", "close", show=False)
    ]
    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        & > VerticalScroll {
            width: 90%;
            max-width: 84;
            height: auto;
            max-height: 95%;
            padding: 0 2;
            border: round $primary;
            border-title-style: bold;
            border-subtitle-color: $text-muted;
            background: $surface;
            & > Static { width: 100%; height: auto; }
        }
    }
    """

    def __init__(self, rows: Iterable[tuple[str, str, str]], title: str = "Keys") -> None:
        super().__init__()
        self._rows = list(rows)
        self._head = title

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = Content(self._head)
            box.border_subtitle = Content("esc closes · ↑ ↓ scroll")
            yield Static(self._text())

    def on_mount(self) -> None:
        """Arrow keys scroll at once."""
        self.query_one(VerticalScroll).focus()

    def _text(self) -> Content:
        # The few that are longer than the column push their own text aside, not every one's.
        wide = min(_KEYS, max((width_of(key) for _, key, _ in self._rows), default=0))
        parts: list[Content] = []
        group = None
        for name, key, text in self._rows:
            if name != group:
                if group is not None:
                    parts.append(Content("\n"))
                parts.append(Content.styled(f"{name}\n", "bold $text-primary"))
                group = name
            pad = " " * (wide - width_of(key))
            parts.append(Content.assemble((f"  {pad}{key}", "bold"), f"  {text}\n"))
        return Content("").join(parts)
