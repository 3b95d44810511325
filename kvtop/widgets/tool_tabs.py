"""The line of tabs on top of the tools screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.strip import Strip

from kvtop.widgets.base import LineWidget
from kvtop.widgets.line import Piece, width_of


class ToolTabs(LineWidget, can_focus=False):
    """Names with their digits; a click chooses, and so does the screen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"tool-tabs--active"}
    DEFAULT_CSS = """
    ToolTabs {
        border: none;
        height: 1;
        padding: 0 1;
        background: $panel;
        & > .tool-tabs--active { color: $text-primary; text-style: bold reverse; }
        &:ansi { border: none; background: ansi_default; }
        &:ansi > .tool-tabs--active { color: ansi_default; text-style: bold reverse; }
    }
    """

    def __init__(self, names: Sequence[str], chosen: Callable[[int], None]) -> None:
        super().__init__()
        self.names = tuple(names)
        self.active = 0
        self.remark = ""
        self._chosen = chosen

    def show(self, active: int, remark: str = "") -> None:
        """Which tab is open, and what is to be said beside."""
        if (active, remark) != (self.active, self.remark):
            self.active, self.remark = active, remark
            self.redraw()

    def _texts(self, width: int) -> list[str]:
        texts = [f" {number} {name} " for number, name in enumerate(self.names, 1)]
        if sum(map(width_of, texts)) > width:
            texts = [text if at == self.active else f" {at + 1} " for at, text in enumerate(texts)]
        return texts

    def draw(self, width: int, height: int) -> list[Strip]:
        active, plain = self._paint("tool-tabs--active"), self.paint("")
        pieces: list[Piece] = [
            (text, active if at == self.active else plain)
            for at, text in enumerate(self._texts(width))
        ]
        if self.remark:
            pieces.append((f"  {self.remark}", self.paint("warn")))
        return [self.line(pieces)]

    def on_click(self, event: events.Click) -> None:
        """The tab under the mouse."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        left = 0
        for at, text in enumerate(self._texts(self.inner_width)):
            if left <= offset.x < left + width_of(text):
                self._chosen(at)
                return
            left += width_of(text)
