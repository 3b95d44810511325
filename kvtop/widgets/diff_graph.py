"""The differential flamegraph: boxes coloured by what changed, grey where it may be noise."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual.color import Color
from textual.strip import Strip

from kvtop.profile.diff import BAND, Change, DiffTree, Normalise, Side, strength
from kvtop.profile.stacks import StackTable
from kvtop.profile.tree import CallTree, TreeOptions
from kvtop.widgets.figures import digits3, percent
from kvtop.widgets.flame_labels import shorten
from kvtop.widgets.flame_rows import Look
from kvtop.widgets.flame_state import FlameState
from kvtop.widgets.flamegraph import Flamegraph
from kvtop.widgets.line import Piece, width_of
from kvtop.widgets.samples import View

EMPTY = Side({}, 1.0)


def rate_text(rate: float, normalise: Normalise) -> str:
    """A share in percent, or samples a second."""
    return f"{percent(100 * rate)}%" if normalise == "share" else f"{digits3(rate)}/s"


def z_text(z: float) -> str:
    """Standard errors between the two sides, with the sign of the other figures."""
    return f"{z:+.1f}".replace("-", "−")


def delta_text(change: Change, normalise: Normalise) -> str:
    """The change with its sign, in percentage points or samples a second."""
    delta = change.delta * (100 if normalise == "share" else 1)
    size = percent(abs(delta)) if normalise == "share" else digits3(abs(delta))
    sign = "" if float(size) == 0 else "+" if delta > 0 else "−"
    return f"{sign}{size}{'' if normalise == 'share' else '/s'}"


class DiffState(FlameState):
    """A flamegraph's state over the tree of two sides; ``widths`` says whose weights are drawn."""

    def __init__(self, table: StackTable, options: TreeOptions | None = None) -> None:
        super().__init__(table, options)
        self.normalise: Normalise = "share"
        self.old_widths = False
        """Boxes as wide as they were before, so that what has vanished is seen."""
        self._one = self._two = EMPTY
        self._diff = DiffTree(self.tree, EMPTY, EMPTY)

    def set_sides(self, one: Side, two: Side, normalise: Normalise) -> None:
        """Compare these."""
        self._one, self._two, self.normalise = one, two, normalise
        self._update()

    def set_old_widths(self, old: bool) -> None:
        """Draw the weights before, or those after."""
        self.old_widths = old
        self._update()

    def _update(self) -> None:
        drawn, other = (self._one, self._two) if self.old_widths else (self._two, self._one)
        self._diff.update(other, drawn, self.normalise)
        self._groups = {"": drawn.counts}
        self._find_again()

    def set_options(self, options: TreeOptions) -> None:
        """Build the tree anew."""
        self.tree = CallTree(self.table, options)
        self._diff = DiffTree(self.tree, EMPTY, EMPTY)
        self._laid = None
        self._stack_matches.clear()
        self._update()

    def hold(self) -> None:
        """Keep the stacks of both sides, even if the ring lets them go meanwhile."""
        self.let_go()
        for stack in {*self._one.counts, *self._two.counts}:
            self.table.retain(stack)
            self._held.append(stack)

    def change(self, node: int) -> Change:
        """Change of a box's total weight."""
        return self._turned(self._diff.change(node))

    def own_change(self, node: int) -> Change:
        """Change of a box's own weight."""
        return self._turned(self._diff.own_change(node))

    def _turned(self, c: Change) -> Change:
        if not self.old_widths:
            return c
        return Change(c.after, c.before, c.after_rate, c.before_rate, -c.z)


