"""Slower or not, and by chance or not: the judgement of pyperf, on made-up figures."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pyperf._utils import is_significant

from kvtop.bench.compare import compare, lines_of, ratio_text, t_score
from tests.bench.made import suite, values

samples = st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=8)


@given(
    st.integers(2, 8).flatmap(
        lambda n: st.tuples(*[st.lists(st.floats(1, 99), min_size=n, max_size=n)] * 2)
    )
)
def test_the_test_is_pyperfs_where_pyperf_has_one(both: tuple[list[float], list[float]]) -> None:
    before, after = both
    ours = t_score(before, after)
    assume(ours is not None and math.isfinite(ours) and ours)
    _, theirs = is_significant(before, after)
    assert ours == pytest.approx(-theirs, rel=1e-6, abs=1e-6)


@given(samples, samples)
def test_the_other_way_round_is_the_same_with_the_other_sign(
    before: list[float], after: list[float]
) -> None:
    there, back = t_score(before, after), t_score(after, before)
    assert there is not None and back is not None
    assert there == pytest.approx(-back)


def test_a_slower_one_is_told_from_the_same() -> None:
    before = suite({"same": values(1e-6, 1), "slow": values(1e-6, 2), "fast": values(1e-6, 3)})
    after = suite({"same": values(1e-6, 4), "slow": values(1.1e-6, 5), "fast": values(5e-7, 6)})
    found = compare(before, after)
    assert [one.name for one in found.slower(0.05)] == ["slow"]
    assert [one.name for one in found.slower(0.2)] == []
    assert [one.significant for one in found.compared] == [False, True, True]


def test_different_numbers_of_values_are_tested_too() -> None:
    before = suite({"same": values(1e-6, 1, 60), "slow": values(1e-6, 2, 60)})
    after = suite({"same": values(1e-6, 3, 20), "slow": values(1.2e-6, 4, 20)})
    assert [one.name for one in compare(before, after).slower(0.0)] == ["slow"]


def test_much_slower_within_its_noise_is_not_slower() -> None:
    before, after = suite({"noisy": [1.0, 2.0, 3.0]}), suite({"noisy": [1.2, 2.4, 3.4]})
    (one,) = compare(before, after).compared
    assert one.ratio > 1.15
    assert not one.slower_than(0.05)


def test_one_value_tells_nothing() -> None:
    (one,) = compare(suite({"a": [1.0]}), suite({"a": [2.0]})).compared
    assert one.t is None
    assert not one.slower_than(0.05)


def test_values_without_any_spread() -> None:
    same = compare(suite({"a": [1.0, 1.0]}), suite({"a": [1.0, 1.0]})).compared[0]
    more = compare(suite({"a": [1.0, 1.0]}), suite({"a": [2.0, 2.0]})).compared[0]
    assert (same.significant, more.significant) == (False, True)


def test_geometric_mean_and_what_only_one_side_has() -> None:
    before = suite({"a": [1.0, 1.0], "b": [1.0, 1.0], "gone": [1.0, 1.0]})
    after = suite({"a": [2.0, 2.0], "b": [0.5, 0.5], "new": [1.0, 1.0]})
    found = compare(before, after)
    assert found.geometric_mean == pytest.approx(1.0)
    text = "\n".join(lines_of(found))
    assert "Geometric mean: no change" in text
    assert "only in the baseline: gone" in text
    assert "not in the baseline: new" in text


def test_another_machine_and_another_python_are_told() -> None:
    figures = {"a": values(1.0, 1)}
    here = suite(figures, python_version="3.13.1")
    assert compare(here, here).differences == ()
    there = suite(figures, python_version="3.12.0", cpu_model_name="another CPU")
    machine, python = compare(there, here).differences
    assert "another machine: cpu model name another CPU -> a CPU" in machine
    assert "another Python: python version 3.12.0 -> 3.13.1" in python


@pytest.mark.parametrize(
    ("ratio", "text"), [(1.001, "no change"), (1.25, "1.25x slower"), (0.5, "2.00x faster")]
)
def test_ratios_as_text(ratio: float, text: str) -> None:
    assert ratio_text(ratio) == text
