"""Both halves of the sandwich hold what hotspots says of the function."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.profile.callers import sandwich
from kvtop.profile.hotspots import hotspots
from kvtop.profile.stacks import StackTable
from kvtop.profile.tree import ROOT, CallTree, TreeOptions
from tests.profile.test_stacks import stack
from tests.profile.test_tree import GLUE, STACKS, Stacks, check, fold


def paths(tree: CallTree) -> dict[str, int]:
    return {">".join(f.symbol for f in tree.names(n)): tree.total[n] for n in range(1, len(tree))}


def test_callers_and_callees() -> None:
    table = StackTable()
    counts = {
        stack(table, "main", "a", "f", "g"): 3,
        stack(table, "main", "b", "f"): 2,
        stack(table, "main", "b"): 5,
    }
    found = sandwich(table, counts, table.frame_id("f", "/bin/x"))
    assert (found.self_weight, found.total) == (2, 5)
    assert paths(found.callees) == {"f": 5, "f>g": 3}
    assert paths(found.callers) == {"f": 5, "f>a": 3, "f>a>main": 3, "f>b": 2, "f>b>main": 2}


def test_recursion_counts_its_outermost_call_only() -> None:
    table = StackTable()
    counts = {stack(table, "main", "f", "f", "f", "g"): 4}
    found = sandwich(table, counts, table.frame_id("f", "/bin/x"))
    assert found.total == 4
    assert paths(found.callers) == {"f": 4, "f>main": 4}
    folded = sandwich(
        table, counts, table.frame_id("f", "/bin/x"), TreeOptions(fold_recursion=True)
    )
    assert paths(folded.callees) == {"f": 4, "f>g": 4}


def ran(stack: tuple[str, ...], fold_glue: bool) -> str:
    """The function that the sample counts for: glue, where folded, did its work for its caller."""
    plain = [symbol for symbol in stack if symbol != GLUE]
    return plain[-1] if fold_glue and plain else stack[-1]


@pytest.mark.parametrize("fold_glue", [True, False])
@given(stacks=STACKS, at=st.integers(0, 3))
def test_it_agrees_with_hotspots(fold_glue: bool, stacks: Stacks, at: int) -> None:
    table = StackTable()
    counts = fold(table, stacks)
    for spot in hotspots(table, counts)[at : at + 1]:
        found = sandwich(table, counts, spot.frame_id, TreeOptions(fold_glue=fold_glue))
        assert (found.weight, found.total) == (sum(counts.values()), spot.total)
        name = spot.frame.symbol
        folded = fold_glue and name != GLUE
        own = sum(n for s, n in stacks.items() if s and ran(s, folded) == name)
        assert found.self_weight == own
        for tree in (found.callees, found.callers):
            check(tree)
            (first,) = tree.children(ROOT)
            assert tree.frame(first) == spot.frame and tree.total[first] == spot.total
