"""Student's t distribution: its two-sided probability and its quantile."""

from __future__ import annotations

from functools import lru_cache
from math import exp, isinf, lgamma, log, log1p
from statistics import NormalDist

_NORMAL_FROM = 1e6
"""Degrees of freedom from which on it is the normal distribution to nine digits."""
_TINY = 1e-300


def two_sided(t: float, df: float) -> float:
    """P(|T| >= |t|) with ``df`` > 0 degrees of freedom, which need not be whole."""
    if isinf(t):
        return 0.0
    if df >= _NORMAL_FROM:
        return 2 * NormalDist().cdf(-abs(t))
    return _incomplete_beta(df / 2, 0.5, df / (df + t * t))


@lru_cache(maxsize=4096)
def quantile(confidence: float, df: float) -> float:
    """The t that ``confidence`` (0..1) of the distribution lies within, on both sides of 0."""
    wanted, low, high = 1 - confidence, 0.0, 1.0
    while two_sided(high, df) > wanted:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided(middle, df) > wanted else (low, middle)
    return (low + high) / 2


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised one, I_x(a, b), by its continued fraction (DLMF 8.17.22)."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """Lentz's way of evaluating it, from the front."""
    c, d = 1.0, 1 / _nonzero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 10_000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _nonzero(1 + term * d)
            c = _nonzero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return value


def _nonzero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
