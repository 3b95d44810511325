"""The Prometheus text format: whatever comes, what is wanted is read and nothing is made up."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.etcd.prometheus import Buckets, RecentQuantile, increase, parse, quantile

TEXT = """\
# HELP etcd_disk_wal_fsync_duration_seconds The latency distributions of fsync called by WAL.
# TYPE etcd_disk_wal_fsync_duration_seconds histogram
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"} 90
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.002"} 99
etcd_disk_wal_fsync_duration_seconds_bucket{le="+Inf"} 100
etcd_disk_wal_fsync_duration_seconds_sum 0.25
etcd_disk_wal_fsync_duration_seconds_count 100
etcd_network_peer_sent_bytes_total{To="a54"} 7.554356e+06
etcd_debugging_mvcc_keys_total 8482 1700000000000
etcd_debugging_mvcc_keys_totality 1
"""
FSYNC = "etcd_disk_wal_fsync_duration_seconds"
KEYS = "etcd_debugging_mvcc_keys_total"
COUNTS = st.lists(st.integers(0, 10**6), min_size=1, max_size=12)


def histogram(observed: list[int]) -> Buckets:
    """Buckets of 1, 2, 4 ... milliseconds with so many observations each, the last unbounded."""
    total, parts = 0, []
    for number, count in enumerate(observed):
        total += count
        bound = math.inf if number == len(observed) - 1 else 0.001 * 2**number
        parts.append((bound, float(total)))
    return tuple(parts)


def test_what_is_wanted_is_found() -> None:
    metrics = parse(TEXT, (FSYNC, f"{FSYNC}_count", KEYS))
    assert metrics.values == {f"{FSYNC}_count": 100.0, KEYS: 8482.0}
    assert metrics.histograms == {FSYNC: ((0.001, 90.0), (0.002, 99.0), (math.inf, 100.0))}
    assert metrics.whole(KEYS) == 8482


@pytest.mark.parametrize("number", ["NaN", "+Inf", "many", ""])
def test_what_is_no_number_is_no_figure(number: str) -> None:
    assert parse(f"{KEYS} {number}\n", (KEYS,)).whole(KEYS) is None


@pytest.mark.parametrize(
    "text",
    [
        f'{FSYNC}_bucket{{le="0.1"}} 1\n',
        f'{FSYNC}_bucket{{le="0.1"}} 5\n{FSYNC}_bucket{{le="+Inf"}} 4\n',
        f'{FSYNC}_bucket{{le="x"}} 5\n',
        f'{FSYNC}_bucket{{le="+Inf",to="a"}} 5\n',
        f"{FSYNC}_bucket 5\n",
    ],
)
def test_half_a_histogram_is_none(text: str) -> None:
    assert parse(text, (FSYNC,)).histograms == {}


@given(st.text())
def test_any_text_is_survived(text: str) -> None:
    parse(text, (FSYNC, KEYS))
    parse(f"{KEYS}{{{text}", (KEYS,))


@given(st.text(st.characters(exclude_characters='"\\\n\r', exclude_categories=("Cs",))))
def test_labels_with_any_text_stay_labels(label: str) -> None:
    assert parse(f'{KEYS}{{to="{label}"}} 5\n{KEYS} 7\n', (KEYS,)).values == {KEYS: 7.0}


@given(COUNTS, st.floats(0, 1))
def test_a_quantile_lies_in_the_bucket_that_holds_its_rank(
    observed: list[int], share: float
) -> None:
    buckets = histogram(observed)
    found = quantile(share, buckets)
    if not sum(observed):
        assert found is None
        return
    assert found is not None
    rank = share * sum(observed)
    below = sum(
        count for bound, count in zip(_bounds(buckets), observed, strict=True) if bound < found
    )
    assert below <= rank + 1e-6 * sum(observed) or math.isclose(found, _bounds(buckets)[-2])
    assert 0 <= found <= max((b for b in _bounds(buckets) if b != math.inf), default=0.0)


def _bounds(buckets: Buckets) -> list[float]:
    return [bound for bound, _ in buckets]


def test_a_quantile_is_linear_within_its_bucket() -> None:
    assert quantile(0.5, histogram([0, 100, 0])) == pytest.approx(0.0015)
    assert quantile(0.99, histogram([0, 0, 5])) == pytest.approx(0.002)  # no upper bound


@given(st.lists(st.tuples(st.integers(0, 999), st.integers(0, 999)), min_size=1, max_size=9))
def test_the_increase_is_what_came_in_between(pairs: list[tuple[int, int]]) -> None:
    before = histogram([first for first, _ in pairs])
    after = histogram([first + more for first, more in pairs])
    assert increase(before, after) == histogram([more for _, more in pairs])


def test_a_process_that_began_anew_counts_from_nothing() -> None:
    after = histogram([1, 2, 3])
    assert increase(histogram([5, 5, 5]), after) == after
    assert increase(histogram([5, 5]), after) == after


def test_the_recent_quantile_forgets() -> None:
    recent = RecentQuantile(0.5, span=10)
    slow, fast = histogram([0, 0, 100, 0]), histogram([100, 0, 100, 0])
    assert recent.update(0, histogram([0, 0, 0, 0])) is None
    assert recent.update(1, slow) == pytest.approx(0.003)
    assert recent.update(12, fast) == pytest.approx(0.0005)
    assert recent.update(30, fast) is None  # nothing was observed in the last ten seconds