class DiffGraph(Flamegraph):
    """Boxes of one side, coloured by the change from the other."""

    NAME = "Diff"
    COMPONENT_CLASSES: ClassVar[set[str]] = {"diff--more", "diff--less", "diff--same"}
    DEFAULT_CSS = """
    DiffGraph {
        & > .diff--more { background: #d7301f; }
        & > .diff--less { background: #2b6cc4; }
        & > .diff--same { background: $panel-lighten-1; }
        &:ansi {
            & > .diff--more { background: ansi_red; }
            & > .diff--less { background: ansi_blue; }
            & > .diff--same { background: ansi_white; }
        }
    }
    """
    state: DiffState

    def __init__(self, table: StackTable, *, id: str | None = None) -> None:
        super().__init__(table, id=id)
        self.state = DiffState(table)
        self._fills: dict[tuple[int, bool], Look] = {}

    def set_sides(self, one: Side, two: Side, normalise: Normalise, caption: str) -> None:
        """Show a comparison; selection and zoom stay."""
        self.state.set_sides(one, two, normalise)
        self._say(caption)
        self._changed()

    def action_widths(self) -> None:
        """Boxes as wide as after, or as before."""
        self.state.set_old_widths(not self.state.old_widths)
        self._changed()

    def action_ask(self, view: View) -> None:
        """A function of two sides has no one source."""

    def notify_style_update(self) -> None:
        """Theme or focus changed: colours are old."""
        super().notify_style_update()
        self._fills.clear()

    def _look(self, node: int) -> Look:
        if node == self.hovered and node != self.state.selected:
            return self._component_look("flame--selected")
        return super()._look(node)

    def _steady_look(self, node: int) -> Look:
        state = self.state
        if state.matches(state.tree.frame(node)):
            return self._component_look("flame--match")
        above = state.tree.depth[node] < state.tree.depth[state.zoom]
        faded = above or state.pattern is not None
        return self._fill(strength(state.change(node)), faded)

    def _fill(self, step: int, faded: bool) -> Look:
        known = self._fills.get((step, faded))
        if known is None:
            known = self._fills[step, faded] = self._make_fill(step, faded)
        return known

    def _make_fill(self, step: int, faded: bool) -> Look:
        if self.palette.mono:
            bold, reverse = step != 0 or None, step > 0 or None
            return Look(Style(underline=True, bold=bold, italic=step < 0, reverse=reverse), None)
        same = self.get_component_styles("diff--same").background
        name = "diff--same" if step == 0 else "diff--more" if step > 0 else "diff--less"
        base = self.get_component_styles(name).background
        if base.ansi is not None:
            text = Color.parse("ansi_black").rich_color
            return Look(Style(color=text, bgcolor=base.rich_color, bold=abs(step) > 1), None)
        colour = same.blend(base, (0.0, 0.4, 0.7, 1.0)[abs(step)])
        if faded:
            colour = self.background_colors[1].blend(colour, 0.4)
        text_colour = colour + colour.get_contrast_text(0.9)
        fill = colour.rich_color
        return Look(Style(color=text_colour.rich_color, bgcolor=fill), fill)

    def _label(self, node: int, width: int) -> str:
        change = self.state.change(node)
        if change.significant(BAND):
            delta = delta_text(change, self.state.normalise)
            room = width - width_of(delta) - 2
            name = shorten(self.state.tree.frame(node).symbol, room) if room > 3 else ""
            if name:
                return f"{name}  {delta}"
        return super()._label(node, width)

    def _numbers(self, width: int) -> Strip:
        state, node = self.state, self._shown()
        dim, null = self.paint("dim"), self.paint("")
        pieces: list[Piece] = []
        for name, change in (("total", state.change(node)), ("self", state.own_change(node))):
            before = rate_text(change.before_rate, state.normalise)
            after = rate_text(change.after_rate, state.normalise)
            pieces += [
                (f"{name} ", dim),
                (f"{before} → {after}", null),
                (f" ({change.before:,} → {change.after:,} samples) ", dim),
                (f"{delta_text(change, state.normalise)}  ", self._delta_style(change)),
            ]
            if change.significant(BAND):
                pieces.append((f"z {z_text(change.z)}   ", dim))
            else:
                pieces.append(("may be noise   ", dim))
        if sum(width_of(text) for text, _ in pieces) > width:
            del pieces[len(pieces) // 2 :]
        return self.line(pieces)

    def _delta_style(self, change: Change) -> Style:
        step = strength(change)
        return self.paint("bad" if step > 0 else "first" if step < 0 else "dim")

    def _legend(self, width: int) -> Strip:
        null = self.paint("")
        pieces: list[Piece] = []
        for name, step in ((" more ", 3), (" less ", -3), (" may be noise ", 0)):
            pieces += [(name, self._fill(step, False).style), (" ", null)]
        which = "before" if self.state.old_widths else "after"
        pieces.append((f" widths: {which} (W) · coloured outside 99% noise", self.paint("dim")))
        return self.line(pieces)
