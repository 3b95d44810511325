"""The call tree that flamegraphs are laid out from: an arena of nodes with int ids.

Columns, not objects: ``total[node]``, ``parent[node]``. Node 0 is the root.
The tree follows a fold by differences, so a refresh costs what changed, not what there is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import filterfalse

from kvtop.profile.frames import Frame, Kind
from kvtop.profile.stacks import StackTable
from kvtop.profile.text import safe_text

ROOT = 0
_SPARE = 4096
_Way = tuple[Sequence[int], int, int]
"""Frame ids from the root, stack id, weight."""


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


class CallTree:
    """Totals and own weights per call path.

    Ways are known only where somebody has looked (`open`, `children`, `find`): of a node that
    nobody has, the tree keeps the stacks that run through it. A flamegraph looks at a few hundred
    boxes, however many stacks there are.

    Node ids stay valid until ``epoch`` moves (the arena is rebuilt when most of it is dead), so a
    selection is best kept as `names` and found again with `find`.
    """

    def __init__(self, table: StackTable, options: TreeOptions | None = None) -> None:
        self.table = table
        self.options = options or TreeOptions()
        self.revision = 0
        self.epoch = 0
        self._folds: dict[str, dict[int, int]] = {}
        self._hides: dict[int, bool] = {}
        self._reset()

    def copy(self) -> CallTree:
        """A tree of its own with the same ids; costs a fraction of building one."""
        twin = CallTree(self.table, self.options)
        twin.revision, twin.epoch = self.revision, self.epoch
        twin._folds = {group: dict(fold) for group, fold in self._folds.items()}
        twin.total = self.total[:]
        twin.parent = self.parent[:]
        twin.depth = self.depth[:]
        twin._own = self._own[:]
        twin._passed = self._passed[:]
        twin._frame = self._frame[:]
        twin._children = [None if below is None else dict(below) for below in self._children]
        twin._through = [None if stacks is None else dict(stacks) for stacks in self._through]
        twin._ordered = {node: known[:] for node, known in self._ordered.items()}
        twin._group_keys = dict(self._group_keys)
        twin._group_of = dict(self._group_of)
        twin._end = {group: dict(ends) for group, ends in self._end.items()}
        twin._limit = self._limit
        return twin

    def _reset(self) -> None:
        self.total = [0]
        self.parent = [-1]
        self.depth = [0]
        self._own = [0]
        self._passed = [0]
        """Frames of a stack on the way to the node."""
        self._frame = [Frame("all", "", Kind.GROUP)]
        self._children: list[dict[int, int] | None] = [None]
        self._through: list[dict[int, int] | None] = [{}]
        """Weights of the stacks through a node that nobody has looked into; else None."""
        self._ordered: dict[int, list[int]] = {}
        self._group_keys: dict[str, int] = {}
        self._group_of: dict[int, str] = {}
        self._end: dict[str, dict[int, int]] = {}
        """The last node known on a stack's way."""
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

    def self_weight(self, node: int) -> int:
        """Weight of the stacks that end at the node."""
        self._look(node)
        return self._own[node]

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

    def open(self, node: int = ROOT, least: float = 1) -> None:
        """Look into ``node`` and into all below it that has at least the weight ``least``."""
        total, children = self.total, self._children
        pending = [node]
        while pending:
            node = pending.pop()
            if self._through[node]:
                self._look(node, least)
            if below := children[node]:
                pending += [child for child in below.values() if total[child] >= least]

    def children(self, node: int) -> Sequence[int]:
        """Children in name order, those that have lost all weight included."""
        self._look(node)
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
            self._look(node)
            for child in (self._children[node] or {}).values():
                if self._frame[child] == frame and self.total[child]:
                    node = child
                    break
            else:
                break
        return node

    def _apply(self, group: str, delta: Mapping[int, int]) -> None:
        if not delta:
            return
        fold = self._folds.setdefault(group, {})
        ends = self._end.setdefault(group, {})
        first = self._group_node(group) if group else ROOT
        through, own = self._through, self._own
        changed: dict[int, int] = {}
        for stack, change in delta.items():
            node = ends.get(stack, -1)
            if node < 0:
                node = ends[stack] = self._place(first, stack)
            stacks = through[node]
            if stacks is None:
                own[node] += change
            elif weight := stacks.get(stack, 0) + change:
                stacks[stack] = weight
            else:
                del stacks[stack]
            changed[node] = changed.get(node, 0) + change
            if weight := fold.get(stack, 0) + change:
                fold[stack] = weight
            else:
                del fold[stack], ends[stack]
        if not fold:
            del self._folds[group], self._end[group]
        total, parent = self.total, self.parent
        for node, change in changed.items():
            while node >= 0:
                total[node] += change
                node = parent[node]
        self.revision += 1

    def _place(self, node: int, stack: int) -> int:
        """Where the stack's known way from ``node`` ends; one more node may be made for it."""
        through, children = self._through, self._children
        if through[node] is not None:
            return node
        keys = self._keys(stack)
        for key in keys:
            child = (children[node] or {}).get(key, -1)
            if child < 0:
                return self._new(node, key, self.table.frame(key))
            node = child
            if through[node] is not None:
                break
        return node

    def _look(self, node: int, least: float | None = None) -> None:
        """Sort the stacks through a node by where they go, on and on down to the weight ``least``.

        Without it, as far as a sixty-fourth of the node's weight goes: whoever looks at a node
        looks into the ones below it next, and sorting many stacks at once costs less.
        """
        stacks = self._through[node]
        if not stacks:
            return
        if least is None:
            least = self.total[node] / 64
        ends = self._end[self._group_of.get(node, "")]
        total, through, own, passed = self.total, self._through, self._own, self._passed
        first = [(self._way(stack), stack, n) for stack, n in stacks.items()]
        pending: list[tuple[int, list[_Way]]] = [(node, first)]
        while pending:
            node, ways = pending.pop()
            through[node] = None
            at = passed[node]
            below: dict[int, list[_Way]] = {}
            for way in ways:
                keys = way[0]
                if len(keys) <= at:
                    own[node] += way[2]
                    ends[way[1]] = node
                elif (others := below.get(keys[at])) is not None:
                    others.append(way)
                else:
                    below[keys[at]] = [way]
            for key, others in below.items():
                child = self._new(node, key, self.table.frame(key))
                total[child] = sum([way[2] for way in others])
                if total[child] >= least:
                    pending.append((child, others))
                else:
                    through[child] = {stack: n for _, stack, n in others}
                    for _, stack, _ in others:
                        ends[stack] = child

    def _way(self, stack: int) -> Sequence[int]:
        try:
            return self._keys(stack)
        except KeyError:
            # The table has forgotten it, so no view shows it any more: it ends where it is known.
            return ()

    def _keys(self, stack: int) -> Sequence[int]:
        """Frame ids of a stack as a path under the options."""
        keys: Sequence[int] = self.table.frames(stack)
        if self.options.fold_glue:
            keys = list(filterfalse(self.table.glue.__contains__, keys))
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
            self._group_of[known] = group
            self._passed[known] = 0
        return known

    def _new(self, parent: int, key: int, frame: Frame) -> int:
        node = len(self.total)
        self.total.append(0)
        self.parent.append(parent)
        self.depth.append(self.depth[parent] + 1)
        self._own.append(0)
        self._passed.append(self._passed[parent] + 1)
        self._frame.append(frame)
        self._children.append(None)
        self._through.append({})
        if parent in self._group_of:
            self._group_of[node] = self._group_of[parent]
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
