"""Themes as they are drawn: which colours reach the terminal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from rich.color import ColorType
from textual.theme import BUILTIN_THEMES

from kvtop.app import KvtopApp
from kvtop.options import THEMES
from kvtop.themes import choose
from tests.fake_session import FakeSession, config

PLAIN = {ColorType.DEFAULT, ColorType.STANDARD}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without NO_COLOR, and as it was afterwards: the screen takes the variable away."""
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.delenv("NO_COLOR")


async def colours(tmp_path: Path, *argv: str, press: str = "") -> set[ColorType]:
    """Kinds of the colours that a screen sends to the terminal."""
    app = KvtopApp(FakeSession(config(*argv, output=tmp_path)))
    seen: set[ColorType] = set()
    async with app.run_test(size=(120, 40)) as pilot:
        for key in ("", *press):
            await pilot.press(*key)
            await pilot.pause()
            await pilot.pause()
            for strip in app.screen._compositor.render_strips():
                for _, style, _ in strip:
                    if style is not None:
                        seen |= {c.type for c in (style.color, style.bgcolor) if c is not None}
    return seen


async def test_dark_is_drawn_in_true_colour(tmp_path: Path) -> None:
    assert ColorType.TRUECOLOR in await colours(tmp_path, "--theme", "dark")


@pytest.mark.parametrize("theme", ["ansi", "ansi-light"])
async def test_ansi_keeps_to_the_terminals_own_colours(tmp_path: Path, theme: str) -> None:
    seen = await colours(tmp_path, "--theme", theme, press="f?")
    assert ColorType.STANDARD in seen
    assert seen <= PLAIN


async def test_mono_uses_no_colour_at_all(tmp_path: Path) -> None:
    assert await colours(tmp_path, "--theme", "mono", press="f?") <= {ColorType.DEFAULT}


def test_no_color_counts_where_no_theme_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert choose("auto") == choose("mono")
    assert choose("nord").theme == "nord"
    assert "NO_COLOR" not in os.environ


def test_every_theme_is_one_of_textuals() -> None:
    assert set(THEMES.values()) - {""} <= set(BUILTIN_THEMES)
