"""The columns that files are written from, against the call tree."""

from __future__ import annotations

import pytest
from hypothesis import given

from kvtop.profile.preorder import preorder
from kvtop.profile.stacks import StackTable
from kvtop.profile.tree import CallTree, TreeOptions
from tests.profile.test_tree import STACKS, Stacks, fold


@pytest.mark.parametrize("fold_glue", [True, False])
@given(one=STACKS, two=STACKS)
def test_it_is_the_call_tree_in_depth_first_order(
    fold_glue: bool, one: Stacks, two: Stacks
) -> None:
    table = StackTable()
    groups = {"": fold(table, one), "node1": fold(table, two)}
    tree = CallTree(table, TreeOptions(fold_glue=fold_glue))
    tree.update_groups(groups)
    columns = preorder(groups, table, fold_glue)
    order: list[int] = []
    pending = [0]
    while pending:
        node = pending.pop()
        order.append(node)
        pending += reversed(tree.children(node))
    order = [n for n in order if tree.total[n] or not n]
    assert len(columns) == len(order)
    for at, node in enumerate(order):
        assert columns.frames[columns.frame[at]] == tree.frame(node)
        assert columns.depth[at] == tree.depth[node]
        assert columns.total[at] == tree.total[node]
        assert columns.self_weight[at] == tree.self_weight(node)


@given(STACKS)
def test_reversed_it_is_the_tree_of_callers(stacks: Stacks) -> None:
    table = StackTable()
    counts = fold(table, stacks)
    backwards = {table.stack_id(table.frames(s)[::-1]): n for s, n in counts.items()}
    assert preorder({"n": counts}, table, reverse=True) == preorder({"n": backwards}, table)
