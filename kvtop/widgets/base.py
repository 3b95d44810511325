"""The base of every pane: border title and state, cached strips, redraw only on new data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.content import Content
from textual.css.styles import RenderStyles
from textual.dom import DOMNode
from textual.geometry import Offset, Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from kvtop.events import Health
from kvtop.profile.text import safe_text
from kvtop.store import Store
from kvtop.widgets.line import Piece, strip_of, width_of

Help = tuple[str, str]
"""A key as people read it, and what it does."""


class LineWidget(ScrollView, can_focus=True):
    """A bordered widget that draws itself line by line in ``draw``.

    ``draw`` runs only when ``redraw`` was called or size, scroll position, focus or theme moved,
    and only lines that differ from the last drawing reach the terminal.
    """

    NAME: ClassVar[str] = ""
    KEYS_HELP: ClassVar[list[Help]] = []
    """Keys of this widget, for the help screen."""
    FILTERABLE: ClassVar[bool] = False
    """Whether ``set_filter`` means something here."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "pane--dim",
        "pane--head",
        "pane--sorted",
        "pane--cursor",
        "pane--good",
        "pane--warn",
        "pane--bad",
        "pane--accent",
        "pane--first",
        "pane--second",
        "pane--third",
        "pane--loud",
        "pane--match",
        "pane--bold",
    }
    DEFAULT_CSS = """
    LineWidget {
        border: round $foreground 30%;
        border-title-color: $foreground;
        border-title-style: bold;
        border-subtitle-color: $text-muted;
        background: $background;
        color: $foreground;
        scrollbar-size-vertical: 1;
        scrollbar-color: $foreground 30%;
        scrollbar-background: $background;
        scrollbar-background-hover: $background;
        scrollbar-background-active: $background;
        overflow-x: hidden;
        & > .pane--dim { color: $text-muted; }
        & > .pane--head { color: $text-muted; }
        & > .pane--sorted { color: $foreground; text-style: bold; }
        & > .pane--cursor { background: $panel; }
        & > .pane--good { color: $text-success; }
        & > .pane--warn { color: $text-warning; }
        & > .pane--bad { color: $text-error; text-style: bold; }
        & > .pane--accent { color: $text-accent; }
        & > .pane--first { color: $text-primary; }
        & > .pane--second { color: $text-warning; }
        & > .pane--third { color: $text-success; }
        & > .pane--loud { color: $background; background: $error; text-style: bold; }
        & > .pane--match { text-style: underline; }
        & > .pane--bold { text-style: bold; }
        &:focus {
            border: round $primary;
            border-title-color: $text-primary;
            & > .pane--cursor {
                color: $block-cursor-foreground;
                background: $block-cursor-background;
            }
        }
        &:ansi {
            border: round ansi_default;
            scrollbar-color: ansi_default;
            & > .pane--dim { color: ansi_default; }
            & > .pane--head { color: ansi_default; text-style: dim; }
            & > .pane--sorted { color: ansi_default; text-style: bold; }
            & > .pane--cursor { text-style: bold; }
            & > .pane--loud {
                color: ansi_default;
                background: ansi_default;
                text-style: bold reverse;
            }
        }
        &:ansi:focus {
            border: heavy ansi_default;
            & > .pane--cursor {
                color: ansi_default;
                background: ansi_default;
                text-style: reverse;
            }
        }
        &:nocolor > .pane--cursor { text-style: bold; }
        &:nocolor:focus > .pane--cursor { text-style: reverse; }
        &:nocolor > .pane--loud { text-style: bold reverse; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.border_title = Content(self.NAME)
        self._strips: list[Strip] = []
        self._key: object = None
        self._drawn_at: object = None
        self._version = 0
        self._state = ""
        self._paints: dict[str, Style] = {}
        self._plain: Style | None = None

    def draw(self, width: int, height: int) -> list[Strip]:
        """The visible lines, top to bottom; missing ones at the end are blank."""
        raise NotImplementedError

    def describe(self) -> None:
        """Put the state into the border's subtitle; called when data or size moved."""

    def refresh_data(self) -> None:
        """Redraw if the data moved since the last call."""

    def set_filter(self, pattern: re.Pattern[str] | None) -> None:
        """Show only what matches; widgets that are not ``FILTERABLE`` have nothing to filter."""

    # Drawing

    def redraw(self) -> None:
        """Draw again; only the lines that changed are sent to the terminal."""
        self._version += 1
        drawn = self._strips and self._place == self._drawn_at
        if not self.is_mounted or not drawn or not self.is_on_screen:
            self.refresh()
            return
        before = self._strips
        after = self._lines()
        if len(before) != len(after):
            self.refresh()
            return
        width = self.inner_width
        changed = [y for y, line in enumerate(after) if line != before[y]]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def render_line(self, y: int) -> Strip:
        """One visible line, from the cache where nothing moved."""
        lines = self._lines()
        return lines[y] if y < len(lines) else Strip.blank(self.inner_width, self.plain)

    def _lines(self) -> list[Strip]:
        place = self._place
        key = self._version, place, self.has_focus
        if key != self._key:
            width, height = self.inner_width, self.size.height
            self._strips = self.draw(width, height)[:height] if width and height else []
            self._strips += [self.blank()] * (height - len(self._strips))
            self._key = key
            self._drawn_at = place
        return self._strips

    @property
    def _place(self) -> tuple[Size, int, Offset]:
        """What decides, beside the data, where anything stands."""
        return self.size, self.inner_width, self.scroll_offset

    def notify_style_update(self) -> None:
        """Theme or focus changed: the cached strips carry old colours."""
        super().notify_style_update()
        self._key = None
        self._paints.clear()
        self._plain = None
        self._component_styles.clear()
        self.refresh()

    @classmethod
    def _get_component_classes(cls) -> frozenset[str]:  # type: ignore[override]
        """None that Textual should style at once: it would do so two or three times while a
        screen opens, a third of the CPU of that."""
        return frozenset()

    def get_component_styles(self, *names: str) -> RenderStyles:
        """As in Textual, but the style sheet is asked when somebody wants to know."""
        declared = super()._get_component_classes()
        for name in declared.intersection(names).difference(self._component_styles):
            node = DOMNode(classes=name)
            node._attach(self)
            self.app.stylesheet.apply(node)
            self._component_styles[name] = node.styles
        return super().get_component_styles(*names)

    def on_resize(self, event: events.Resize) -> None:
        """Sizes decide which columns fit; the lines are drawn when they are next asked for."""
        self.describe()
        self.refresh()

    # Helpers for drawing

    def paint(self, name: str) -> Style:
        """The style of ``pane--name``, to lie over a row's own; the null style for ''."""
        return self._paint(f"pane--{name}") if name else Style.null()

    def _paint(self, component: str) -> Style:
        known = self._paints.get(component)
        if known is None:
            known = self.get_component_rich_style(component, partial=True)
            styles = self.get_component_styles(component)
            if styles.has_rule("color"):
                # Translucent colours are mixed with what they stand on; Textual's partial
                # styles leave that out.
                under = self.background_colors[1]
                if styles.has_rule("background"):
                    under += styles.background
                colour = styles.color
                if styles.auto_color and colour.ansi is None:
                    colour = under.get_contrast_text(colour.a)
                known += Style(color=(under + colour).rich_color)
            self._paints[component] = known
        return known

    @property
    def plain(self) -> Style:
        """The pane's own style: Textual looks through all ancestors whenever it is asked."""
        if self._plain is None:
            self._plain = self.rich_style
        return self._plain

    @property
    def inner_width(self) -> int:
        """Cells of a line, the scrollbar's not counted."""
        return max(0, self.size.width - self.scrollbar_size_vertical)

    def line(self, pieces: Sequence[Piece], width: int | None = None) -> Strip:
        """A full line over the pane's background."""
        return strip_of(pieces, self.inner_width if width is None else width, self.plain)

    def blank(self) -> Strip:
        """An empty line."""
        return Strip.blank(self.inner_width, self.plain)

    def set_number(self, number: int) -> None:
        """Put the digit that brings this pane up before its name."""
        self.border_title = Content(f"{number} {self.NAME}")

    def set_state(self, *parts: str) -> None:
        """The border's subtitle; text only, never markup. The last parts go where it is narrow."""
        kept = [safe_text(part) for part in parts if part]
        room = self.size.width - 4
        while len(kept) > 1 and width_of(" · ".join(kept)) > room:
            kept.pop()
        text = " · ".join(kept)
        if text != self._state:
            self._state = text
            self.border_subtitle = Content(text)


