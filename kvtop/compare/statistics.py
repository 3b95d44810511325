"""Estimates from repeated units (blocks of one run, or whole runs), and tests between two of them.

A figure is a ratio of sums: amount by exposure (operations by seconds, CPU by operations). Its
variance comes from the residuals of the units (ratio estimator, Cochran, Sampling Techniques,
3rd ed., 6.3). Units of one run are blocks of several seconds (batch means: Schmeiser, Batch size
effects in the analysis of simulation output, Oper. Res. 30, 1982); what correlation is left between
neighbours widens the variance as that of an AR(1) process does. Whole runs are independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, inf, log, sqrt

from kvtop.compare.student import quantile, two_sided

FEWEST = 4
"""Blocks of one run from which on they tell its variance."""
_MOST_CORRELATED = 0.9
_FEWEST_FREE = 2.0
"""Degrees of freedom of blocks that are much alike: by simulation, as few false alarms as 1."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One block or run: an amount, and the exposure that it is divided by (> 0)."""

    amount: float
    exposure: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A ratio with its standard error; ``error`` is None where too few units tell none."""

    value: float
    error: float | None
    df: float
    units: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Two estimates of one figure.

    ``relative`` is after / before - 1, None where before is 0; ``low`` and ``high`` enclose it
    with the confidence asked for. ``p`` is the probability of a change as great by chance.
    The three are None where the variance is not known.
    """

    before: Estimate
    after: Estimate
    relative: float | None
    low: float | None
    high: float | None
    p: float | None

    @property
    def delta(self) -> float:
        """After minus before."""
        return self.after.value - self.before.value


def estimate(units: Sequence[Unit], independent: bool) -> Estimate:
    """The ratio of the sums; units that are not ``independent`` are blocks in time order."""
    exposure = sum(unit.exposure for unit in units)
    value = sum(unit.amount for unit in units) / exposure
    count = len(units)
    if count < (2 if independent else FEWEST):
        return Estimate(value, None, 0.0, count)
    residuals = [unit.amount - value * unit.exposure for unit in units]
    variance = sum(r * r for r in residuals) / (count - 1) / count / (exposure / count) ** 2
    widening = 1.0 if independent else correlation_factor([residuals])
    df = count - 1.0 if independent else max(count / widening - 1, _FEWEST_FREE)
    return Estimate(value, sqrt(variance * widening), df, count)


def correlation_factor(series: Sequence[Sequence[float]], white: float = 0.0) -> float:
    """By how much the variance of a mean grows because neighbours are alike, 1 or more.

    (1 + r) / (1 - r) of an AR(1) process with r the first autocorrelation of all ``series``,
    corrected for the bias of short ones (Kendall, Biometrika 41, 1954). ``white`` is the part of
    the variance that is known to be independent, as that of counting is: the rest alone is alike.
    """
    products = power = 0.0
    count = 0
    for values in series:
        mean = sum(values) / len(values) if values else 0.0
        around = [value - mean for value in values]
        products += sum(a * b for a, b in pairwise(around))
        power += sum(a * a for a in around)
        count += len(values)
    if power <= 0 or white >= 1:
        return 1.0
    first = products / power
    # Each series has the bias of its own length.
    first += (1 + 3 * first) * len(series) / count
    first = min(max(first / (1 - white), 0.0), _MOST_CORRELATED)
    return (1 + first) / (1 - first)


def difference(
    before: Estimate, after: Estimate, confidence: float, independent: bool = False
) -> Difference:
    """Welch's test of the logarithm of the ratio (delta method), or of the difference at 0.

    Where one side has several ``independent`` runs and the other only one, the run-to-run
    variance of the several, relative to their value, counts for that one as well.
    """
    one, two = before.value, after.value
    relative = two / one - 1 if one else None
    least = None
    if independent and (before.units == 1) != (after.units == 1):
        # Both errors come from the same runs, so they are known no better than those tell.
        least = max(before.df, after.df)
        before, after = _lent(before, after), _lent(after, before)
    if before.error is None or after.error is None:
        return Difference(before, after, relative, None, None, None)
    logarithms = one > 0 and two > 0
    change = log(two / one) if logarithms else two - one
    errors = (before.error / one, after.error / two) if logarithms else (before.error, after.error)
    variance = sum(e * e for e in errors)
    if variance <= 0:
        # Nothing varied at all: any change is certain, none is none.
        return Difference(before, after, relative, relative, relative, 0.0 if change else 1.0)
    df = least or welch_df(errors, (before.df, after.df))
    p = two_sided(change / sqrt(variance), df)
    reach = quantile(confidence, df) * sqrt(variance)
    low, high = change - reach, change + reach
    if logarithms:
        return Difference(before, after, relative, _exp(low) - 1, _exp(high) - 1, p)
    if relative is None:
        return Difference(before, after, None, None, None, p)
    low, high = sorted((low / one, high / one))
    return Difference(before, after, relative, low, high, p)


