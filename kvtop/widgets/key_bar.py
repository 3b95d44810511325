"""The line of keys at the bottom: whole hints only, the most needed stay longest; a click works."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual import events
from textual.strip import Strip

from kvtop.widgets.base import LineWidget
from kvtop.widgets.line import Piece, width_of

_GAP = 2


class KeyHint(NamedTuple):
    """A key as people read it, what it does, and the action of screen or application it runs.

    Where not all hints fit, those with the highest ``rank`` go first.
    """

    key: str
    text: str
    action: str
    rank: int = 0

    @property
    def width(self) -> int:
        """Cells that it takes."""
        return width_of(self.key) + 1 + width_of(self.text)


class KeyBar(LineWidget, can_focus=False):
    """Hints from left to right; what does not fit whole is left out, by rank, then the last."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"key-bar--key"}
    DEFAULT_CSS = """
    KeyBar {
        border: none;
        dock: bottom;
        height: 1;
        padding: 0 1;
        background: $panel;
        & > .key-bar--key { color: $text-accent; text-style: bold; }
        &:ansi { border: none; background: ansi_default; }
        &:ansi > .key-bar--key { color: ansi_default; text-style: bold underline; }
    }
    """

    def __init__(self, hints: Sequence[KeyHint], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.hints = list(hints)

    def set_hints(self, hints: Sequence[KeyHint]) -> None:
        """Show other keys."""
        self.hints = list(hints)
        self.redraw()

    def _fitting(self, width: int) -> list[KeyHint]:
        kept = list(self.hints)
        while kept and sum(hint.width + _GAP for hint in kept) - _GAP > width:
            kept.remove(max(reversed(kept), key=lambda hint: hint.rank))
        return kept

    def draw(self, width: int, height: int) -> list[Strip]:
        pieces: list[Piece] = []
        key, plain = self._paint("key-bar--key"), self.paint("")
        for hint in self._fitting(width):
            if pieces:
                pieces.append((" " * _GAP, plain))
            pieces += [(hint.key, key), (f" {hint.text}", plain)]
        return [self.line(pieces)]

    async def on_click(self, event: events.Click) -> None:
        """A hint under the mouse runs its action."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        left = 0
        for hint in self._fitting(self.size.width):
            if left <= offset.x < left + hint.width:
                event.stop()
                await self.run_action(hint.action)
                return
            left += hint.width + _GAP
