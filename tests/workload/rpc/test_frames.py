"""Cutting a byte stream into frames."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.workload.rpc.frames import FrameError, FrameReader, pack_frame

frames = st.lists(st.tuples(st.integers(0, 2**64 - 1), st.binary(max_size=40)), max_size=10)


@given(frames, st.lists(st.integers(0, 400)))
def test_frames_survive_any_cutting(sent: list[tuple[int, bytes]], cuts: list[int]) -> None:
    stream = b"".join(pack_frame(*frame) for frame in sent)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    reader = FrameReader()
    received = [
        frame
        for start, end in itertools.pairwise(edges)
        for frame in reader.feed(stream[start:end])
    ]
    assert received == sent


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=10))
def test_any_bytes_give_frames_or_a_frame_error(pieces: list[bytes]) -> None:
    reader = FrameReader(cap=64)
    try:
        for piece in pieces:
            for _, payload in reader.feed(piece):
                assert len(payload) <= 56
    except FrameError:
        pass


@pytest.mark.parametrize("length", [0, 7, 65, 2**32 - 1])
def test_refuses_impossible_lengths(length: int) -> None:
    with pytest.raises(FrameError, match=str(length)):
        FrameReader(cap=64).feed(length.to_bytes(4, "big") + bytes(8))
