"""The SVG in a real browser: pointer, keys, search, hostile names, and no network."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from kvtop.export.svg import SvgMeta, SvgView, write_svg, write_svg_groups
from kvtop.export.svg_static import WIDTH
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.stacks import StackTable
from tests.export.test_svg import HOSTILE, META
from tests.profile.test_stacks import stack

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page whose errors and requests fail the test."""
    opened = browser.new_page(viewport={"width": 1280, "height": 720})
    errors: list[str] = []
    requests: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("request", lambda request: requests.append(request.url))
    yield opened
    opened.close()
    assert errors == []
    assert [url for url in requests if not url.startswith("file:")] == []


def show(page: Page, folder: Path, counts: dict[int, int], table: StackTable) -> None:
    file = folder / "profile.svg"
    file.write_text(write_svg(counts, table, META), "utf-8")
    page.goto(file.as_uri())


def example(table: StackTable) -> dict[int, int]:
    return {
        stack(table, "_start", "main", "heavy", "k:ksys_read"): 50,
        stack(table, "_start", "main", "heavy"): 20,
        stack(table, "_start", "main", "_PyEval_EvalFrameDefault", "medium"): 20,
        stack(table, "_start", "light", "heavy"): 10,
    }


def names(page: Page) -> list[str]:
    """Labels of the boxes that are drawn."""
    return [text.strip() for text in page.locator("g.box > text").all_text_contents()]


def box(page: Page, name: str) -> str:
    return f"g.box:has(> text:text-is('{name}'))"


def share(page: Page, selector: str) -> float:
    """Width of a box as a share of the root's."""
    width = "element => element.querySelector('rect').getBBox().width"
    whole = page.locator(box(page, "all")).evaluate(width)
    return float(page.locator(selector).first.evaluate(width)) / float(whole)


def test_widths_and_figures_under_the_pointer(page: Page, tmp_path: Path) -> None:
    table = StackTable()
    show(page, tmp_path, example(table), table)
    assert share(page, box(page, "main")) == pytest.approx(0.9, abs=0.01)
    assert share(page, box(page, "ksys_read")) == pytest.approx(0.5, abs=0.01)
    page.locator(box(page, "main")).hover()
    details = page.locator("#details").text_content() or ""
    assert "main" in details and "90 samples" in details and "90.00 % of all" in details
    tip = page.locator("#tip")
    assert tip.get_attribute("visibility") == "visible"
    assert "self 0 samples" in (tip.text_content() or "")
    page.mouse.move(2, 2)
    assert tip.get_attribute("visibility") == "hidden"


def test_click_zooms_and_escape_reset_and_root_lead_back(page: Page, tmp_path: Path) -> None:
    table = StackTable()
    show(page, tmp_path, example(table), table)
    everything = names(page)
    page.locator(box(page, "medium")).click()
    assert names(page) == ["all", "_start", "main", "medium"]
    assert share(page, box(page, "medium")) == pytest.approx(1, abs=0.01)
    page.keyboard.press("Escape")
    assert "heavy" in names(page) and "light" not in names(page)
    page.locator("#reset").click()
    assert names(page) == everything
    page.locator(box(page, "medium")).click()
    page.locator(box(page, "all")).click()
    assert names(page) == everything


def test_search_marks_boxes_and_counts_nested_matches_once(page: Page, tmp_path: Path) -> None:
    table = StackTable()
    show(page, tmp_path, example(table), table)
    page.keyboard.press("/")
    page.keyboard.type("^heavy$|read")
    assert page.locator("#matched").text_content() == "matched 80.00 %"
    assert page.locator("g.box.hit").count() == 3
    assert page.locator("g.box.miss").count() == page.locator("g.box").count() - 3
    page.keyboard.press("Escape")
    assert page.locator("#matched").text_content() == ""
    assert page.locator("g.box.hit").count() == 0
    page.locator("#search").fill("(")
    assert "regular expression" in (page.locator("#matched").text_content() or "")
    page.locator("#search").fill("HEAVY")
    assert page.locator("#matched").text_content() == "matched 0.00 %"
    page.locator("#search").fill("ksys")
    page.locator("#search").press("Enter")
    page.keyboard.press("i")
    assert page.locator("g.box.hit").count() == 1


