"""What is zoomed, selected and searched in a flamegraph, and how one moves about. No drawing.

Zoom and selection are remembered as paths of frames, so they stay where they are while the
tree changes under them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from kvtop.profile.frames import Frame, Kind
from kvtop.profile.layout import Box, Layout, layout
from kvtop.profile.stacks import StackTable
from kvtop.profile.tree import ROOT, CallTree, TreeOptions

Path = tuple[Frame, ...]
Groups = Mapping[str, Mapping[int, int]]
"""Group name -> fold (stack id -> weight); one group named '' where nothing is grouped."""

MIN_WIDTH = 0.25
"""Cells below which a box is left out."""


class FlameState:
    """A call tree with a zoom, a selection and a search."""

    def __init__(self, table: StackTable, options: TreeOptions | None = None) -> None:
        self.table = table
        self.tree = CallTree(table, options)
        self.layout = Layout((), ROOT, 0)
        self.zoom = ROOT
        self.selected = ROOT
        self.pattern: re.Pattern[str] | None = None
        self._groups: Groups = {}
        self._zoom_path: Path = ()
        self._zoom_before: list[Path] = []
        self._selected_path: Path = ()
        self._laid: object = None
        self._frame_matches: dict[Frame, bool] = {}
        self._stack_matches: dict[int, bool] = {}
        self._held: list[int] = []

    # Data

    @property
    def options(self) -> TreeOptions:
        """How stacks become paths."""
        return self.tree.options

    def set_groups(self, groups: Groups) -> bool:
        """Show these folds; True if that changed anything."""
        before = self.tree.revision, self.tree.epoch
        self._groups = groups
        self.tree.update_groups(groups)
        if (self.tree.revision, self.tree.epoch) == before:
            return False
        self._find_again()
        return True

    def hold(self) -> None:
        """Keep the stacks that are shown, even if the ring lets them go meanwhile."""
        self.let_go()
        for counts in self._groups.values():
            for stack in counts:
                self.table.retain(stack)
                self._held.append(stack)

    def let_go(self) -> None:
        """End ``hold``."""
        for stack in self._held:
            self.table.release(stack)
        self._held.clear()

    def set_options(self, options: TreeOptions) -> None:
        """Build the tree anew; where a path is no more, its nearest ancestor stands in."""
        self.tree = CallTree(self.table, options)
        self.tree.update_groups(self._groups)
        self._laid = None
        self._stack_matches.clear()
        self._find_again()

    def _find_again(self) -> None:
        self.zoom = self.tree.find(self._zoom_path)
        self.selected = self.tree.find(self._selected_path)

    def lay_out(self, width: int) -> bool:
        """Bring the layout up to date for ``width`` cells; True if it was not."""
        key = self.tree.revision, self.tree.epoch, self.zoom, width, id(self.tree)
        if key == self._laid:
            return False
        self._laid = key
        self.layout = layout(self.tree, width, self.zoom, min_width=MIN_WIDTH)
        return True

    # Search

    def search(self, pattern: re.Pattern[str] | None) -> None:
        """Mark the boxes whose name matches; ``None`` ends the search."""
        self.pattern = pattern
        self._frame_matches.clear()
        self._stack_matches.clear()

    def matches(self, frame: Frame) -> bool:
        """Whether the search finds this frame."""
        if self.pattern is None or frame.kind is Kind.GROUP:
            return False
        known = self._frame_matches.get(frame)
        if known is None:
            known = self.pattern.search(frame.symbol) is not None
            self._frame_matches[frame] = known
        return known

    def matched_weight(self) -> int:
        """Weight of the stacks in which the search finds a frame that is shown."""
        if self.pattern is None:
            return 0
        known = self._stack_matches
        if len(known) > 2 * sum(map(len, self._groups.values())) + 1000:
            known.clear()
        weight = 0
        for counts in self._groups.values():
            for stack, n in counts.items():
                hit = known.get(stack)
                if hit is None:
                    hit = known[stack] = self._stack_matches_search(stack)
                if hit:
                    weight += n
        return weight

    def _stack_matches_search(self, stack: int) -> bool:
        fold_glue, hidden = self.options.fold_glue, self.options.hidden
        frames = map(self.table.frame, self.table.frames(stack))
        return any(
            self.matches(f)
            for f in frames
            if not (fold_glue and f.kind is Kind.GLUE)
            and (hidden is None or not hidden.search(f.symbol))
        )

    def next_match(self, step: int) -> bool:
        """Select the widest match that is drawn, then the next ones (with -1, the ones before)."""
        frame = self.tree.frame
        drawn = [b for row in self.layout.rows for b in row if self.matches(frame(b.node))]
        if not drawn:
            return False
        boxes = [box.node for box in drawn]
        if self.selected in boxes:
            at = (boxes.index(self.selected) + step) % len(boxes)
        else:
            at = drawn.index(max(drawn, key=lambda box: box.x1 - box.x0))
        self.select(boxes[at])
        return True

    # Moving

    def select(self, node: int) -> None:
        """Select a box."""
        self.selected = node
        self._selected_path = self.tree.names(node)

    @property
    def row(self) -> int:
        """The row of the selected box."""
        return self.tree.depth[self.selected]

    def _row_boxes(self, row: int) -> tuple[Box, ...]:
        return self.layout.rows[row] if 0 <= row < len(self.layout.rows) else ()

    def to_parent(self) -> None:
        """Select the caller (the parent box)."""
        if self.tree.parent[self.selected] >= 0:
            self.select(self.tree.parent[self.selected])

    def to_child(self) -> None:
        """Select the widest child that is drawn."""
        parent = self.tree.parent
        children = [b for b in self._row_boxes(self.row + 1) if parent[b.node] == self.selected]
        if children:
            self.select(max(children, key=lambda b: b.x1 - b.x0).node)

    def to_sibling(self, step: int) -> None:
        """Select the next box of the same row, also across parents."""
        boxes = self._row_boxes(self.row)
        nodes = [b.node for b in boxes]
        if self.selected in nodes:
            at = nodes.index(self.selected) + step
            if 0 <= at < len(nodes):
                self.select(nodes[at])

    def ensure_drawn(self) -> None:
        """Move a selection that is not drawn (zoomed away, too narrow) to a box that is."""
        node = self.selected
        while node >= 0:
            if any(b.node == node for b in self._row_boxes(self.tree.depth[node])):
                break
            node = self.tree.parent[node]
        if node != self.selected:
            self.select(node if node >= 0 else self.zoom)

    # Zoom

    def zoom_to(self, node: int) -> None:
        """Give a box the whole width; the box that had it is remembered."""
        if node == self.zoom:
            return
        self._zoom_before.append(self._zoom_path)
        self._set_zoom(self.tree.names(node))
        self.select(node)

    def zoom_out(self) -> bool:
        """Back to the zoom before; False where nothing is zoomed."""
        if self.zoom == ROOT and not self._zoom_path:
            self._zoom_before.clear()
            return False
        self._set_zoom(self._zoom_before.pop() if self._zoom_before else ())
        return True

    def reset(self) -> None:
        """Everything at full width again."""
        self._zoom_before.clear()
        self._set_zoom(())

    def _set_zoom(self, path: Path) -> None:
        self._zoom_path = path
        self.zoom = self.tree.find(path)
