"""Questions that need an answer before something is done."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Label

from kvtop.profile.text import safe_text


class ConfirmScreen(ModalScreen[bool]):
    """A yes-or-no question; escape, ``n`` and the focused button say no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes", show=False),
        Binding("n", "answer(False)", "no", show=False),
        Binding("escape", "answer(False)", "no", show=False),
        Binding("left,right", "app.focus_next", "other", show=False),
    ]
    DEFAULT_CSS = """
    ConfirmScreen {
        align: center middle;
        & > Vertical {
            width: auto;
            max-width: 90%;
            height: auto;
            padding: 1 2;
            border: round $warning;
            border-title-style: bold;
            background: $surface;
            & > Label { width: auto; max-width: 100%; }
            & > Horizontal { width: auto; height: auto; margin-top: 1; }
            & Button { margin-right: 2; }
        }
    }
    """

    def __init__(self, question: str, title: str = "Sure?") -> None:
        super().__init__()
        self._question = safe_text(question)
        self._head = safe_text(title)

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self._head)
            yield Label(Content(self._question))
            with Horizontal():
                yield Button("No  (n)", id="no", compact=True)
                yield Button("Yes  (y)", id="yes", variant="warning", compact=True)

    def action_answer(self, yes: bool) -> None:
        """Give the answer back."""
        self.dismiss(yes)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """The buttons are the same two answers."""
        self.dismiss(event.button.id == "yes")
