"""Samples as columns, and the frames, stacks and origins that they share, defined once a file.

Four kinds of line: ``frames`` defines frames, ``stacks`` the nodes of one tree of stacks (a stack
is named by its leaf's node; its parent's stack is the rest of it), ``origins`` whose samples they
are; and one line for each batch. Ids count from 1 in order of definition; node 0 is the empty
stack.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any

from kvtop.events import SampleBatch, SpiedBatch, StackSample, WaitBatch
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.stacks import StackTable
from kvtop.recording.codec import MAX_INT, DecodeError, integer, text

Batch = SampleBatch | SpiedBatch | WaitBatch
KINDS: dict[str, type[Batch]] = {c.__name__: c for c in (SampleBatch, SpiedBatch, WaitBatch)}
FRAMES, STACKS, ORIGINS = "frames", "stacks", "origins"
DEEPEST = 1 << 14
"""A stack of more frames is not read."""
_FRAME_KINDS = {kind.name.lower(): kind for kind in Kind}
_NS = 1_000_000_000
Put = Callable[[list[Any]], None]
_Origin = tuple[int, int, str, str]


class SampleEncoder:
    """Batches to lines, definitions first. Ids of ``table`` become those of the file."""

    def __init__(self, table: StackTable) -> None:
        self._table = table
        self._generation = table.generation
        self._stacks: dict[int, int] = {}
        """The table's stack -> node; forgotten where the table forgets."""
        self._frames: dict[Frame, int] = {}
        self._nodes: dict[tuple[int, int], int] = {}
        self._origins: dict[_Origin, int] = {}

    def put(self, name: str, samples: Sequence[StackSample], put: Put) -> None:
        """Hand the lines of a batch over; samples whose stack is forgotten are left out."""
        if self._generation != self._table.generation:
            self._generation = self._table.generation
            self._stacks.clear()
        frames: list[list[Any]] = []
        nodes: list[tuple[int, int]] = []
        origins: list[_Origin] = []
        times, whose, periods, leaves = [], [], [], []
        for sample in samples:
            node = self._stacks.get(sample.stack)
            if node is None:
                try:
                    node = self._define(sample.stack, frames, nodes)
                except KeyError:
                    continue
            origin = sample.pid, sample.tid, sample.comm, sample.event
            who = self._origins.get(origin)
            if who is None:
                who = self._origins[origin] = len(self._origins) + 1
                origins.append(origin)
            times.append(round(sample.time * _NS))
            whose.append(who)
            periods.append(sample.period)
            leaves.append(node)
        if frames:
            put([FRAMES, *frames])
        if nodes:
            base = len(self._nodes) - len(nodes)
            # A parent is mostly the node before: as a distance it is a 1.
            parents = [base + at + 1 - parent for at, (parent, _) in enumerate(nodes)]
            put([STACKS, parents, [frame for _, frame in nodes]])
        if origins:
            put([ORIGINS, *origins])
        if times:
            deltas = [times[0], *(b - a for a, b in pairwise(times))]
            same = len(set(periods)) == 1
            put([name, deltas, whose, periods[:1] if same else periods, leaves])

    def _define(self, stack: int, frames: list[list[Any]], nodes: list[tuple[int, int]]) -> int:
        node = 0
        for frame_id in self._table.frames(stack):
            frame = self._table.frame(frame_id)
            known = self._frames.get(frame)
            if known is None:
                known = self._frames[frame] = len(self._frames) + 1
                kind = frame.kind.name.lower()
                frames.append([frame.symbol, frame.object, kind, frame.file, frame.line])
            step = node, known
            below = self._nodes.get(step)
            if below is None:
                below = self._nodes[step] = len(self._nodes) + 1
                nodes.append(step)
            node = below
        self._stacks[stack] = node
        return node


