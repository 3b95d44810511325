"""How a flamegraph looks: boxes in rows, and lines that say what the box under the cursor is."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.strip import Strip

from kvtop.profile.frames import Frame, Kind
from kvtop.profile.layout import Box
from kvtop.profile.plumbing import is_plumbing
from kvtop.profile.stacks import StackTable
from kvtop.widgets.base import LineWidget, wrap
from kvtop.widgets.figures import percent
from kvtop.widgets.flame_colours import COMPONENTS, Palette
from kvtop.widgets.flame_labels import shorten
from kvtop.widgets.flame_rows import Look, draw_plain_row, draw_row
from kvtop.widgets.flame_state import FlameState, Groups
from kvtop.widgets.line import Piece, clip_middle, width_of

KIND_NAMES = {
    Kind.PYTHON: "Python",
    Kind.NATIVE: "native",
    Kind.KERNEL: "kernel",
    Kind.GLUE: "interpreter glue",
    Kind.UNKNOWN: "unknown",
    Kind.GROUP: "group",
}


def place(frame: Frame, full: bool = False) -> str:
    """Where a frame's code is: ``file:line`` or the object; '' where unknown."""
    if not frame.file:
        return frame.object
    name = frame.file if full else frame.object
    return f"{name}:{frame.line}" if frame.line else name


