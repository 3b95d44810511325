"""What is saved is what the flamegraph shows: the same paths with the same weights."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from kvtop.profile.preorder import preorder
from kvtop.profile.shape import Shown, shaped
from kvtop.profile.stacks import StackTable
from kvtop.profile.tree import ROOT, CallTree, TreeOptions
from tests.profile.test_stacks import stack
from tests.profile.test_tree import STACKS, Stacks, fold

HIDDEN = st.sampled_from([None, "main", "a|b", "Eval", "."])


def paths(tree: CallTree) -> dict[tuple[str, ...], int]:
    found: dict[tuple[str, ...], int] = {}

    def walk(node: int, path: tuple[str, ...]) -> None:
        found[path] = found.get(path, 0) + tree.total[node]
        for child in tree.children(node):
            walk(child, (*path, tree.frame(child).symbol))

    tree.open()
    walk(ROOT, ())
    return {path: weight for path, weight in found.items() if weight}


@given(STACKS, HIDDEN, st.booleans(), st.booleans())
def test_the_paths_are_those_of_the_tree_on_the_screen(
    stacks: Stacks, hidden: str | None, recursion: bool, glue: bool
) -> None:
    table = StackTable()
    counts = fold(table, stacks)
    pattern = re.compile(hidden) if hidden is not None else None
    options = TreeOptions(fold_glue=glue, fold_recursion=recursion, hidden=pattern)
    screen = CallTree(table, options)
    screen.update(counts)
    groups, other = shaped(Shown({"": counts}, options), table)
    assert (other is table) == (hidden is None and not recursion)
    saved = CallTree(other, TreeOptions(fold_glue=glue))
    saved.update(groups[""])
    assert paths(saved) == paths(screen)
    assert sum(groups[""].values()) == sum(counts.values())


def test_groups_stay_and_the_whole_weight_with_them() -> None:
    table = StackTable()
    one, two = stack(table, "main", "work"), stack(table, "main", "main", "rest")
    options = TreeOptions(hidden=re.compile("main|rest"), fold_recursion=True)
    groups, other = shaped(Shown({"a": {one: 3}, "b": {two: 4}}, options), table)
    laid = preorder(groups, other)
    names = [laid.frames[at].symbol for at in laid.frame]
    assert names == ["all", "a", "work", "b"] and laid.total == [7, 3, 3, 4]
