"""The logs pane: the newest lines of every process, followed until one scrolls up."""

from __future__ import annotations

import re
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.strip import Strip

from kvtop.events import LogLine
from kvtop.profile.text import safe_text
from kvtop.store import Store
from kvtop.widgets.base import Help, Pane
from kvtop.widgets.figures import clock
from kvtop.widgets.line import fit, width_of

_LEVELS = {
    "debug": ("·", "dim"),
    "info": (" ", ""),
    "warning": ("!", "warn"),
    "error": ("✗", "bad"),
}
_SOURCE = 8
_SIDESTEP = 20


class LogsPane(Pane):
    """A tail with level glyphs. Scrolled up, it stands still while lines go on coming."""

    NAME = "Logs"
    FILTERABLE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "back(1)", "older", show=False),
        Binding("down", "back(-1)", "newer", show=False),
        Binding("pageup", "page(1)", "page up", show=False),
        Binding("pagedown", "page(-1)", "page down", show=False),
        Binding("home", "oldest", "oldest", show=False),
        Binding("end", "follow", "follow", show=False),
        Binding("left", "side(-1)", "left", show=False),
        Binding("right", "side(1)", "right", show=False),
    ]
    KEYS_HELP: ClassVar[list[Help]] = [
        ("↑ ↓", "scroll back and forth"),
        ("end", "follow the newest line"),
        ("← →", "see the rest of long lines"),
    ]

    def __init__(self, store: Store, *, id: str | None = None) -> None:
        super().__init__(store, id=id)
        self.pattern: re.Pattern[str] | None = None
        self._back = 0
        self._side = 0
        self._held: list[LogLine] | None = None
        self._held_revision = 0

    @property
    def following(self) -> bool:
        """Whether the newest line is shown."""
        return self._held is None

    def set_filter(self, pattern: re.Pattern[str] | None) -> None:
        """Show only lines whose source or text matches."""
        self.pattern = pattern
        self.action_follow()

    def data_revision(self) -> object:
        return self.store.logs.revision

    def describe(self) -> None:
        parts: list[str] = []
        if self.following:
            parts.append("following")
        else:
            new = self.store.logs.revision - self._held_revision
            parts += [f"stopped, {new} new" if new else "stopped", "end follows"]
        if self.pattern is not None:
            parts.append(f"/{self.pattern.pattern}/")
        self.set_state(*parts)

    def _lines_shown(self) -> list[LogLine]:
        lines = list(self.store.logs.items) if self._held is None else self._held
        if self.pattern is None:
            return lines
        search = self.pattern.search
        return [line for line in lines if search(f"{line.source} {safe_text(line.text)}")]

    def draw(self, width: int, height: int) -> list[Strip]:
        lines = self._lines_shown()
        if not lines:
            text = "nothing matches the filter" if self.pattern else "no log line yet"
            return [self.line([(text, self.paint("dim"))])]
        self._back = max(0, min(self._back, len(lines) - height))
        end = len(lines) - self._back
        return [self._strip(line, width) for line in lines[max(0, end - height) : end]]

    def _strip(self, line: LogLine, width: int) -> Strip:
        dim = self.paint("dim")
        glyph, style = _LEVELS.get(line.level, _LEVELS["info"])
        text = safe_text(line.text)
        if self._side:
            text = "…" + text[self._side + 1 :] if width_of(text) > self._side else ""
        pieces = [(f"{glyph} ", self.paint(style))]
        if width >= 40:
            pieces.append((clock(self.store.wall(line.time)) + " ", dim))
        pieces.append((fit(safe_text(line.source), _SOURCE) + " ", dim))
        pieces.append((text, self.paint(style)))
        return self.line(pieces)

    def _scroll_back(self, steps: int) -> None:
        if self._held is None:
            if steps < 0:
                return
            self._held = list(self.store.logs.items)
            self._held_revision = self.store.logs.revision
        room = len(self._lines_shown()) - self.size.height
        self._back = max(0, min(self._back + steps, room))
        if self._back == 0:
            self.action_follow()
            return
        self.describe()
        self.redraw()

    def action_back(self, steps: int) -> None:
        """Scroll towards older lines (positive) or newer ones."""
        self._scroll_back(steps)

    def action_page(self, pages: int) -> None:
        """Scroll by pages."""
        self._scroll_back(pages * max(1, self.size.height - 1))

    def action_oldest(self) -> None:
        """Go to the oldest line that is kept."""
        self._scroll_back(len(self.store.logs.items))

    def action_follow(self) -> None:
        """Go to the newest line and stay there."""
        self._held = None
        self._back = 0
        self.describe()
        self.redraw()

    def action_side(self, direction: int) -> None:
        """Shift long lines to the left or back."""
        self._side = max(0, self._side + direction * _SIDESTEP)
        self.redraw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel scrolls back."""
        event.stop()
        self._scroll_back(3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel scrolls on."""
        event.stop()
        self._scroll_back(-3)
