"""Clipping and padding count cells, not characters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.style import Style

from kvtop.profile.text import safe_text
from kvtop.widgets.line import clip, clip_middle, fit, strip_of, width_of

TEXTS = st.text(max_size=40).map(safe_text)


@given(TEXTS, st.integers(0, 50))
def test_clipped_text_fits(text: str, width: int) -> None:
    for cut in (clip(text, width), clip_middle(text, width)):
        assert width_of(cut) <= width
        if width_of(text) <= width:
            assert cut == text


@given(TEXTS, st.integers(1, 50), st.booleans())
def test_fitted_text_fills_its_width(text: str, width: int, right: bool) -> None:
    assert width_of(fit(text, width, right)) == width


def test_the_middle_goes_first() -> None:
    assert clip_middle("abcdefghijkl", 7) == "abc…jkl"
    assert clip("abcdefghijkl", 7) == "abcdef…"


@given(st.lists(TEXTS, max_size=5), st.integers(1, 60))
def test_a_strip_has_exactly_its_width(texts: list[str], width: int) -> None:
    strip = strip_of([(text, Style()) for text in texts], width, Style())
    assert sum(segment.cell_length for segment in strip) == width == strip.cell_length
