"""The flamegraph widget: a call tree as rows of boxes, with selection, zoom and search."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from kvtop.profile.frames import Frame, Kind
from kvtop.profile.layout import Box
from kvtop.profile.plumbing import is_plumbing
from kvtop.profile.stacks import StackTable
from kvtop.profile.tree import TreeOptions
from kvtop.widgets.base import Help, LineWidget, wrap
from kvtop.widgets.figures import percent
from kvtop.widgets.flame_colours import COMPONENTS, Palette
from kvtop.widgets.flame_labels import shorten
from kvtop.widgets.flame_rows import Look, draw_plain_row, draw_row
from kvtop.widgets.flame_state import FlameState, Groups
from kvtop.widgets.line import Piece, clip_middle, width_of
from kvtop.widgets.samples import FunctionAsked, View

KIND_NAMES = {
    Kind.PYTHON: "Python",
    Kind.NATIVE: "native",
    Kind.KERNEL: "kernel",
    Kind.GLUE: "interpreter glue",
    Kind.UNKNOWN: "unknown",
    Kind.GROUP: "group",
}


class Flamegraph(LineWidget):
    """Boxes for call paths; the lines below say what the box under cursor or mouse is."""

    NAME = "Flamegraph"
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *COMPONENTS.values(),
        "flame--selected",
        "flame--match",
    }
    DEFAULT_CSS = """
    Flamegraph {
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
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move_up", "up", show=False),
        Binding("down", "move_down", "down", show=False),
        Binding("left", "sibling(-1)", "left", show=False),
        Binding("right", "sibling(1)", "right", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home", "edge(0)", "first row", show=False),
        Binding("end", "edge(1)", "last row", show=False),
        Binding("enter", "zoom", "zoom", show=False),
        Binding("backspace", "zoom_out", "zoom out", show=False),
        Binding("u", "reset", "reset zoom", show=False),
        Binding("n", "match(1)", "next match", show=False),
        Binding("N", "match(-1)", "previous match", show=False),
        Binding("i", "invert", "upside down", show=False),
        Binding("c", "reverse", "callers first", show=False),
        Binding("g", "glue", "glue", show=False),
        Binding("R", "recursion", "fold recursion", show=False),
        Binding("A", "plumbing", "dim the event loop", show=False),
        Binding("w", "ask('callers')", "callers and callees", show=False),
        Binding("a", "ask('source')", "source and lines", show=False),
        Binding("y", "copy_name", "copy name", show=False),
    ]
    KEYS_HELP: ClassVar[list[Help]] = [
        ("↑ ↓ ← →", "to the caller, the widest callee, the boxes beside"),
        ("pgup pgdn home end, wheel", "scroll the depth"),
        ("enter, click", "zoom into the box"),
        ("esc, backspace", "zoom out"),
        ("u", "everything at full width again"),
        ("/ n N", "search by regex, next and previous match"),
        ("i", "upside down: root at the bottom"),
        ("c", "callers first: functions that ran first, then their callers"),
        ("g", "show or fold the interpreter's own frames"),
        ("R", "show or fold recursion"),
        ("A", "dim what starts threads and turns the event loop"),
        ("w, right click", "who calls it, what it calls: callers and callees"),
        ("a", "its source with samples per line, its instructions"),
        ("y", "copy the function's name"),
    ]

    class ZoomedOut(Message):
        """Zoom out was asked for where nothing was zoomed."""

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

    # Keys

    def _moved(self) -> None:
        """The selection moved: show it, draw the rows that it left and came to."""
        self.hovered = None
        self._show_selected()
        self.redraw()

    def _show_selected(self) -> None:
        row = self.state.row
        line = row
        if self.flame:
            line = max(len(self.state.layout.rows), self.room) - 1 - row
        top = self.scroll_offset.y
        if line < top:
            self.scroll_to(y=line, animate=False)
        elif line >= top + self.room:
            self.scroll_to(y=line - self.room + 1, animate=False)

    def action_move_up(self) -> None:
        """To the box above."""
        if self.flame:
            self.state.to_child()
        else:
            self.state.to_parent()
        self._moved()

    def action_move_down(self) -> None:
        """To the box below."""
        if self.flame:
            self.state.to_parent()
        else:
            self.state.to_child()
        self._moved()

    def action_sibling(self, step: int) -> None:
        """To the box beside."""
        self.state.to_sibling(step)
        self._moved()

    def action_page(self, step: int) -> None:
        """Scroll the depth by a page."""
        self.scroll_to(y=self.scroll_offset.y + step * (self.room - 1), animate=False)

    def action_edge(self, last: int) -> None:
        """Scroll to the uppermost row or to the lowest."""
        self.scroll_to(y=self.max_scroll_y if last else 0, animate=False)

    def action_zoom(self) -> None:
        """Give the selected box the whole width."""
        self.state.zoom_to(self.state.selected)
        self._zoomed()

    def action_zoom_out(self) -> None:
        """Back to the zoom before."""
        if self.state.zoom_out():
            self._zoomed()
        else:
            self.post_message(self.ZoomedOut())

    def action_reset(self) -> None:
        """Everything at full width again."""
        self.state.reset()
        self._zoomed()

    def _zoomed(self) -> None:
        self.hovered = None
        self._changed()
        self._show_selected()

    def action_match(self, step: int) -> None:
        """Select the next box that matches the search."""
        if self.state.next_match(step):
            self._moved()

    def search(self, pattern: re.Pattern[str] | None) -> None:
        """Mark what matches; ``None`` ends the search."""
        self.state.search(pattern)
        self._forget()
        self.redraw()

    def action_invert(self) -> None:
        """Turn it upside down."""
        self.flame = not self.flame
        self._changed()
        self.scroll_to(y=self.max_scroll_y if self.flame else 0, animate=False)

    def _set_options(self, options: TreeOptions) -> None:
        self.hovered = None
        self.state.set_options(options)
        self._changed()

    def action_reverse(self) -> None:
        """Functions that ran first and their callers below, or the usual way again."""
        o = self.state.options
        self._set_options(replace(o, inverted=not o.inverted))

    def action_glue(self) -> None:
        """Show or fold the interpreter's own frames."""
        o = self.state.options
        self._set_options(replace(o, fold_glue=not o.fold_glue))

    def action_recursion(self) -> None:
        """Show or fold recursion."""
        o = self.state.options
        self._set_options(replace(o, fold_recursion=not o.fold_recursion))

    def hide(self, pattern: re.Pattern[str] | None) -> None:
        """Leave out frames that match; their own weight counts for their callers."""
        if pattern != self.state.options.hidden:
            self._set_options(replace(self.state.options, hidden=pattern))

    def action_plumbing(self) -> None:
        """Dim what starts threads and turns the event loop, or no longer."""
        self.plumbing_dimmed = not self.plumbing_dimmed
        self._forget()
        self.redraw()

    def action_ask(self, view: View) -> None:
        """Callers and callees, or the source, of the selected function."""
        frame = self.state.tree.frame(self.state.selected)
        if frame.kind is not Kind.GROUP:
            self.post_message(FunctionAsked(frame, view))

    def action_copy_name(self) -> None:
        """Copy the selected function's name to the clipboard (OSC 52)."""
        name = self.state.tree.frame(self.state.selected).symbol
        self.app.copy_to_clipboard(name)
        self.notify("name copied", timeout=2)

    # Mouse

    def _node_at(self, x: int, y: int) -> int | None:
        if not 0 <= y < self.room:
            return None
        layout_ = self.state.layout
        row = self._row_at(y)
        box = layout_.at(row, x + 0.5) or layout_.at(row, x + 0.1) or layout_.at(row, x + 0.9)
        return box.node if box is not None else None

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """The details follow the mouse."""
        offset = event.get_content_offset(self)
        node = None if offset is None else self._node_at(offset.x, offset.y)
        if node != self.hovered:
            self.hovered = node
            self.redraw()

    def on_leave(self, event: events.Leave) -> None:
        """Back to the selected box."""
        if self.hovered is not None:
            self.hovered = None
            self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Zoom into the box; on the zoomed box, go back; the right button shows its callers."""
        offset = event.get_content_offset(self)
        node = None if offset is None else self._node_at(offset.x, offset.y)
        if node is None:
            return
        self.state.select(node)
        if event.button == 3:
            self._moved()
            self.action_ask("callers")
            return
        if node == self.state.zoom:
            self.state.zoom_out()
        else:
            self.state.zoom_to(node)
        self._zoomed()


def place(frame: Frame, full: bool = False) -> str:
    """Where a frame's code is: ``file:line`` or the object; '' where unknown."""
    if not frame.file:
        return frame.object
    name = frame.file if full else frame.object
    return f"{name}:{frame.line}" if frame.line else name
