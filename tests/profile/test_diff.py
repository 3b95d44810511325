"""Changes, their two normalisations, and what is only noise."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.profile.diff import Z_99, DiffTree, Side, change, diff_symbols
from kvtop.profile.stacks import StackTable
from kvtop.profile.tree import CallTree
from tests.profile.test_stacks import stack
from tests.profile.test_tree import STACKS, Stacks, fold


def test_the_two_normalisations() -> None:
    table = StackTable()
    hot, cold = stack(table, "main", "hot"), stack(table, "main", "cold")
    one, two = Side({hot: 500, cold: 500}, 10.0), Side({hot: 100, cold: 500}, 10.0)
    by_share = {r.frame.symbol: r.own for r in diff_symbols(table, one, two)}
    assert by_share["hot"].before_rate == pytest.approx(0.5)
    assert by_share["hot"].after_rate == pytest.approx(1 / 6)
    assert by_share["cold"].delta == pytest.approx(5 / 6 - 0.5)  # its part grew
    by_time = {r.frame.symbol: r.own for r in diff_symbols(table, one, two, "time")}
    assert by_time["hot"].delta == pytest.approx(-40.0)
    assert by_time["cold"].delta == 0 and not by_time["cold"].significant()  # its time did not
    assert by_share["hot"].significant() and by_time["hot"].significant()


def test_z_against_worked_examples() -> None:
    # 60/200 against 40/200: pooled 0.25, se 0.0433, z 2.309.
    one, two = Side({0: 200}, 10.0), Side({0: 200}, 20.0)
    assert change(40, 60, one, two).z == pytest.approx(2.3094, abs=1e-4)
    # 40 in 10 s against 60 in 20 s: pooled 10/3 a second, se sqrt(10/3 * 0.15), z -1.414.
    assert change(40, 60, one, two, "time").z == pytest.approx(-1.4142, abs=1e-4)


def test_noise_stays_inside_the_band_as_often_as_it_says() -> None:
    rng = random.Random(7)
    samples, rounds, outside, far = 2000, 1500, 0, 0
    for _ in range(rounds):
        one, two = (sum(rng.random() < 0.2 for _ in range(samples)) for _ in range(2))
        seen = change(one, two, Side({0: samples}, 1), Side({0: samples}, 1))
        outside += seen.significant()
        far += seen.significant(Z_99)
    assert 0.03 < outside / rounds < 0.07
    assert 0.003 < far / rounds < 0.02


@given(STACKS, STACKS, st.sampled_from(["share", "time"]))
def test_the_tree_holds_both_sides(one: Stacks, two: Stacks, normalise: str) -> None:
    table = StackTable()
    left, right = Side(fold(table, one), 2.0), Side(fold(table, two), 3.0)
    tree = DiffTree(CallTree(table), left, right, normalise)  # type: ignore[arg-type]
    sides = []
    for side in (left, right):
        alone = CallTree(table)
        alone.update(side.counts)
        alone.open()
        sides.append(
            {alone.names(n): (alone.total[n], alone.self_weight(n)) for n in range(len(alone))}
        )
    for node in range(len(tree.after)):
        total, own = tree.change(node), tree.own_change(node)
        name = tree.after.names(node)
        assert (total.before, own.before) == sides[0].get(name, (0, 0))
        assert (total.after, own.after) == sides[1].get(name, (0, 0))


@given(STACKS)
def test_a_profile_does_not_differ_from_itself(stacks: Stacks) -> None:
    table = StackTable()
    side = Side(fold(table, stacks), 1.0)
    for row in diff_symbols(table, side, side):
        assert row.own.delta == row.own.z == row.total.delta == 0


def test_an_empty_side_says_nothing() -> None:
    table = StackTable()
    one, none = Side({stack(table, "main"): 9}, 1.0), Side({}, 0.0)
    (row,) = diff_symbols(table, one, none)
    assert row.own.after_rate == 0 and not row.own.significant()
    with pytest.raises(ValueError, match="seconds"):
        diff_symbols(table, one, none, "time")


@given(STACKS, STACKS, STACKS, st.sampled_from(["share", "time"]))
def test_other_sides_show_in_the_same_tree_as_in_a_new_one(
    one: Stacks, two: Stacks, three: Stacks, normalise: str
) -> None:
    table = StackTable()
    a, b, c = (Side(fold(table, stacks), 2.0) for stacks in (one, two, three))
    followed = DiffTree(CallTree(table), a, b, normalise)  # type: ignore[arg-type]
    followed.update(b, c, normalise)  # type: ignore[arg-type]
    fresh = DiffTree(CallTree(table), b, c, normalise)  # type: ignore[arg-type]

    def changes(diff: DiffTree) -> dict[object, object]:
        tree = diff.after
        return {
            tree.names(n): (diff.change(n), diff.own_change(n))
            for n in range(len(tree))
            if diff.change(n).before or diff.change(n).after
        }

    assert changes(followed) == changes(fresh)


def test_glue_counts_for_its_caller_where_it_is_folded() -> None:
    table = StackTable()
    frames = [("py::main:/a.py", ""), ("_PyEval_EvalFrameDefault", "/usr/bin/python3.13")]
    counts = {table.stack_id([table.frame_id(*frame) for frame in frames]): 5}
    side = Side(counts, 1.0)
    plain = {r.frame.symbol: r.own.after for r in diff_symbols(table, side, side)}
    folded = {r.frame.symbol: r.own.after for r in diff_symbols(table, side, side, "share", True)}
    assert plain == {"main": 0, "_PyEval_EvalFrameDefault": 5}
    assert folded == {"main": 5}