def _lent(one: Estimate, other: Estimate) -> Estimate:
    """A single run with the relative error that one of the other side's runs has."""
    if one.units > 1 or other.error is None or other.value <= 0:
        return one
    error = other.error / other.value * sqrt(other.units) * one.value
    return Estimate(one.value, error, other.df, 1)


def _exp(x: float) -> float:
    return exp(x) if x < 700 else inf


def welch_df(errors: Sequence[float], dfs: Sequence[float]) -> float:
    """Degrees of freedom by Welch and Satterthwaite."""
    below = sum(e**4 / df for e, df in zip(errors, dfs, strict=True) if df > 0)
    above = sum(e * e for e in errors) ** 2
    return max(above / below, 1.0) if below > 0 else inf


def counts_test(
    before: Sequence[Unit], after: Sequence[Unit], independent: bool, binomial: bool
) -> tuple[float, float]:
    """z of a change of counts by exposure, and the dispersion that it was divided by.

    The score test of two Poisson rates (``binomial``: of two shares) with its variance multiplied
    by the Pearson dispersion of the units around the rate of their own side (quasi-likelihood,
    McCullagh and Nelder, Generalized Linear Models, 2nd ed., 9.2), never below 1.
    Use it with `counts_p`, which knows how well the dispersion is known.
    """
    sums = [
        (sum(u.amount for u in side), sum(u.exposure for u in side)) for side in (before, after)
    ]
    (hits_a, all_a), (hits_b, all_b) = sums
    if not (all_a > 0 and all_b > 0):
        return 0.0, 1.0
    pooled = (hits_a + hits_b) / (all_a + all_b)
    left = 1 - pooled if binomial else 1.0
    variance = pooled * left * (1 / all_a + 1 / all_b)
    if variance <= 0:
        return 0.0, 1.0
    spread = dispersion((before, after), independent, binomial)
    return (hits_b / all_b - hits_a / all_a) / sqrt(variance * spread), spread


def counts_p(z: float, before: int, after: int) -> float:
    """Two-sided probability of a z of `counts_test` with so many units on each side.

    Without repeated units the counts are taken to be Poisson's, and z to be normal.
    """
    df = before + after - 2
    return two_sided(z, df if df > 0 else inf)


def dispersion(sides: Sequence[Sequence[Unit]], independent: bool, binomial: bool) -> float:
    """Pearson's chi-square of the units by its degrees of freedom, at least 1.

    What is more than 1 is the rate's own change in time, which neighbours share.
    """
    chi, df = 0.0, 0
    series = []
    for units in sides:
        exposure = sum(u.exposure for u in units)
        rate = sum(u.amount for u in units) / exposure if exposure else 0.0
        left = 1 - rate if binomial else 1.0
        if len(units) < 2 or rate * left <= 0:
            continue
        scaled = [(u.amount - rate * u.exposure) / sqrt(rate * left * u.exposure) for u in units]
        chi += sum(s * s for s in scaled)
        df += len(units) - 1
        series.append(scaled)
    if not df or chi <= df:
        return 1.0
    excess = chi / df - 1
    widening = 1.0 if independent else correlation_factor(series, white=df / chi)
    return 1 + excess * widening


def false_discovery(probabilities: Sequence[float]) -> list[float]:
    """Each as the least false discovery rate that it passes at (Benjamini and Hochberg,
    J. R. Stat. Soc. B 57, 1995), in the order given."""
    count = len(probabilities)
    order = sorted(range(count), key=lambda i: -probabilities[i])
    adjusted, least = [1.0] * count, 1.0
    for rank, index in zip(range(count, 0, -1), order, strict=True):
        least = min(least, probabilities[index] * (count / rank))
        adjusted[index] = least
    return adjusted
