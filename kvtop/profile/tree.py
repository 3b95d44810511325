"""The call tree that flamegraphs are laid out from: an arena of nodes with int ids.

Columns, not objects: ``total[node]``, ``self_weight[node]``, ``parent[node]``. Node 0 is the root.
The tree follows a fold by differences, so a refresh costs what changed, not what there is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kvtop.profile.frames import Frame, Kind
from kvtop.profile.stacks import StackTable
from kvtop.profile.text import safe_text

ROOT = 0
_SPARE = 4096


@dataclass(frozen=True, slots=True)
class TreeOptions:
    """How stacks become paths.

    ``inverted``: leaf first, so that the root's children are the functions that ran and theirs
    the callers. ``fold_glue``: frames of the interpreter's calling machinery are left out, their
    own time goes to the caller. ``fold_recursion``: a run of the same frame counts as one.
    ``hidden``: frames whose symbol matches are left out in the same way as glue.
    """

    inverted: bool = False
    fold_glue: bool = True
    fold_recursion: bool = False
    hidden: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class Matches:
    """Nodes whose symbol matches a search, and the weight under them, counted once."""

    nodes: frozenset[int]
    weight: int


class CallTree:
    """Totals and own weights per call path.

    Node ids stay valid until ``epoch`` moves (the arena is rebuilt when most of it is dead), so a
    selection is best kept as `names` and found again with `find`.
    """

    def __init__(self, table: StackTable, options: TreeOptions | None = None) -> None:
        self.table = table
        self.options = options or TreeOptions()
        self.revision = 0
        self.epoch = 0
        self._folds: dict[str, dict[int, int]] = {}
        self._reset()

    def copy(self) -> CallTree:
        """A tree of its own with the same ids; costs a fraction of building one."""
        twin = CallTree(self.table, self.options)
        twin.revision, twin.epoch = self.revision, self.epoch
        twin._folds = {group: dict(fold) for group, fold in self._folds.items()}
        twin.total = self.total[:]
        twin.self_weight = self.self_weight[:]
        twin.parent = self.parent[:]
        twin.depth = self.depth[:]
        twin._frame = self._frame[:]
        twin._children = [None if below is None else dict(below) for below in self._children]
        twin._ordered = {node: known[:] for node, known in self._ordered.items()}
        twin._group_keys = dict(self._group_keys)
        twin._leaf = {group: dict(leaves) for group, leaves in self._leaf.items()}
        twin._limit = self._limit
        return twin

    def _reset(self) -> None:
        self.total = [0]
        self.self_weight = [0]
        self.parent = [-1]
        self.depth = [0]
        self._frame = [Frame("all", "", Kind.GROUP)]
        self._children: list[dict[int, int] | None] = [None]
        self._ordered: dict[int, list[int]] = {}
        self._group_keys: dict[str, int] = {}
        self._hides: dict[int, bool] = {}
        self._leaf: dict[str, dict[int, int]] = {}
        self._limit = _SPARE

    def __len__(self) -> int:
        """Nodes in the arena, those without weight included."""
        return len(self.total)

    @property
    def weight(self) -> int:
        """Weight of everything."""
        return self.total[ROOT]

    def frame(self, node: int) -> Frame:
        """What the node stands for; kept here, so it outlives the table's ids."""
        return self._frame[node]

    def update(self, counts: Mapping[int, int]) -> None:
        """Make the tree that of one fold (stack id -> weight)."""
        self.update_groups({"": counts})

    def update_groups(self, groups: Mapping[str, Mapping[int, int]]) -> None:
        """Make the tree that of several folds, each under a node with the group's name."""
        for group in [g for g in self._folds if g not in groups]:
            self._apply(group, {stack: -n for stack, n in self._folds[group].items()})
        for group, counts in groups.items():
            before = self._folds.get(group, {})
            delta = {s: n - before.get(s, 0) for s, n in counts.items() if n != before.get(s)}
            delta |= {s: -n for s, n in before.items() if s not in counts}
            self._apply(group, delta)
        self._tidy()

    def add(self, counts: Mapping[int, int], group: str = "") -> None:
        """Add weights (negative ones take away) to what the tree holds."""
        self._apply(group, counts)
        self._tidy()

    def children(self, node: int) -> Sequence[int]:
        """Children in name order, those that have lost all weight included."""
        below = self._children[node]
        if below is None:
            return ()
        known = self._ordered.get(node)
        if known is None:
            known = list(below.values())
            if len(known) > 1:
                known.sort(key=self._name)
                self._ordered[node] = known
        return known

    def _name(self, node: int) -> tuple[str, str, str]:
        frame = self._frame[node]
        return frame.symbol, frame.object, frame.file

    def path(self, node: int) -> list[int]:
        """Nodes from the root down to ``node``, both included."""
        nodes = []
        while node >= 0:
            nodes.append(node)
            node = self.parent[node]
        return nodes[::-1]

    def names(self, node: int) -> tuple[Frame, ...]:
        """Frames on the way from the root (left out) to ``node``: what a selection remembers."""
        return tuple(self._frame[n] for n in self.path(node)[1:])

    def find(self, names: tuple[Frame, ...]) -> int:
        """The node at ``names``, or the nearest ancestor that still has weight."""
        node = ROOT
        for frame in names:
            for child in (self._children[node] or {}).values():
                if self._frame[child] == frame and self.total[child]:
                    node = child
                    break
            else:
                break
        return node

    def search(self, pattern: re.Pattern[str]) -> Matches:
        """Live nodes whose symbol matches; a match inside a match adds no weight."""
        verdicts: dict[Frame, bool] = {}
        found: set[int] = set()
        weight = 0
        pending = [(ROOT, False)]
        while pending:
            node, inside = pending.pop()
            for child in (self._children[node] or {}).values():
                if not self.total[child]:
                    continue
                frame = self._frame[child]
                hit = verdicts.get(frame)
                if hit is None:
                    hit = verdicts[frame] = pattern.search(frame.symbol) is not None
                if hit:
                    found.add(child)
                    weight += 0 if inside else self.total[child]
                if self._children[child]:
                    pending.append((child, inside or hit))
        return Matches(frozenset(found), weight)

    def _apply(self, group: str, delta: Mapping[int, int]) -> None:
        if not delta:
            return
        fold = self._folds.setdefault(group, {})
        leaves = self._leaf.setdefault(group, {})
        changed: dict[int, int] = {}
        for stack, change in delta.items():
            node = leaves.get(stack, -1)
            if node < 0:
                node = leaves[stack] = self._insert(group, stack)
            changed[node] = changed.get(node, 0) + change
            weight = fold.get(stack, 0) + change
            if weight:
                fold[stack] = weight
            else:
                del fold[stack], leaves[stack]
        if not fold:
            del self._folds[group], self._leaf[group]
        self._spread(changed)
        self.revision += 1

    def _spread(self, changed: Mapping[int, int]) -> None:
        """Add changes of own weights, and of the totals above them."""
        total, parent, own = self.total, self.parent, self.self_weight
        for node, change in changed.items():
            own[node] += change
        if len(changed) * 8 > len(total):
            # Children have greater ids than their parents: one pass from the end sums all up.
            total[:] = own
            for node in range(len(total) - 1, 0, -1):
                total[parent[node]] += total[node]
            return
        for node, change in changed.items():
            while node >= 0:
                total[node] += change
                node = parent[node]

    def _insert(self, group: str, stack: int) -> int:
        """The node at the end of the stack's path, made where it is missing."""
        node = self._group_node(group) if group else ROOT
        children = self._children
        frame = self.table.frame
        keys = iter(self._keys(stack))
        for key in keys:
            below = children[node]
            if below is None or (child := below.get(key, -1)) < 0:
                node = self._new(node, key, frame(key))
                break
            node = child
        for key in keys:
            node = self._new(node, key, frame(key))
        return node

    def _keys(self, stack: int) -> Sequence[int]:
        """Frame ids of a stack as a path under the options."""
        keys: Sequence[int] = self.table.frames(stack)
        glue = self.table.glue
        if self.options.fold_glue and not glue.isdisjoint(keys):
            keys = [k for k in keys if k not in glue]
        if self.options.hidden is not None:
            keys = [k for k in keys if not self._hidden(k, self.options.hidden)]
        if self.options.fold_recursion:
            keys = [k for at, k in enumerate(keys) if at == 0 or k != keys[at - 1]]
        return keys[::-1] if self.options.inverted else keys

    def _hidden(self, key: int, pattern: re.Pattern[str]) -> bool:
        known = self._hides.get(key)
        if known is None:
            known = self._hides[key] = pattern.search(self.table.frame(key).symbol) is not None
        return known

    def _group_node(self, group: str) -> int:
        key = self._group_keys.setdefault(group, -1 - len(self._group_keys))
        known = (self._children[ROOT] or {}).get(key)
        if known is None:
            known = self._new(ROOT, key, Frame(safe_text(group), "", Kind.GROUP))
        return known

    def _new(self, parent: int, key: int, frame: Frame) -> int:
        node = len(self.total)
        self.total.append(0)
        self.self_weight.append(0)
        self.parent.append(parent)
        self.depth.append(self.depth[parent] + 1)
        self._frame.append(frame)
        self._children.append(None)
        below = self._children[parent]
        if below is None:
            self._children[parent] = {key: node}
        else:
            below[key] = node
            if parent in self._ordered:
                del self._ordered[parent]
        return node

    def _tidy(self) -> None:
        """Rebuild the arena when it has doubled, which only dead nodes make it do for long."""
        if len(self.total) <= self._limit:
            return
        if 2 * sum(map(bool, self.total)) < len(self.total):
            folds, self._folds = self._folds, {}
            self._reset()
            for group, counts in folds.items():
                self._apply(group, counts)
            self.epoch += 1
        self._limit = 2 * len(self.total) + _SPARE
