"""The page in a real browser: its policy, its flamegraphs, light and dark, a phone, and paper."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, sync_playwright

from kvtop.layers_config import load_rules
from kvtop.report.compose import compose
from kvtop.report.html import write_html
from kvtop.report.source import open_material
from tests.export.test_svg_browser import CHROMIUM, FLAGS
from tests.report import made

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    path = made.record(folder / "made.kvtop")
    page = folder / "report.html"
    page.write_text(write_html(compose(open_material(str(path), load_rules(None, {})))), "utf-8")
    return page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, file: Path) -> Iterator[Page]:
    """The report; anything on the console, and any request but for the file, fails the test."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    said: list[str] = []
    requests: list[str] = []
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("console", lambda message: said.append(message.text))
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto(file.as_uri())
    yield opened
    opened.close()
    assert said == []
    assert requests == [file.as_uri()]


def graph(page: Page, number: int) -> FrameLocator:
    return page.frame_locator(f"iframe >> nth={number}")


def test_every_flamegraph_zooms_and_searches(page: Page) -> None:
    assert page.locator("iframe").count() == 3
    for number, symbol in enumerate(("json_encode", "do_futex", "json_encode")):
        one = graph(page, number)
        boxes = one.locator("g.box")
        boxes.first.wait_for()
        before = boxes.count()
        one.locator("#search").fill(symbol[:6])
        one.locator("g.box.hit").first.wait_for()
        assert "matched" in (one.locator("#matched").text_content() or "")
        box = one.locator("g.box.hit").first
        box.click()
        assert box.locator("rect").evaluate("e => e.getBBox().width") > 800
        one.locator("#reset").click()
        assert boxes.count() == before
    # Keys of one are not those of another.
    assert graph(page, 0).locator("#search").input_value() == ""


def test_frames_are_as_tall_as_their_graphs_and_fit_the_page(page: Page) -> None:
    for width in (1280, 390, 360):
        page.set_viewport_size({"width": width, "height": 800})
        for number in range(3):
            svg = graph(page, number).locator("svg.kvtop")
            page.wait_for_function(
                """n => { const frame = document.querySelectorAll("iframe")[n];
                  const svg = frame.contentDocument.querySelector("svg.kvtop");
                  return svg && Number(frame.height) === Number(svg.getAttribute("height")) + 2
                    && Number(svg.getAttribute("width")) <= frame.clientWidth; }""",
                arg=number,
            )
            assert svg.count() == 1
            # Nothing of the toolbar is cut off, or lies over something else of it.
            tools = svg.locator("#tools .button, #search")
            boxes = tools.evaluate_all(
                "all => all.map(e => e.getBoundingClientRect()).map(b => [b.left, b.top, b.right])"
            )
            assert all(right <= width - 32 for _, _, right in boxes)
            rows = sorted((top, left, right) for left, top, right in boxes)
            assert all(a[0] < b[0] - 20 or a[2] < b[1] for a, b in pairwise(rows))
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_light_dark_and_narrow(page: Page) -> None:
    def shade(where: str, what: str) -> int:
        style = f"e => getComputedStyle(e).{what}.match(/[0-9.]+/g).slice(0, 3).map(Number)"
        return int(sum(page.locator(where).first.evaluate(style)))

    page.emulate_media(color_scheme="light")
    assert shade("body", "backgroundColor") > 700 > 200 > shade("body", "color")
    page.emulate_media(color_scheme="dark")
    assert shade("body", "backgroundColor") < 120 and shade("body", "color") > 600
    assert shade(".tick", "fill") > 400
    back = graph(page, 0).locator(".back").first
    assert "23, 24, 28" in back.evaluate("e => getComputedStyle(e).fill")
    assert page.locator(".on-wide").first.is_visible()
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.locator(".on-narrow").first.is_visible()
    assert not page.locator(".on-wide").first.is_visible()


def test_hostile_names_do_nothing_and_are_shown(page: Page) -> None:
    assert made.HOSTILE in (page.locator("h1").text_content() or "")
    assert page.locator("img").count() == 0
    assert page.locator("code", has_text="onerror=alert").count() >= 2
    one = graph(page, 0)
    one.locator("g.box").first.wait_for()
    assert one.locator("img, image").count() == 0


def test_the_policy_keeps_foreign_scripts_out(browser: Browser, file: Path, tmp_path: Path) -> None:
    page = browser.new_page()
    broken = tmp_path / "broken.html"
    bad = "<script>window.pwned = 1</script><img src='https://example.invalid/x.png'>"
    broken.write_text(file.read_text("utf-8").replace("<main>", f"<main>{bad}"), "utf-8")
    requests: list[str] = []
    page.on("requestfinished", lambda request: requests.append(request.url))
    page.goto(broken.as_uri())
    assert page.evaluate("window.pwned") is None
    assert requests == [broken.as_uri()]
    page.close()


def test_on_paper_all_is_there(page: Page) -> None:
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    for number in range(3):
        graph(page, number).locator("g.box").first.wait_for()
    assert len(page.pdf(format="A4")) > 20_000
