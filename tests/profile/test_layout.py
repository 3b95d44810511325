"""Boxes stand where their weight says, and stay there."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given

from kvtop.profile.layout import layout
from kvtop.profile.stacks import StackTable
from kvtop.profile.tree import ROOT, CallTree
from tests.profile.test_tree import STACKS, Stacks, fold


def build(stacks: Stacks) -> CallTree:
    table = StackTable()
    tree = CallTree(table)
    tree.update(fold(table, stacks))
    return tree


@given(STACKS)
def test_boxes_are_as_wide_as_their_share_and_inside_their_parents(stacks: Stacks) -> None:
    tree = build(stacks)
    plan = layout(tree, 100, min_width=0)
    places = {box.node: box for row in plan.rows for box in row}
    live = {n for n in range(len(tree)) if tree.total[n]}
    assert set(places) == live | {ROOT}
    for node, box in places.items():
        assert box.row == tree.depth[node]
        if node != ROOT:
            assert box.x1 - box.x0 == pytest.approx(100 * tree.total[node] / tree.weight)
            above = places[tree.parent[node]]
            assert above.x0 - 1e-6 <= box.x0 and box.x1 <= above.x1 + 1e-6
    for row in plan.rows:
        for left, right in pairwise(row):
            assert left.x1 <= right.x0 + 1e-6


@given(STACKS)
def test_a_box_under_the_pointer_is_found(stacks: Stacks) -> None:
    plan = layout(build(stacks), 80)
    for row in plan.rows:
        for box in row:
            if box.x1 > box.x0:
                assert plan.at(box.row, (box.x0 + box.x1) / 2) == box
    assert plan.at(len(plan.rows), 1) is None
    assert plan.at(0, 80) is None


def test_zoom_shows_the_node_and_its_ancestors_at_full_width() -> None:
    tree = build({("a", "b"): 1, ("a", "c", "c"): 3, ("b",): 6})
    tree.open()
    node = next(n for n in range(len(tree)) if [f.symbol for f in tree.names(n)] == ["a", "c"])
    plan = layout(tree, 40, zoom=node)
    shown = [[(tree.frame(b.node).symbol, b.x0, b.x1) for b in row] for row in plan.rows]
    assert shown == [[("all", 0, 40)], [("a", 0, 40)], [("c", 0, 40)], [("c", 0, 40)]]


def test_narrow_boxes_leave_a_gap_and_are_counted() -> None:
    tree = build({("a",): 1, ("b",): 999})
    plan = layout(tree, 100)
    assert [(tree.frame(b.node).symbol, b.x0) for b in plan.rows[1]] == [("b", 0.1)]
    assert plan.pruned == 1


def test_max_depth_bounds_the_rows() -> None:
    tree = build({("a",) * 6: 1})
    assert len(layout(tree, 10, max_depth=3).rows) == 4


def test_a_growing_sibling_does_not_change_the_order() -> None:
    table = StackTable()
    tree = CallTree(table)
    tree.update(fold(table, {("b",): 5, ("c",): 1}))
    tree.update(fold(table, {("a",): 1, ("b",): 1, ("c",): 9}))
    assert [tree.frame(b.node).symbol for b in layout(tree, 100).rows[1]] == ["a", "b", "c"]


def test_an_empty_tree_is_one_row() -> None:
    assert len(layout(build({}), 10).rows) == 1
