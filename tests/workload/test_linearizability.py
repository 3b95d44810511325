"""The checker itself, on histories whose verdict is known."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.workload.linearizability import (
    Operation,
    OpKind,
    Undecided,
    Verdict,
    check,
    is_linearizable,
    step,
)

NEVER = math.inf


def get(called: float, returned: float, result: str | None, key: str = "k") -> Operation:
    return Operation(0, key, OpKind.GET, called, returned, result=result)


def put(called: float, returned: float, value: str, key: str = "k") -> Operation:
    return Operation(0, key, OpKind.PUT, called, returned, value)


def append(called: float, returned: float, value: str) -> Operation:
    return Operation(0, "k", OpKind.APPEND, called, returned, value)


def delete(called: float, returned: float) -> Operation:
    return Operation(0, "k", OpKind.DELETE, called, returned)


def cas(
    called: float, returned: float, expected: str | None, value: str, swapped: bool | None
) -> Operation:
    return Operation(0, "k", OpKind.CAS, called, returned, value, expected, swapped)


GOOD = {
    "nothing": [],
    "read of an absent key": [get(0, 1, None)],
    "read after write": [put(0, 1, "a"), get(2, 3, "a")],
    "concurrent reads see old and new": [put(0, 10, "a"), get(1, 3, None), get(4, 5, "a")],
    "writes take effect in either order": [put(0, 10, "a"), put(0, 10, "b"), get(11, 12, "a")],
    "an unanswered write that was seen": [put(0, NEVER, "a"), get(5, 6, "a")],
    "an unanswered write that was not": [put(0, NEVER, "a"), get(5, 6, None)],
    "an unanswered write that came late": [
        put(0, NEVER, "a"),
        put(1, 2, "b"),
        get(3, 4, "b"),
        get(5, 6, "a"),
    ],
    "an unanswered write seen only by a refused swap": [
        put(0, 1, "a"),
        put(2, NEVER, "b"),
        cas(3, 4, "a", "c", False),
    ],
    "appends in real-time order": [append(0, 1, "a"), append(2, 3, "b"), get(4, 5, "ab")],
    "delete": [put(0, 1, "a"), delete(2, 3), get(4, 5, None)],
    "swap": [put(0, 1, "a"), cas(2, 3, "a", "b", True), get(4, 5, "b")],
    "swap of an absent key": [cas(0, 1, None, "b", True), get(4, 5, "b")],
    "swap whose outcome is not known": [cas(0, 1, None, "b", None), get(4, 5, "b")],
    "only one of two swaps": [
        put(0, 1, "a"),
        cas(2, 9, "a", "b", True),
        cas(2, 9, "a", "c", False),
        get(10, 11, "b"),
    ],
}

BAD = {
    "stale read": [put(0, 1, "a"), put(2, 3, "b"), get(4, 5, "a")],
    "lost write": [put(0, 1, "a"), get(2, 3, None)],
    "read from the future": [get(0, 1, "a"), put(2, 3, "a")],
    "new, then old": [put(0, 10, "a"), get(1, 2, "a"), get(3, 4, None)],
    "value nobody wrote": [put(0, 1, "a"), get(2, 3, "z")],
    "append done twice": [append(0, 1, "a"), get(2, 3, "aa")],
    "append that overwrote": [append(0, 1, "a"), append(2, 3, "b"), get(4, 5, "b")],
    "appends in the wrong order": [append(0, 1, "a"), append(2, 3, "b"), get(4, 5, "ba")],
    "both swaps succeed": [
        put(0, 1, "a"),
        cas(2, 9, "a", "b", True),
        cas(2, 9, "a", "c", True),
    ],
    "swap refused for nothing": [put(0, 1, "a"), cas(2, 3, "a", "b", False)],
    "an unanswered write undone": [put(0, NEVER, "a"), get(1, 2, "a"), get(3, 4, None)],
    "delete undone": [put(0, 1, "a"), delete(2, 3), get(4, 5, "a")],
}


@pytest.mark.parametrize("name", GOOD)
def test_good_history(name: str) -> None:
    assert is_linearizable(GOOD[name])


@pytest.mark.parametrize("name", BAD)
def test_bad_history(name: str) -> None:
    assert not is_linearizable(BAD[name])


def test_keys_are_judged_apart() -> None:
    history = [
        put(0, 1, "a", key="x"),
        get(2, 3, "a", key="x"),
        put(0, 1, "a", key="y"),
        get(2, 3, None, key="y"),
    ]
    assert check(history) == Verdict(violated=("y",))


def test_a_search_that_takes_too_long_is_undecided_not_passed() -> None:
    writes = [cas(0, NEVER, str(number), str(number + 1), None) for number in range(30)]
    history = [*writes, *(put(0, NEVER, str(number)) for number in range(30)), get(1, 2, "no")]
    history += [get(1, 2, str(number)) for number in range(0, 30, 3)]
    with pytest.raises(Undecided):
        is_linearizable(history, max_steps=1_000)
    assert check(history, max_steps=1_000) == Verdict(violated=(), undecided=("k",))


def test_a_long_history_of_a_single_client() -> None:
    history: list[Operation] = []
    for number in range(2_000):
        history += [
            put(4 * number, 4 * number + 1, str(number)),
            get(4 * number + 2, 4 * number + 3, str(number)),
        ]
    assert is_linearizable(history)
    assert not is_linearizable([*history, get(9_000, 9_001, "7")])


def brute_force(history: list[Operation]) -> bool:
    """Try every order of every subset that has all answered operations."""
    answered = [op for op in history if not op.is_pending]
    pending = [op for op in history if op.is_pending]
    for mask in range(1 << len(pending)):
        chosen = answered + [op for bit, op in enumerate(pending) if mask >> bit & 1]
        for order in permutations(chosen):
            if any(
                later.returned < earlier.called
                for position, earlier in enumerate(order)
                for later in order[position + 1 :]
            ):
                continue
            state: str | None = None
            for op in order:
                fits, state = step(state, op)
                if not fits:
                    break
            else:
                return True
    return False


values = st.sampled_from(["a", "b"])
times = st.tuples(st.integers(0, 8), st.one_of(st.integers(0, 8), st.just(None)))


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    called, length = draw(times)
    returned = NEVER if length is None else called + length + 0.5
    kind = draw(st.sampled_from(OpKind))
    if kind is OpKind.GET:
        return get(called, returned, draw(st.sampled_from([None, "a", "b", "ab"])))
    if kind is OpKind.CAS:
        swapped = draw(st.booleans()) if length is not None else None
        return cas(called, returned, draw(st.sampled_from([None, "a"])), draw(values), swapped)
    return Operation(0, "k", kind, called, returned, draw(values))


@given(st.lists(operations(), max_size=5))
def test_agrees_with_trying_all_orders(history: list[Operation]) -> None:
    assert is_linearizable(history) == brute_force(history)
