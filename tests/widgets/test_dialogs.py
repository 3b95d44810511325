"""Confirmation, help, prompt and key bar, by key and by mouse."""

from __future__ import annotations

import re

import pytest

from kvtop.widgets.dialogs import ConfirmScreen
from kvtop.widgets.help import HelpScreen
from kvtop.widgets.key_bar import KeyBar, KeyHint
from kvtop.widgets.prompt import Pattern, PromptScreen, compile_pattern
from tests.widgets.app import WidgetApp
from tests.widgets.render import screen_text, widget_text


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["y"], True),
        (["n"], False),
        (["escape"], False),
        (["enter"], False),
        (["tab", "enter"], True),
    ],
)
async def test_nothing_is_killed_by_accident(keys: list[str], answer: bool) -> None:
    app = WidgetApp()
    async with app.run_test(size=(80, 24)) as pilot:
        answers: list[bool | None] = []
        await app.push_screen(
            ConfirmScreen("Kill leader node1 (PID 123)? [red]", "Kill"), answers.append
        )
        await pilot.pause()
        assert "Kill leader node1 (PID 123)? [red]" in screen_text(app)
        await pilot.press(*keys)
        await pilot.pause()
        assert answers == [answer]


async def test_yes_can_be_clicked() -> None:
    app = WidgetApp()
    async with app.run_test(size=(80, 24)) as pilot:
        answers: list[bool | None] = []
        await app.push_screen(ConfirmScreen("Kill it?"), answers.append)
        await pilot.pause()
        await pilot.click("#yes")
        await pilot.pause()
        assert answers == [True]


async def test_help_shows_keys_that_look_like_markup() -> None:
    app = WidgetApp()
    async with app.run_test(size=(80, 24)) as pilot:
        rows = [
            ("Profile", "[", "shorter window"),
            ("Profile", "]", "longer"),
            ("Other", "q", "quit"),
        ]
        await app.push_screen(HelpScreen(rows))
        await pilot.pause()
        text = screen_text(app)
        assert re.search(r"\[  shorter window", text) and "Profile" in text and "Other" in text
        await pilot.press("escape")
        await pilot.pause()
        assert "Profile" not in screen_text(app)


@pytest.mark.parametrize("width", [40, 80, 120])
async def test_a_long_line_of_help_goes_on_below_its_beginning(width: int) -> None:
    app = WidgetApp()
    text = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    async with app.run_test(size=(width, 24)) as pilot:
        await app.push_screen(HelpScreen([("Panes", "↑ ↓", text), ("Panes", "shift+tab", "x")]))
        await pilot.pause()
        lines = [line.split("│")[1] for line in screen_text(app).splitlines() if "│" in line]
        begin = next(line.index("one") for line in lines if "one" in line)
        rest = [line for line in lines if "thirteen" in line]
        assert rest and len(rest[0]) - len(rest[0].lstrip()) == begin


def test_patterns_mind_the_case_when_a_capital_is_typed() -> None:
    small, large = compile_pattern("send"), compile_pattern("Send")
    assert small is not None and small.search("SEND")
    assert large is not None and not large.search("send") and large.search("Send")
    escaped = compile_pattern(r"\Send")
    assert escaped is not None and escaped.flags & re.IGNORECASE
    assert compile_pattern("") is None


async def test_the_prompt_is_live_and_can_be_left() -> None:
    app = WidgetApp()
    async with app.run_test(size=(80, 24)) as pilot:
        heard: list[str | None] = []
        results: list[str | None] = []

        def change(pattern: Pattern | None) -> None:
            heard.append(pattern.pattern if pattern is not None else None)

        await app.push_screen(PromptScreen("Filter", "first", change), results.append)
        await pilot.press("a", "b")
        await pilot.pause()
        assert heard[-1] == "ab"
        await pilot.press("(")
        await pilot.pause()
        assert "not a regex" in screen_text(app) and heard[-1] == "ab"
        await pilot.press("enter")
        assert results == []
        await pilot.press("escape")
        await pilot.pause()
        assert results == [None] and heard[-1] == "first"


async def test_the_prompt_gives_its_text() -> None:
    app = WidgetApp()
    async with app.run_test(size=(80, 24)) as pilot:
        results: list[str | None] = []
        await app.push_screen(PromptScreen("Filter"), results.append)
        await pilot.press("a", "enter")
        await pilot.pause()
        assert results == ["a"]


class Clicks(WidgetApp):
    """Counts what a key bar runs."""

    done = 0

    def action_count(self) -> None:
        """Count."""
        self.done += 1


async def test_key_hints_are_whole_and_clickable() -> None:
    bar = KeyBar([KeyHint("?", "help", "app.none"), KeyHint("k", "kill the leader", "app.count")])
    app = Clicks(bar)
    async with app.run_test(size=(40, 5)) as pilot:
        await pilot.pause()
        assert widget_text(bar) == " ? help  k kill the leader"
        await pilot.click(bar, offset=(12, 0))
        assert app.done == 1
        await pilot.resize_terminal(20, 5)
        await pilot.pause()
        assert widget_text(bar) == " ? help"
