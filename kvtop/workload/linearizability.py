"""Whether a history of operations could have happened one at a time, each within its interval.

The search is Wing and Gong's with Lowe's memory of (what is done, state), run per key: keys are
independent objects, so a history is linearizable if its part for each key is (Herlihy and Wing).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum


class OpKind(Enum):
    """What an operation does to its key."""

    GET = "get"
    PUT = "put"
    APPEND = "append"
    DELETE = "delete"
    CAS = "cas"


@dataclass(frozen=True, slots=True)
class Operation:
    """One call as its client saw it.

    ``result`` is the value read by GET (None: no such key) and whether a CAS swapped (None: not
    known); nothing else has one. CAS sets ``value`` if the key holds ``expected`` (None: if it is
    absent).
    ``returned`` is ``math.inf`` if no answer came: it may have happened later, or never.
    """

    client: int
    key: str
    kind: OpKind
    called: float
    returned: float
    value: str = ""
    expected: str | None = None
    result: str | bool | None = None

    @property
    def is_pending(self) -> bool:
        """Whether no answer came."""
        return math.isinf(self.returned)


State = str | None


def step(state: State, op: Operation) -> tuple[bool, State]:
    """Do ``op`` on a key in ``state``: whether its result fits, and the state after it."""
    match op.kind:
        case OpKind.GET:
            return op.is_pending or op.result == state, state
        case OpKind.PUT:
            return True, op.value
        case OpKind.APPEND:
            return True, (state or "") + op.value
        case OpKind.DELETE:
            return True, None
        case OpKind.CAS:
            swaps = state == op.expected
            return op.result in (None, swaps), op.value if swaps else state


class _Node:
    """A call or a return in the doubly linked list of what is still to be placed."""

    __slots__ = ("before", "id", "next", "op", "returns")

    def __init__(self, op: Operation | None, id: int) -> None:
        self.op = op  # None marks a return.
        self.id = id
        self.before: _Node | None = None
        self.next: _Node | None = None
        self.returns: _Node | None = None


class Undecided(Exception):
    """The search took more steps than it was allowed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Keys whose operations are not linearizable, and those that took too long to search."""

    violated: tuple[str, ...]
    undecided: tuple[str, ...] = ()


def is_linearizable(operations: Sequence[Operation], max_steps: int = 10_000_000) -> bool:
    """Check operations on ONE key that starts absent; Undecided after ``max_steps``.

    The search is exponential in the number of concurrent operations at worst. One without an
    answer is concurrent with all that follows, so try first whether those that nobody saw may
    as well not have happened.
    """
    answered = [op for op in operations if not op.is_pending or op.kind is not OpKind.GET]
    seen_values = _values_seen(answered)
    visible = [
        op
        for op in answered
        if not op.is_pending or any(op.value in value for value in seen_values)
    ]
    return _search(visible, max_steps) or (
        len(visible) < len(answered) and _search(answered, max_steps)
    )


def _values_seen(operations: Iterable[Operation]) -> set[str]:
    """The values that answers prove to have been there."""
    seen: set[str] = set()
    for op in operations:
        if op.kind is OpKind.GET and isinstance(op.result, str):
            seen.add(op.result)
        elif op.kind is OpKind.CAS and op.result is True and op.expected is not None:
            seen.add(op.expected)
    return seen


def _search(operations: Sequence[Operation], max_steps: int) -> bool:
    head = _linked(operations)
    pending = sum(1 << id for id, op in enumerate(operations) if op.is_pending)
    everything = (1 << len(operations)) - 1
    done = 0
    state: State = None
    seen: set[tuple[int, State]] = set()
    placed: list[tuple[_Node, State]] = []
    node = head.next
    steps = 0
    while done | pending != everything:
        assert node is not None
        steps += 1
        if steps > max_steps:
            raise Undecided
        if node.op is not None:
            fits, after = step(state, node.op)
            key = (done | 1 << node.id, after)
            if fits and key not in seen:
                seen.add(key)
                placed.append((node, state))
                done, state = key
                _lift(node)
                node = head.next
            else:
                node = node.next
        elif placed:
            # A return that cannot be passed: take back the operation placed last.
            node, state = placed.pop()
            done &= ~(1 << node.id)
            _unlift(node)
            node = node.next
        else:
            return False
    return True


def check(history: Iterable[Operation], max_steps: int = 10_000_000) -> Verdict:
    """Check every key of a history; every key starts absent. ``max_steps`` is per key."""
    by_key: dict[str, list[Operation]] = defaultdict(list)
    for op in history:
        by_key[op.key].append(op)
    violated, undecided = [], []
    for key, operations in sorted(by_key.items()):
        try:
            if not is_linearizable(operations, max_steps):
                violated.append(key)
        except Undecided:
            undecided.append(key)
    return Verdict(tuple(violated), tuple(undecided))


def _linked(operations: Sequence[Operation]) -> _Node:
    """Calls and returns in time order behind a head; at one time calls come first."""
    events: list[tuple[float, int, _Node]] = []
    for id, op in enumerate(operations):
        call, back = _Node(op, id), _Node(None, id)
        call.returns = back
        events += [(op.called, 0, call), (op.returned, 1, back)]
    events.sort(key=lambda event: event[:2])
    head = last = _Node(None, -1)
    for _, _, node in events:
        last.next, node.before = node, last
        last = node
    return head


def _lift(call: _Node) -> None:
    for node in (call, call.returns):
        assert node is not None and node.before is not None
        node.before.next = node.next
        if node.next is not None:
            node.next.before = node.before


def _unlift(call: _Node) -> None:
    for node in (call.returns, call):
        assert node is not None and node.before is not None
        node.before.next = node
        if node.next is not None:
            node.next.before = node
