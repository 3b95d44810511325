"""The help screen: every key in groups, in as many columns as there is room for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from kvtop.widgets.base import wrap
from kvtop.widgets.line import width_of

_KEYS = 15
"""Cells of the column of keys, at most."""
_WIDEST = 84
"""Cells of the box, as in its style."""
_EDGES = 8
"""Of these, border, padding and scrollbar."""


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
            yield Static()

    def on_mount(self) -> None:
        """Arrow keys scroll at once."""
        self._show(self.app.size.width)
        self.query_one(VerticalScroll).focus()

    def on_resize(self, event: events.Resize) -> None:
        """Lines are broken for the new width."""
        self._show(event.size.width)

    def _show(self, screen: int) -> None:
        box = min(_WIDEST, screen * 9 // 10)
        self.query_one(Static).update(self._text(max(1, box - _EDGES)))

    def _text(self, width: int) -> Content:
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
            # What has no room in its line goes on below its beginning.
            begin = 4 + max(wide, width_of(key))
            lines = f"\n{' ' * begin}".join(wrap(text, max(20, width - begin)))
            parts.append(Content.assemble((f"  {pad}{key}", "bold"), f"  {lines}\n"))
        return Content("").join(parts)
