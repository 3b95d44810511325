"""Hostile text comes out as one printable line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.profile.text import safe_text

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(ANY_TEXT, st.integers(1, 200))
def test_only_printable_characters_within_the_limit(raw: str, limit: int) -> None:
    shown = safe_text(raw, limit)
    assert shown.isprintable()
    assert len(shown) <= limit
    shown.encode()  # no lone surrogate is left either


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=50))
def test_plain_text_is_left_alone(raw: str) -> None:
    assert safe_text(raw) == raw


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\u202eevil", "\\u202eevil"),
        ("a\u200bb", "a\\u200bb"),
        ("\x9b2J", "\\x9b2J"),
        ("\udc80", "\\udc80"),
        ("\U000e0041", "\\U000e0041"),
        ("naïve 函数", "naïve 函数"),
    ],
)
def test_what_is_not_printable_becomes_visible(raw: str, shown: str) -> None:
    assert safe_text(raw) == shown


def test_the_cut_shows() -> None:
    assert safe_text("abcdef", 4) == "abc…"
    assert safe_text("abcd", 4) == "abcd"
    assert safe_text("abc", 0) == ""