class FlameCanvas(LineWidget):
    """Boxes for call paths; the lines below say what the box under cursor or mouse is.

    Keys and mouse are its subclass's.
    """

    NAME = "Flamegraph"
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *COMPONENTS.values(),
        "flame--selected",
        "flame--match",
    }
    DEFAULT_CSS = """
    FlameCanvas {
        & > .flame--python { background: $warning; }
        & > .flame--native { background: $primary; }
        & > .flame--kernel { background: $error; }
        & > .flame--glue { background: $success-darken-3; }
        & > .flame--unknown { background: $foreground-darken-3; }
        & > .flame--group { background: $panel-lighten-1; }
        & > .flame--selected { color: $background; background: $foreground; text-style: bold; }
        & > .flame--match {
            color: $text;
            background: $success-lighten-2;
            text-style: bold;
        }
        &:ansi {
            & > .flame--python { background: ansi_yellow; }
            & > .flame--native { background: ansi_cyan; }
            & > .flame--kernel { background: ansi_magenta; }
            & > .flame--glue { background: ansi_green; }
            & > .flame--unknown { background: ansi_white; }
            & > .flame--group { background: ansi_white; }
            & > .flame--selected {
                color: ansi_default;
                background: ansi_default;
                text-style: bold reverse;
            }
            & > .flame--match {
                color: ansi_black;
                background: ansi_bright_green;
                text-style: bold underline;
            }
        }
    }
    """

    def __init__(self, table: StackTable, unit: str = "samples", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.state = FlameState(table)
        self.unit = unit
        self.caption = ""
        self.empty = ""
        """What to say while there is no box; that nothing is here yet where it is empty."""
        self.flame = False
        """Root at the bottom."""
        self.hovered: int | None = None
        self.plumbing_dimmed = False
        self._palette: Palette | None = None
        self._rows: dict[int, Strip] = {}
        self._looks: dict[int, Look] = {}
        self._matched_key: object = None
        self._matched = 0

    # Data

    def set_counts(self, counts: dict[int, int], table: StackTable, caption: str = "") -> None:
        """Show a fold (stack id -> weight) of the table; selection and zoom stay."""
        self.set_groups({"": counts}, table, caption)

    def set_groups(self, groups: Groups, table: StackTable, caption: str = "") -> None:
        """Show several folds, each under a box with its name."""
        if table is not self.state.table:
            self.state = FlameState(table, self.state.options)
        epoch = self.state.tree.epoch
        moved = self.state.set_groups(groups)
        if self.state.tree.epoch != epoch:
            self.hovered = None
        before = self.caption
        self._say(caption)
        if moved:
            self._changed()
        elif caption != before:
            self.redraw()

    def _say(self, caption: str) -> None:
        self.caption = caption
        self.describe()

    def describe(self) -> None:
        self.set_state(*self.caption.split(" · "))

    def _changed(self) -> None:
        """Boxes moved: lay out and draw anew."""
        self._forget()
        width = self.inner_width
        if width:
            self.state.lay_out(width)
            self.state.ensure_drawn()
            self._fit_height()
        self.redraw()

    def _forget(self) -> None:
        """What was drawn shows old boxes or colours."""
        self._rows.clear()
        self._looks.clear()

    def on_resize(self, event: events.Resize) -> None:
        """The width decides the layout."""
        if self._place == self._drawn_at:
            return
        self._changed()
        self.describe()
        if self.flame:
            self.scroll_to(y=self.max_scroll_y, animate=False)

    def notify_style_update(self) -> None:
        """Theme or focus changed: colours are old."""
        super().notify_style_update()
        self._palette = None
        self._forget()

    # Drawing

    @property
    def foot(self) -> int:
        """Lines below the boxes: details in two lines, the legend in one; fewer where it is low."""
        return 3 if self.size.height >= 14 else 2 if self.size.height >= 8 else 1

    @property
    def room(self) -> int:
        """Lines that boxes can take."""
        return max(1, self.size.height - self.foot)

    def _fit_height(self) -> None:
        rows = max(len(self.state.layout.rows), self.room)
        size = Size(self.size.width, rows + self.foot)
        if size != self.virtual_size:
            self.virtual_size = size

    def _row_at(self, y: int) -> int:
        """The row of boxes at a line of the widget."""
        line = y + self.scroll_offset.y
        if not self.flame:
            return line
        return max(len(self.state.layout.rows), self.room) - 1 - line

    def draw(self, width: int, height: int) -> list[Strip]:
        if self.state.lay_out(width):
            self._forget()
        ground = self.plain
        lines = [self._row_strip(self._row_at(y), width, ground) for y in range(self.room)]
        if not self.state.tree.weight:
            said = wrap(self.empty or f"no {self.unit} here yet", width)[: self.room]
            lines[: len(said)] = [self.line([(text, self.paint("dim"))]) for text in said]
        foot = [self._details(width), self._numbers(width), self._legend(width)]
        if self.foot == 2:
            foot = [self._details(width), self._numbers(width)]
        elif self.foot == 1:
            foot = [self._details(width)]
        return lines + foot

    @property
    def palette(self) -> Palette:
        """Colours of the present theme."""
        if self._palette is None:
            bases = {
                kind: self.get_component_styles(name).background
                for kind, name in COMPONENTS.items()
            }
            app = self.app
            mono = app.no_color and app.native_ansi_color
            self._palette = Palette(bases, self.background_colors[1], mono)
        return self._palette

    def _row_strip(self, row: int, width: int, ground: Style) -> Strip:
        boxes = self.state.layout.rows[row] if 0 <= row < len(self.state.layout.rows) else ()
        if not boxes:
            return Strip.blank(width, ground)
        depth = self.state.tree.depth
        marked = {self.state.selected, -1 if self.hovered is None else self.hovered}
        if any(node >= 0 and depth[node] == row for node in marked):
            return self._draw_row(boxes, width, ground)
        strip = self._rows.get(row)
        if strip is None:
            strip = self._rows[row] = self._draw_row(boxes, width, ground)
        return strip

    def _draw_row(self, boxes: tuple[Box, ...], width: int, ground: Style) -> Strip:
        draw = draw_plain_row if self.palette.mono else draw_row
        return draw(boxes, width, self._look, self._label, ground)

    def _look(self, node: int) -> Look:
        if node == self.state.selected and (node or self.has_focus):
            return self._component_look("flame--selected")
        if node == self.hovered:
            return self.palette.look(self.state.tree.frame(node), "bright")
        look = self._looks.get(node)
        if look is None:
            look = self._looks[node] = self._steady_look(node)
        return look

    def _steady_look(self, node: int) -> Look:
        """The look of a box that is neither selected nor under the mouse."""
        state = self.state
        frame = state.tree.frame(node)
        if state.matches(frame):
            return self._component_look("flame--match")
        above = state.tree.depth[node] < state.tree.depth[state.zoom]
        faded = above or state.pattern is not None
        faded = faded or (self.plumbing_dimmed and is_plumbing(frame))
        mood = "faded" if faded else ""
        return self.palette.look(frame, mood)

    def _component_look(self, component: str) -> Look:
        style = self._paint(component)
        if self.palette.mono:
            return Look(style + Style(color="default", bgcolor="default"), None)
        fill = style.bgcolor
        if style.reverse:
            return Look(style, None)
        return Look(style, fill)

    def _label(self, node: int, width: int) -> str:
        frame = self.state.tree.frame(node)
        if node == 0:
            return shorten(f"all · {self.state.tree.weight:,} {self.unit}", width)
        if frame.kind is Kind.PYTHON and frame.object:
            longer = f"{frame.symbol}  {place(self._with_line(frame))}"
            if width_of(longer) <= width:
                return longer
        return shorten(frame.symbol, width)

    def _with_line(self, frame: Frame) -> Frame:
        """The frame with the line that the application knows of it."""
        line_of = getattr(self.app, "line_of", None)
        line = frame.line if line_of is None else line_of(frame)
        return frame if line == frame.line else replace(frame, line=line)

    def lines_known(self) -> None:
        """Lines of functions have become known: labels that name them are old."""
        self._forget()
        self.redraw()

    def _shown(self) -> int:
        """The box that the details speak of."""
        return self.state.selected if self.hovered is None else self.hovered

    def _details(self, width: int) -> Strip:
        node = self._shown()
        frame = self.state.tree.frame(node)
        dim = self.paint("dim")
        if node == 0:
            return self.line([("all", self.paint("bold")), (f"  {self.caption}", dim)])
        object_or_line = place(self._with_line(frame), full=True)
        where = "  ".join(part for part in (KIND_NAMES[frame.kind], object_or_line) if part)
        room = max(width // 2, width - width_of(where) - 3)
        pieces: list[Piece] = [(clip_middle(frame.symbol, room), self.paint("bold")), ("  ", dim)]
        used = sum(width_of(text) for text, _ in pieces)
        pieces.append((clip_middle(where, width - used), dim))
        if self.foot == 1:
            total = self.state.tree.total[node]
            share = f"{percent(self._share(total))}%  "
            pieces.insert(0, (share, self.paint("accent")))
        return self.line(pieces)

    def _share(self, weight: int) -> float:
        whole = self.state.tree.weight
        return 100 * weight / whole if whole else 0.0

    def _numbers(self, width: int) -> Strip:
        tree = self.state.tree
        node = self._shown()
        dim, null = self.paint("dim"), self.paint("")
        total, own = tree.total[node], tree.self_weight(node)
        pieces: list[Piece] = [
            ("total ", dim),
            (f"{total:,} ({percent(self._share(total))}%)", null),
            ("   self ", dim),
            (f"{own:,} ({percent(self._share(own))}%)", null),
        ]
        parent = tree.parent[node]
        if parent >= 0 and tree.total[parent]:
            share = percent(100 * total / tree.total[parent])
            pieces += [("   of parent ", dim), (f"{share}%", null)]
        pieces.append((f"   {self.unit}", dim))
        if self.state.pattern is not None:
            matched = self._matched_weight()
            pieces += [
                ("   matched ", dim),
                (f"{percent(self._share(matched))}%", self.paint("accent")),
            ]
        while sum(width_of(text) for text, _ in pieces) > width and len(pieces) > 2:
            pieces.pop()
        return self.line(pieces)

    def _matched_weight(self) -> int:
        """Weight that the search finds, worked out once per state of the data."""
        tree = self.state.tree
        key = tree.revision, id(tree), self.state.pattern
        if key != self._matched_key:
            self._matched_key = key
            self._matched = self.state.matched_weight()
        return self._matched

    def _legend(self, width: int) -> Strip:
        pieces: list[Piece] = []
        for kind in (Kind.PYTHON, Kind.NATIVE, Kind.KERNEL, Kind.GLUE):
            if kind is Kind.GLUE and self.state.options.fold_glue:
                continue
            name = KIND_NAMES[kind]
            frame = Frame(name, "", kind)
            pieces += [(f" {name} ", self.palette.look(frame).style), (" ", self.paint(""))]
        modes = []
        options = self.state.options
        if options.inverted:
            modes.append("callers first")
        modes.append("glue folded" if options.fold_glue else "glue shown")
        if options.fold_recursion:
            modes.append("recursion folded")
        if self.plumbing_dimmed:
            modes.append("event loop dimmed")
        if self.state.zoom:
            modes.append("zoomed, esc goes back")
        if self.state.layout.pruned:
            modes.append(f"{self.state.layout.pruned:,} too narrow to draw")
        used = sum(width_of(text) for text, _ in pieces)
        while modes and used + 1 + len(" · ".join(modes)) > width:
            modes.pop()
        pieces.append((" " + " · ".join(modes), self.paint("dim")))
        return self.line(pieces)