def test_glue_callers_and_invert(page: Page, tmp_path: Path) -> None:
    table = StackTable()
    show(page, tmp_path, example(table), table)
    assert "_PyEval_EvalFrameDefault" not in names(page)
    page.locator("#glue").click()
    assert page.locator("#glue").get_attribute("aria-pressed") == "true"
    assert any(name.startswith("_PyEval") for name in names(page))
    page.keyboard.press("g")
    page.locator("#callers").click()
    heavy = box(page, "heavy")
    # heavy was the leaf 30 times, called by main and by light; ksys_read 50 times.
    assert share(page, box(page, "ksys_read")) == pytest.approx(0.5, abs=0.01)
    assert max(
        share(page, f":nth-match({heavy}, {n + 1})") for n in range(page.locator(heavy).count())
    ) == pytest.approx(0.5, abs=0.01)
    top = "element => element.querySelector('rect').getBBox().y"
    root = box(page, "all")
    medium = box(page, "medium")
    assert page.locator(root).evaluate(top) > page.locator(medium).evaluate(top)
    page.locator("#invert").click()
    assert page.locator(root).evaluate(top) < page.locator(medium).evaluate(top)


def test_keys_walk_the_graph(page: Page, tmp_path: Path) -> None:
    table = StackTable()
    show(page, tmp_path, example(table), table)
    for key in ("ArrowUp", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
    assert "heavy" in (page.locator("#details").text_content() or "")
    page.keyboard.press("ArrowRight")
    assert "medium" in (page.locator("#details").text_content() or "")
    page.keyboard.press("ArrowDown")
    assert "main" in (page.locator("#details").text_content() or "")
    page.keyboard.press("Enter")
    assert share(page, box(page, "main")) == pytest.approx(1, abs=0.01)


def test_it_fits_the_window(page: Page, tmp_path: Path) -> None:
    table = StackTable()
    show(page, tmp_path, example(table), table)
    for width in (1600, 480):
        page.set_viewport_size({"width": width, "height": 700})
        page.wait_for_function(f"document.documentElement.getAttribute('width') == {width}")
        edge = (
            "() => document.documentElement.getBBox().x + document.documentElement.getBBox().width"
        )
        assert page.evaluate(edge) <= width + 1


def test_light_and_dark(browser: Browser, tmp_path: Path) -> None:
    table = StackTable()
    colours = {}
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        show(page, tmp_path, example(table), table)
        fill = "element => getComputedStyle(element).fill"
        colours[scheme] = [
            sum(map(int, re.findall(r"\d+", page.locator(which).first.evaluate(fill))))
            for which in (".back", "g.box > rect", "g.box > text")
        ]
        page.close()
    light, dark = colours["light"], colours["dark"]
    assert light[0] > 600 > 200 > dark[0]
    assert light[1] > dark[1] and light[2] < dark[2]


def test_hostile_names_do_nothing(page: Page, tmp_path: Path) -> None:
    table = StackTable()
    counts = {}
    for at, name in enumerate(HOSTILE):
        raw = table.intern(Frame(name, name, Kind.PYTHON, name))
        counts[table.stack_id([table.frame_id(name, name), raw])] = 10 + at
    file = tmp_path / "hostile.svg"
    file.write_text(write_svg(counts, table, SvgMeta(*[HOSTILE[0]] * 9)), "utf-8")
    page.goto(file.as_uri())
    count = page.locator("g.box").count()
    assert count > 2 * len(HOSTILE)
    for at in range(0, count, 4):
        page.locator("g.box").nth(at).hover(force=True)
    page.locator("#search").fill("script")
    page.locator("#callers").click()
    assert page.evaluate("window.pwned") is None
    assert page.locator("script").count() == 1
    assert page.locator("image, img, a").count() == 0


def test_the_address_keeps_zoom_search_and_view(page: Page, tmp_path: Path) -> None:
    table = StackTable()
    show(page, tmp_path, example(table), table)
    page.locator(box(page, "medium")).click()
    page.keyboard.press("/")
    page.keyboard.type("me.*um")
    page.keyboard.press("Enter")
    page.keyboard.press("i")
    link = page.evaluate("location.href")
    page.keyboard.press("0")
    assert page.evaluate("location.hash") == "#view=icicle"
    page.goto("about:blank")
    page.goto(link)
    assert names(page) == ["all", "_start", "main", "medium"]
    assert page.locator("#search").evaluate("element => element.value") == "me.*um"
    assert page.locator("g.box.hit").count() == 1
    assert page.locator("#invert").get_attribute("aria-pressed") == "true"


def test_the_back_button_zooms_out(page: Page, tmp_path: Path) -> None:
    table = StackTable()
    show(page, tmp_path, example(table), table)
    everything = names(page)
    page.locator(box(page, "main")).click()
    page.locator(box(page, "medium")).click()
    page.go_back()
    assert "medium" in names(page) and "light" not in names(page)
    page.go_back()
    assert names(page) == everything


@pytest.mark.parametrize("hash", ["zoom=99999", "zoom=x", "search=(", "view=what", "theme=red&a=%"])
def test_any_address_opens(page: Page, tmp_path: Path, hash: str) -> None:
    table = StackTable()
    show(page, tmp_path, example(table), table)
    page.goto("about:blank")
    page.goto(f"{(tmp_path / 'profile.svg').as_uri()}#{hash}")
    assert {"all", "main", "light"} <= set(names(page))


def test_the_theme_is_a_switch(page: Page, tmp_path: Path) -> None:
    table = StackTable()
    show(page, tmp_path, example(table), table)
    fill = "element => getComputedStyle(element).fill"
    light = [page.locator(which).first.evaluate(fill) for which in (".back", "g.box > rect")]
    page.locator("#theme").click()
    dark = [page.locator(which).first.evaluate(fill) for which in (".back", "g.box > rect")]
    assert light[0] != dark[0] and light[1] != dark[1]
    assert page.locator("#theme text").text_content() == "light"
    page.emulate_media(color_scheme="dark")
    page.keyboard.press("t")
    assert [page.locator(w).first.evaluate(fill) for w in (".back", "g.box > rect")] == light
    page.reload()
    assert page.locator(".back").first.evaluate(fill) == light[0]


def test_it_opens_the_way_it_was_asked_for(page: Page, tmp_path: Path) -> None:
    table = StackTable()
    groups = {"node0": example(table)}
    file = tmp_path / "profile.svg"
    view = SvgView(inverted=True, callers=True, glue=True, width=900)
    file.write_text(write_svg_groups(groups, table, META, view), "utf-8")
    page.goto(file.as_uri())
    for button in ("invert", "callers", "glue"):
        assert page.locator(f"#{button}").get_attribute("aria-pressed") == "true"
    assert page.evaluate("document.documentElement.getAttribute('width')") == "900"
    # What it is grouped by stays at the root, where callers are turned round.
    assert names(page)[:2] == ["all", "node0"]
    top = "element => element.querySelector('rect').getBBox().y"
    root, group = (page.locator(box(page, name)) for name in ("all", "node0"))
    assert root.evaluate(top) < group.evaluate(top)


def test_the_script_draws_what_the_file_shows_without_it(page: Page, tmp_path: Path) -> None:
    table = StackTable()
    for view in (SvgView(), SvgView(callers=True), SvgView(inverted=True, glue=True)):
        text = write_svg_groups({"": example(table)}, table, META, view)
        file = tmp_path / "profile.svg"
        file.write_text(text, "utf-8")
        page.set_viewport_size({"width": WIDTH, "height": 720})
        page.goto(file.as_uri())
        rects = """elements => elements.map(e => {
            const r = e.querySelector("rect").getBBox();
            return [Math.round(r.x), Math.round(r.width)];
        })"""
        drawn = page.locator("g.box").evaluate_all(rects)
        plain = tmp_path / "plain.svg"
        plain.write_text(re.sub(r"<script>.*</script>", "", text, flags=re.DOTALL), "utf-8")
        page.goto(plain.as_uri())
        assert sorted(drawn) == sorted(page.locator("g.box").evaluate_all(rects))


def test_copying_a_name(browser: Browser, tmp_path: Path) -> None:
    table = StackTable()
    page = browser.new_page(permissions=["clipboard-read", "clipboard-write"])
    show(page, tmp_path, example(table), table)
    page.locator(box(page, "medium")).hover()
    page.keyboard.press("c")
    page.wait_for_function("document.querySelector('#details').textContent.includes('copied')")
    assert page.evaluate("navigator.clipboard.readText()") == "medium"
    page.close()


def test_inside_a_page_it_draws_as_well(page: Page, tmp_path: Path) -> None:
    table = StackTable()
    text = write_svg(example(table), table, META).partition("?>")[2]
    file = tmp_path / "page.html"
    file.write_text(f"<!doctype html><meta charset=utf-8><p>report</p>{text}", "utf-8")
    page.goto(file.as_uri())
    page.locator(box(page, "medium")).click()
    assert names(page) == ["all", "_start", "main", "medium"]


def test_a_very_deep_stack(page: Page, tmp_path: Path) -> None:
    table = StackTable()
    deep = stack(table, *(f"f{n % 10}" for n in range(2000)))
    show(page, tmp_path, {deep: 1}, table)
    assert page.locator("g.box").count() == 2001
    # It opens at the root, which is at the bottom.
    assert page.evaluate("scrollY") > 1000
    root = "document.querySelector('g.box').getBoundingClientRect()"
    assert page.evaluate(f"0 < {root}.top && {root}.bottom < innerHeight")
