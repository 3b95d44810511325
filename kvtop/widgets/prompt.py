"""A line to type a regex into, at the bottom of whatever screen is there."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from kvtop.profile.text import safe_text

Pattern = re.Pattern[str]


def compile_pattern(text: str) -> Pattern | None:
    """The regex of a text, None for ''; capital letters make it mind the case (re.error if bad)."""
    if not text:
        return None
    plain = re.sub(r"\\.", "", text)
    return re.compile(text, 0 if plain != plain.lower() else re.IGNORECASE)


class PromptScreen(ModalScreen[str | None]):
    """Gives back the text (a valid regex, '' to end the filter), or None where it was left.

    ``on_change`` hears of every valid state while one types, and of the first one again when
    the prompt is left with escape.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave", show=False)]
    DEFAULT_CSS = """
    PromptScreen {
        align: left bottom;
        background: transparent;
        & > Horizontal {
            height: 1;
            background: $panel;
            & > Label { padding: 0 1; text-style: bold; }
            & > #error { color: $text-error; text-style: none; }
            & > Input { width: 1fr; background: $panel; }
        }
    }
    """

    def __init__(
        self,
        title: str,
        value: str = "",
        on_change: Callable[[Pattern | None], None] | None = None,
    ) -> None:
        super().__init__()
        self._title = title
        self._first = value
        self._on_change = on_change

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Label(Content(f"{safe_text(self._title)}: /"))
            yield Input(self._first, select_on_focus=True, compact=True)
            yield Label("", id="error")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell what the text matches, or what is wrong with it."""
        event.stop()
        self._try(event.value)

    def _try(self, text: str) -> bool:
        error = self.query_one("#error", Label)
        try:
            pattern = compile_pattern(text)
        except re.error as problem:
            error.update(Content(safe_text(f"not a regex: {problem.msg}")))
            return False
        error.update(Content(""))
        if self._on_change is not None:
            self._on_change(pattern)
        return True

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the text, if it is a regex."""
        event.stop()
        if self._try(event.value):
            self.dismiss(event.value)

    def action_leave(self) -> None:
        """Leave everything as it was before."""
        if self._on_change is not None:
            self._on_change(compile_pattern(self._first))
        self.dismiss(None)
