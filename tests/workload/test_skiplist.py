"""The skip list against sortedcontainers.SortedDict."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sortedcontainers import SortedDict

from kvtop.workload.skiplist import DumpCorrupted, SkipList

keys = st.binary(max_size=3)
values = st.binary(max_size=4)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("set"), keys, values),
        st.tuples(st.just("delete"), keys, st.just(b"")),
    ),
    max_size=200,
)


def _build(steps: list[tuple[str, bytes, bytes]]) -> tuple[SkipList, SortedDict]:
    ours, oracle = SkipList(), SortedDict()
    for name, key, value in steps:
        if name == "set":
            assert ours.set(key, value) is (key not in oracle)
            oracle[key] = value
        else:
            assert ours.delete(key) is (oracle.pop(key, None) is not None)
    return ours, oracle


@given(operations)
def test_behaves_like_a_sorted_dict(steps: list[tuple[str, bytes, bytes]]) -> None:
    ours, oracle = _build(steps)
    assert list(ours) == list(oracle)
    assert list(ours.items()) == list(oracle.items())
    assert len(ours) == len(oracle)
    for _, key, _ in steps:
        assert ours.get(key) == oracle.get(key)
        assert (key in ours) == (key in oracle)


@given(operations, keys, st.none() | keys)
def test_scans_a_range(
    steps: list[tuple[str, bytes, bytes]], start: bytes, end: bytes | None
) -> None:
    ours, oracle = _build(steps)
    inclusive = (True, False)
    expected = [(key, oracle[key]) for key in oracle.irange(start, end, inclusive)]
    assert list(ours.scan(start, end)) == expected


@given(operations)
def test_dump_and_load_round_trip_and_stay_usable(steps: list[tuple[str, bytes, bytes]]) -> None:
    ours, oracle = _build(steps)
    loaded = SkipList.load(ours.dump())
    assert list(loaded.items()) == list(oracle.items())
    loaded.set(b"\x7f", b"new")
    oracle[b"\x7f"] = b"new"
    for key in list(oracle)[::2]:
        assert loaded.delete(key)
        del oracle[key]
    assert list(loaded.items()) == list(oracle.items())


@given(st.dictionaries(keys, values, min_size=1), st.integers(min_value=1))
def test_refuses_a_cut_dump(pairs: dict[bytes, bytes], cut: int) -> None:
    data = SkipList.from_items(pairs.items()).dump()
    cut_at = len(data) - 1 - cut % len(data)
    try:
        loaded = SkipList.load(data[:cut_at])
    except DumpCorrupted:
        return
    assert len(loaded) < len(pairs)  # cut exactly between two pairs


def test_refuses_a_dump_that_ends_inside_a_pair() -> None:
    with pytest.raises(DumpCorrupted):
        SkipList.load(SkipList.from_items([(b"key", b"value")]).dump()[:-1])


def test_heights_follow_the_distribution() -> None:
    drawn = SkipList(seed=7)
    heights = [drawn._random_level() for _ in range(40_000)]
    assert min(heights) == 1
    assert 0.73 < heights.count(1) / len(heights) < 0.77
    assert 0.17 < heights.count(2) / len(heights) < 0.21


def test_keeps_a_copy_apart_from_later_changes() -> None:
    ours = SkipList.from_items([(b"a", b"1")])
    copy = ours.copy_items()
    ours.set(b"a", b"2")
    assert copy == {b"a": b"1"}
