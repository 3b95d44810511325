"""The statistics against tables, against what must hold, and against processes with known truth."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.compare.statistics import (
    Unit,
    correlation_factor,
    counts_p,
    counts_test,
    difference,
    estimate,
    false_discovery,
)
from kvtop.compare.student import quantile, two_sided


@pytest.mark.parametrize(
    ("confidence", "df", "t"),
    [
        (0.95, 1, 12.706),
        (0.95, 10, 2.228),
        (0.99, 4, 4.604),
        (0.99, 30, 2.750),
        (0.999, 2, 31.599),
        (0.95, 1e9, 1.960),
    ],
)
def test_quantiles_are_those_of_the_printed_tables(confidence: float, df: float, t: float) -> None:
    assert quantile(confidence, df) == pytest.approx(t, abs=6e-4)
    assert two_sided(quantile(confidence, df), df) == pytest.approx(1 - confidence, rel=1e-6)


@given(st.lists(st.floats(0, 1), max_size=50))
def test_false_discovery_rates_keep_the_order_and_are_no_smaller(ps: list[float]) -> None:
    qs = false_discovery(ps)
    assert all(p <= q <= 1 for p, q in zip(ps, qs, strict=True))
    by_p = sorted(zip(ps, qs, strict=True))
    assert [q for _, q in by_p] == sorted(qs)


def test_false_discovery_rates_of_the_paper() -> None:
    # Benjamini and Hochberg 1995, section 4.1: at 0.05 the first four are rejected.
    ps = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    ps += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    assert sum(q <= 0.05 for q in false_discovery(ps)) == 4


units = st.lists(
    st.tuples(st.floats(0, 1e6), st.floats(0.1, 1e3)).map(lambda pair: Unit(*pair)),
    min_size=4,
    max_size=30,
)


@given(units, units)
def test_the_interval_holds_the_estimate_and_agrees_with_p(
    one: list[Unit], two: list[Unit]
) -> None:
    change = difference(estimate(one, False), estimate(two, False), 0.99)
    if change.relative is None or change.low is None or change.high is None:
        return
    slack = 1e-6 * (1 + abs(change.relative))
    assert change.low - slack <= change.relative <= change.high + slack
    assert change.p is not None and 0 <= change.p <= 1
    if change.p > 0.0101:
        assert change.low <= slack and change.high >= -slack


def test_a_ratio_is_of_the_sums_and_its_error_of_the_residuals() -> None:
    found = estimate([Unit(10, 1), Unit(20, 2), Unit(30, 3), Unit(40, 4)], True)
    assert (found.value, found.error) == (10, 0)
    # Mean of equal exposures: the ordinary standard error.
    found = estimate([Unit(v, 1) for v in (1, 2, 3, 4)], True)
    assert found.value == 2.5
    assert found.error == pytest.approx((5 / 3 / 4) ** 0.5)


def test_too_few_units_tell_no_noise() -> None:
    few = estimate([Unit(1, 1), Unit(2, 1), Unit(1, 1)], False)
    assert few.error is None
    assert difference(few, few, 0.99).p is None


def test_a_single_run_is_lent_the_variance_of_the_others() -> None:
    several = estimate([Unit(v, 1) for v in (98, 100, 102, 100)], True)
    near = difference(several, estimate([Unit(102, 1)], True), 0.99, independent=True)
    far = difference(several, estimate([Unit(150, 1)], True), 0.99, independent=True)
    assert near.p is not None and near.p > 0.1
    assert far.p is not None and far.p < 0.01


def autoregressive(rng: random.Random, seconds: int, phi: float) -> list[float]:
    value, found = rng.gauss(0, 1), []
    for _ in range(seconds):
        value = phi * value + rng.gauss(0, 1) * (1 - phi * phi) ** 0.5
        found.append(100 + 10 * value)
    return found


def blocks(series: list[float], length: int) -> list[Unit]:
    return [
        Unit(sum(series[at : at + length]), length)
        for at in range(0, len(series) - length + 1, length)
    ]


@pytest.mark.parametrize(("phi", "most"), [(0.0, 0.02), (0.5, 0.03), (0.9, 0.04)])
def test_series_that_are_alike_from_second_to_second_raise_few_false_alarms(
    phi: float, most: float
) -> None:
    rng = random.Random(6)
    alarms = 0
    for _ in range(400):
        one, two = (estimate(blocks(autoregressive(rng, 60, phi), 3), False) for _ in range(2))
        p = difference(one, two, 0.99).p
        alarms += p is not None and p < 0.01
    assert alarms / 400 <= most


def test_neighbours_that_are_alike_widen_the_variance() -> None:
    rng = random.Random(1)
    assert correlation_factor([autoregressive(rng, 400, 0.8)]) > 5
    assert correlation_factor([[rng.gauss(0, 1) for _ in range(400)]]) < 1.3
    assert correlation_factor([[(-1.0) ** n for n in range(40)]]) == 1


def test_counts_that_spread_more_than_poisson_are_judged_by_their_spread() -> None:
    calm = [Unit(100, 1)] * 10
    wild_one = [Unit(n, 1) for n in (20, 180, 40, 160, 100, 30, 170, 60, 140, 100)]
    wild_two = [Unit(n * 1.2, 1) for n, _ in ((u.amount, u) for u in wild_one)]
    more = [Unit(120, 1)] * 10
    z, spread = counts_test(calm, more, False, False)
    assert spread == 1 and counts_p(z, 10, 10) < 0.001
    z, spread = counts_test(wild_one, wild_two, False, False)
    assert spread > 5 and counts_p(z, 10, 10) > 0.1


def test_counts_without_repeated_units_are_poissons() -> None:
    z, _ = counts_test([Unit(100, 1)], [Unit(160, 1)], False, False)
    assert z == pytest.approx(60 / 260**0.5)
    assert counts_p(z, 1, 1) == pytest.approx(two_sided(z, 1e9))
    assert counts_test([], [Unit(1, 1)], False, False)[0] == 0
