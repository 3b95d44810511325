"""Packing of log entries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.workload.entries import EntryCodec, pack_entries, unpack_entries
from kvtop.workload.raft.types import Entry, EntryKind

contents = st.lists(
    st.tuples(st.integers(0, 2**63), st.sampled_from(EntryKind), st.binary(max_size=30)),
    max_size=12,
)


def _entries(first: int, items: list[tuple[int, EntryKind, bytes]]) -> tuple[Entry, ...]:
    return tuple(Entry(index, *item) for index, item in enumerate(items, first))


@given(st.integers(1, 2**60), contents)
def test_round_trip(first: int, items: list[tuple[int, EntryKind, bytes]]) -> None:
    entries = _entries(first, items)
    packed = pack_entries(entries)
    assert unpack_entries(first, len(entries), packed) == entries
    assert all(type(entry.kind) is EntryKind for entry in unpack_entries(1, len(items), packed))


@given(st.lists(st.tuples(st.integers(1, 5), contents), max_size=8))
def test_a_codec_never_confuses_two_runs(
    runs: list[tuple[int, list[tuple[int, EntryKind, bytes]]]],
) -> None:
    codec = EntryCodec()
    for first, items in runs:
        entries = _entries(first, items)
        packed = codec.pack(entries)
        assert packed == pack_entries(entries)
        assert codec.unpack(first, len(entries), packed) == entries
        assert codec.unpack(first + 1, len(entries), packed) == _entries(first + 1, items)


@given(st.integers(0, 20), st.binary(max_size=60))
def test_hostile_bytes_give_entries_or_value_error(count: int, data: bytes) -> None:
    for unpack in (unpack_entries, EntryCodec().unpack):
        try:
            assert pack_entries(unpack(1, count, data)) == data
        except ValueError:
            pass


def test_a_codec_checks_the_count_of_a_run_it_knows() -> None:
    codec = EntryCodec()
    packed = codec.pack((Entry(1, 1, EntryKind.NORMAL, b"x"),))
    with pytest.raises(ValueError):
        codec.unpack(1, 2, packed)