class Pane(LineWidget):
    """A widget over one part of the store.

    A subclass names its data's ``data_revision``, which must be cheap, derives what it shows in
    ``update_data`` and draws it in ``draw``.
    """

    COLLECTORS: ClassVar[tuple[str, ...]] = ()
    """Names of the collectors whose sentence this pane shows when they cannot work."""

    def __init__(self, store: Store, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.store = store
        self._seen: object = None

    def data_revision(self) -> object:
        """A value that differs from the last one exactly when there is something new to draw."""
        raise NotImplementedError

    def update_data(self) -> None:
        """Derive what ``draw`` needs from the store; called when the revision moved."""

    def refresh_data(self) -> None:
        """Redraw if the data moved since the last call."""
        revision = self.data_revision(), tuple(self.store.health(c) for c in self.COLLECTORS)
        if revision != self._seen:
            self._seen = revision
            self.update_data()
            self.describe()
            self.redraw()

    def on_mount(self) -> None:
        """Show what the store already holds."""
        self.refresh_data()

    def complaint(self) -> str:
        """The sentence of the first collector that does not work fully, or ''."""
        for name in self.COLLECTORS:
            status = self.store.health(name)
            if status.health in (Health.UNAVAILABLE, Health.DEGRADED) and status.reason:
                return safe_text(status.reason)
        return ""

    def complaint_lines(self, limit: int = 4) -> list[Strip]:
        """The complaint, wrapped; no line where all is well."""
        text = self.complaint()
        if not text:
            return []
        style = self.paint("warn")
        width = max(8, self.inner_width - 2)
        lines = wrap(text, width)[:limit]
        return [
            self.line([("! " if i == 0 else "  ", style), (part, style)])
            for i, part in enumerate(lines)
        ]


def wrap(text: str, width: int) -> list[str]:
    """Break text at spaces into lines of at most ``width`` characters."""
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
