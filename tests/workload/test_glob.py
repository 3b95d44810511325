"""Redis glob patterns against Python's, where both mean the same."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.workload.glob import matches

letters = st.text("ab", max_size=8)


@given(st.text("ab*?", max_size=8), letters)
def test_agrees_with_fnmatch(pattern: str, text: str) -> None:
    assert matches(pattern.encode(), text.encode()) == fnmatch.fnmatchcase(text, pattern)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (b"h[ae]llo", b"hallo", True),
        (b"h[ae]llo", b"hillo", False),
        (b"h[^e]llo", b"hello", False),
        (b"h[^e]llo", b"hallo", True),
        (b"h[a-c]llo", b"hbllo", True),
        (b"h[c-a]llo", b"hbllo", True),
        (b"\\*", b"*", True),
        (b"\\*", b"x", False),
        (b"[\\]]", b"]", True),
        (b"[a", b"a", True),
        (b"a\\", b"a\\", True),
        (b"", b"", True),
        (b"*", b"\xff\x00\n", True),
    ],
)
def test_has_the_corners_of_redis(pattern: bytes, text: bytes, expected: bool) -> None:
    assert matches(pattern, text) is expected


def test_many_stars_do_not_explode() -> None:
    assert not matches(b"*a" * 500 + b"b", b"a" * 2000)


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_any_pattern_is_harmless(pattern: bytes, text: bytes) -> None:
    matches(pattern, text)
