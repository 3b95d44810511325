"""The page and the Markdown: valid, complete, and unmoved by hostile names."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from kvtop.layers_config import load_rules
from kvtop.profile.advice import Finding, Hot
from kvtop.report.blocks import Advice, Bars, Chart, Code, Line, Report, Section, Table, Text, Tile
from kvtop.report.compose import compose
from kvtop.report.html import write_html
from kvtop.report.markdown import write_markdown
from kvtop.report.source import open_material
from kvtop.report.words import number
from tests.export.test_svg import HOSTILE
from tests.report import made

CELL = re.compile(r"(?:\\[!-/:-@\[-`{-~]|[^|\\]|\\(?![!-/:-@\[-`{-~]))*\|")
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "nav"),
    *("footer", "article", "h1", "h2", "h3", "p", "a", "b", "span", "code", "pre", "ol", "ul"),
    *("li", "dl", "dt", "dd", "div", "table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("figure", "figcaption", "svg", "g", "line", "rect", "text", "polyline", "circle"),
    *("iframe", "script"),
}


class Page(HTMLParser):
    """Elements, attributes and texts of a page, and of the documents inside it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.inline: dict[str, list[str]] = {"style": [], "script": []}
        self.frames: list[str] = []
        self.words = ""
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._open = tag
        for name, value in attrs:
            self.attributes.append((tag, name, value or ""))
            if name == "srcdoc":
                self.frames.append(value or "")
        if tag in self.inline:
            self.inline[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open in self.inline:
            self.inline[self._open][-1] += data
        else:
            self.words += data


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    path = made.record(tmp_path_factory.mktemp("report") / "made.kvtop")
    return compose(open_material(str(path), load_rules(None, {})))


def hostile_report() -> Report:
    """Every text of every block is hostile."""
    nasty = " ".join(HOSTILE) + " ``` | \\| *x* _y_ [a](javascript:x) <!-- @all &amp; ~~z~~"
    finding = Finding(nasty, nasty, (nasty,), nasty, 0.5, (Hot(nasty, 0.5),))
    blocks = (
        Text(nasty),
        Text(nasty, quiet=True),
        Code((nasty, nasty)),
        Table((nasty, nasty), "lc", ((nasty, nasty), ("|", "`|`")), nasty, (0.5, 0.2)),
        Chart(nasty, nasty, number, (Line(nasty, ((0.0, 1.0), (1.0, 2.0))),), 0.0, 1.0),
        Bars(nasty, ((nasty, ((nasty, 1.0),)),), ((nasty, "layer-0"),)),
        Advice(finding, nasty),
    )  # fmt: skip
    tile = Tile(nasty, nasty, nasty)
    return Report(nasty, nasty, (nasty,), (tile,), (Section("x", nasty, blocks),), nasty, (nasty,))


def check_page(text: str) -> Page:
    page = Page(text)
    assert set(page.tags) <= ALLOWED
    assert not [a for a in page.attributes if a[1].startswith("on") or a[1] in ("src", "style")]
    assert all(v.startswith("#") for _, name, v in page.attributes if name == "href")
    assert page.tags.count("script") == 1 and page.tags.count("style") == 1
    return page


def test_hostile_texts_are_texts(report: Report) -> None:
    for one in (report, hostile_report()):
        page = check_page(write_html(one))
        assert "onerror" in page.words
    page = check_page(write_html(hostile_report()))
    assert "\x1b" not in page.words and "\u202e" not in page.words


def test_the_policy_names_exactly_what_is_in_the_page(report: Report) -> None:
    text = write_html(report)
    page = check_page(text)
    policy = next(v for tag, name, v in page.attributes if tag == "meta" and "default-src" in v)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy and "http" not in policy
    listed = set(re.findall(r"'sha256-([^']+)'", policy))
    needed = {kind: list(texts) for kind, texts in page.inline.items()}
    assert len(page.frames) == 3
    for frame in page.frames:
        for kind, inside in re.findall(r"<(style|script)>(.*?)</\1>", frame, re.DOTALL):
            needed[kind].append(inside.removeprefix("<![CDATA[").removesuffix("]]>"))
    hashes = {
        b64encode(sha256(one.encode()).digest()).decode()
        for texts in needed.values()
        for one in texts
    }
    assert hashes == listed


def test_nothing_is_fetched(report: Report) -> None:
    text = write_html(report)
    addresses = set(re.findall(r"https?://[^\s\"'&<]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml"}
    assert "@import" not in text and "url(" not in text


def test_markdown_has_no_markup_but_its_own(report: Report) -> None:
    for one in (report, hostile_report()):
        text = write_markdown(one)
        tokens = MarkdownIt("commonmark").enable("table").parse(text)
        inside = [child for token in tokens for child in token.children or ()]
        kinds = {token.type for token in (*tokens, *inside)}
        assert not kinds & {"html_block", "html_inline", "image", "link_open"}
        tables = [token.map for token in tokens if token.type == "table_open"]
        assert len(tables) == len(re.findall(r"^\| :?---", text, re.MULTILINE)) > 0
        lines = text.splitlines()
        for where in tables:
            assert where is not None
            # As cmark-gfm reads it: an escaped character, or anything but a bar.
            cells = {len(CELL.findall(line)) for line in lines[slice(*where)]}
            assert len(cells) == 1
    names = [child.content for token in tokens for child in token.children or ()]
    assert any("<script>window.pwned=1</script>" in name for name in names)


def test_markdown_has_the_figures_of_the_page(report: Report) -> None:
    text = write_markdown(report)
    page = Page(write_html(report)).words
    for part in report.sections:
        for block in part.blocks:
            if isinstance(block, Table):
                for row in block.rows:
                    plain = row[1].replace("\u00a0", " ")
                    assert row[1] in page
                    if plain.isalnum():
                        assert plain in text
    assert "995/s" in text and "995/s" in page


def test_empty_profile_texts_do_not_break_the_page(tmp_path: Path) -> None:
    file = tmp_path / "a.folded"
    file.write_text("main;;work 300\nmain 5\n")
    report = compose(open_material(str(file), load_rules(None, {})))
    check_page(write_html(report))
