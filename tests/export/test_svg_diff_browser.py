"""The differential SVG in a real browser: figures of both sides, colours, widths, rates, search."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from kvtop.export.svg_diff import DiffMeta, write_svg_diff
from kvtop.profile.stacks import StackTable
from tests.export.test_svg import META
from tests.export.test_svg_browser import box, names, pytestmark, share
from tests.export.test_svg_browser import browser as browser
from tests.export.test_svg_browser import page as page
from tests.export.test_svg_diff import TIMED, boxes, example

__all__ = ["pytestmark"]


def show(page: Page, folder: Path, diff: DiffMeta = TIMED) -> str:
    table = StackTable()
    before, after = example(table)
    text = write_svg_diff({"": before}, {"": after}, table, META, diff)
    file = folder / "diff.svg"
    file.write_text(text, "utf-8")
    page.goto(file.as_uri())
    return text


def fill(page: Page, name: str) -> str:
    classes = page.locator(box(page, name)).first.get_attribute("class") or ""
    return next(c for c in classes.split() if c not in ("box", "selected", "hover"))


def test_the_script_colours_as_the_file_does_and_says_both_sides(
    page: Page, tmp_path: Path
) -> None:
    drawn = boxes(show(page, tmp_path))
    for name in ("grows", "shrinks", "steady", "main"):
        assert fill(page, name) == drawn[name][0]
    page.locator(box(page, "grows")).hover()
    tip = page.locator("#tip").text_content() or ""
    for part in ("20.00 % → 60.00 %", "+40.00 points", "×3.00", "200 → 1,200 samples", "z +"):
        assert part in tip
    page.locator(box(page, "steady")).hover()
    assert "may be noise" in (page.locator("#tip").text_content() or "")
    legend = page.locator("#foot").text_content() or ""
    for words in ("red: more", "blue: less", "twice or more", "half or less", "within the noise"):
        assert words in legend
    red, blue, pale = (
        page.locator(box(page, name)).evaluate(
            "e => getComputedStyle(e.querySelector('rect')).fill.match(/\\d+/g).map(Number)"
        )
        for name in ("grows", "shrinks", "steady")
    )
    assert red[0] > red[2] + 80 and blue[2] > blue[0] + 80 and max(pale) - min(pale) < 20


def test_widths_of_before_show_what_is_gone(page: Page, tmp_path: Path) -> None:
    show(page, tmp_path)
    assert "gone" not in names(page)
    assert share(page, box(page, "grows")) == pytest.approx(0.6, abs=0.01)
    page.locator("#old").click()
    assert page.locator("#old").get_attribute("aria-pressed") == "true"
    assert share(page, box(page, "gone")) == pytest.approx(0.2, abs=0.01)
    assert share(page, box(page, "grows")) == pytest.approx(0.2, abs=0.01)
    assert fill(page, "gone") == "less3"
    page.keyboard.press("w")
    assert "gone" not in names(page)


def test_shares_or_rates(page: Page, tmp_path: Path) -> None:
    show(page, tmp_path)
    page.locator("#rates").click()
    page.locator(box(page, "grows")).hover()
    assert "20.0 /s → 60.0 /s" in (page.locator("#tip").text_content() or "")
    link = page.evaluate("location.href")
    assert "rates" in link
    show(page, tmp_path, DiffMeta("calm", "busy", (10.0, 20.0), "time"))
    assert page.locator("#rates").get_attribute("aria-pressed") == "true"
    page.keyboard.press("p")
    assert page.locator("#rates").get_attribute("aria-pressed") == "false"
    show(page, tmp_path, DiffMeta())
    assert page.locator("#rates").count() == 0 and page.locator("#old").count() == 1


def test_search_and_zoom(page: Page, tmp_path: Path) -> None:
    show(page, tmp_path)
    page.keyboard.press("/")
    page.keyboard.type("grows|gone")
    assert page.locator("#matched").text_content() == "matched 60.00 %"
    page.locator("#search").press("Enter")
    page.keyboard.press("w")
    assert page.locator("#matched").text_content() == "matched 40.00 %"
    page.locator(box(page, "shrinks")).click()
    assert names(page) == ["all", "main", "shrinks"]
    page.locator("#reset").click()
    assert "grows" in names(page)
