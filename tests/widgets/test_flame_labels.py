"""Labels fit their cells, whatever characters are in them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kvtop.profile.text import safe_text
from kvtop.widgets.flame_labels import LEAST, shorten
from kvtop.widgets.line import width_of


def test_wide_characters_take_two_cells() -> None:
    assert shorten("処理::計算する", 10) == "計算する"
    assert width_of(shorten("計算する計算する", 10)) <= 10
    assert shorten("計算する", 8) == "計算する"


@given(st.text(max_size=60).map(safe_text), st.integers(0, 70))
def test_a_label_always_fits(symbol: str, width: int) -> None:
    label = shorten(symbol, width)
    assert width_of(label) <= width
    if width_of(symbol) <= width:
        assert label == symbol
    elif width < LEAST:
        assert label == ""
