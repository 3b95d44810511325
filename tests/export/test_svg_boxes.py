"""Boxes without glue are those of a profile that was folded before it was laid out."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kvtop.export.svg_boxes import Box, boxes_of, boxes_without_glue
from kvtop.profile.frames import Frame
from kvtop.profile.preorder import Preorder, preorder
from kvtop.profile.stacks import StackTable
from tests.profile.test_tree import STACKS, Stacks, fold


def named(profile: Preorder, boxes: list[Box]) -> set[tuple[Frame, int, int, int]]:
    return {(profile.frames[box.frame], *box[1:]) for box in boxes}


@given(STACKS, st.sampled_from([1.0, 2.0, 5.0]))
def test_folding_glue_while_drawing_is_folding_it_before(stacks: Stacks, least: float) -> None:
    table = StackTable()
    groups = {"": fold(table, stacks)}
    whole, folded = preorder(groups, table), preorder(groups, table, fold_glue=True)
    expected = named(folded, boxes_of(folded, least))
    assert named(whole, boxes_without_glue(whole, least)) == expected


@given(STACKS)
def test_siblings_stand_side_by_side_within_their_parent(stacks: Stacks) -> None:
    table = StackTable()
    profile = preorder({"": fold(table, stacks)}, table)
    boxes = boxes_of(profile, 1)
    for row in range(1, max((box.depth for box in boxes), default=0) + 1):
        level = sorted(box for box in boxes if box.depth == row)
        spans = sorted((box.at, box.at + box.weight) for box in level)
        assert all(left[1] <= right[0] for left, right in pairwise(spans))
        below = [(box.at, box.at + box.weight) for box in boxes if box.depth == row - 1]
        for start, end in spans:
            assert any(a <= start and end <= b for a, b in below)