class SampleDecoder:
    """Lines to batches, whose stacks are interned in ``table``. DecodeError for nonsense."""

    def __init__(self, table: StackTable) -> None:
        self._table = table
        self._generation = table.generation
        self._stacks: dict[int, int] = {}
        self._frames: list[Frame] = []
        self._frame_ids: dict[int, int] = {}
        """Frame of the file -> that of the table; forgotten where the table forgets."""
        self._nodes: list[tuple[int, int, int]] = [(0, 0, 0)]
        """Parent node, frame and depth of each node."""
        self._origins: list[_Origin] = []

    def define(self, line: list[Any]) -> bool:
        """Take a line of definitions; False where it is none."""
        name, *parts = line
        if name == FRAMES:
            self._frames += [_frame(part) for part in parts]
        elif name == STACKS:
            self._define_stacks(*_columns(parts, 2))
        elif name == ORIGINS:
            self._origins += [_origin(part) for part in parts]
        else:
            return False
        return True

    def batch(self, line: list[Any]) -> Batch:
        """The batch of a line whose name is one of ``KINDS``."""
        deltas, whose, periods, leaves = _columns(line[1:], 4)
        if len(periods) == 1:
            periods = periods * len(deltas)
        if not len(deltas) == len(whose) == len(periods) == len(leaves):
            raise DecodeError("the columns have different lengths")
        if self._generation != self._table.generation:
            self._generation = self._table.generation
            self._stacks.clear()
            self._frame_ids.clear()
        samples = []
        stacks, origins = self._stacks, self._origins
        for ns, who, period, node in zip(accumulate(deltas), whose, periods, leaves, strict=True):
            stack = stacks.get(node)
            if stack is None:
                stack = self._stack(node)
            if not 1 <= who <= len(origins):
                raise DecodeError("there is no such origin")
            if not abs(ns) <= MAX_INT:
                raise DecodeError("this is no time")
            samples.append(StackSample(ns / _NS, *origins[who - 1], period, stack))
        return KINDS[line[0]](tuple(samples))

    def _define_stacks(self, parents: list[int], frames: list[int]) -> None:
        if len(parents) != len(frames):
            raise DecodeError("the columns have different lengths")
        nodes = self._nodes
        for distance, frame in zip(parents, frames, strict=True):
            parent = len(nodes) - distance
            if not 0 <= parent < len(nodes) or not 1 <= frame <= len(self._frames):
                raise DecodeError("this stack stands on nothing")
            depth = nodes[parent][2] + 1
            if depth > DEEPEST:
                raise DecodeError("this stack is too deep")
            nodes.append((parent, frame, depth))

    def _stack(self, node: int) -> int:
        if not 0 <= node < len(self._nodes):
            raise DecodeError("there is no such stack")
        at, path = node, []
        while at:
            at, frame, _ = self._nodes[at]
            known = self._frame_ids.get(frame)
            if known is None:
                known = self._table.intern(self._frames[frame - 1])
                self._frame_ids[frame] = known
            path.append(known)
        stack = self._stacks[node] = self._table.stack_id(path[::-1])
        return stack


def _columns(parts: list[Any], count: int) -> list[list[int]]:
    if len(parts) != count or not all(isinstance(part, list) for part in parts):
        raise DecodeError(f"{count} columns belong here")
    for part in parts:
        if not all(type(item) is int for item in part):
            raise DecodeError("a column holds whole numbers")
        if part and not -MAX_INT <= min(part) <= max(part) <= MAX_INT:
            raise DecodeError("a number is out of range")
    return parts


def _frame(part: Any) -> Frame:
    if not isinstance(part, list) or len(part) < 5:
        raise DecodeError("this is no frame")
    symbol, name, kind, file, line = part[:5]
    if not isinstance(kind, str) or kind not in _FRAME_KINDS:
        raise DecodeError("there is no such kind of frame")
    return Frame(text(symbol), text(name), _FRAME_KINDS[kind], text(file), integer(line))


def _origin(part: Any) -> _Origin:
    if not isinstance(part, list) or len(part) < 4:
        raise DecodeError("this is no origin")
    pid, tid, comm, event = part[:4]
    return integer(pid), integer(tid), text(comm), text(event)
