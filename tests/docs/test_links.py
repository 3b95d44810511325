"""Links between the pages lead somewhere, and no page tells of this machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, headings, pages, prose, translations

ALL = [*pages(), *(chinese for _, chinese in translations())]
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchor(heading: str) -> str:
    """What GitHub makes of a heading."""
    text = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
    return text.strip().replace(" ", "-")


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(prose(page)):
        if link.startswith(("http://", "https://")):
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        if fragment and target.suffix == ".md":
            assert fragment in {anchor(text) for _, text in headings(target)}, (
                f"{page.name}: {link}"
            )


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.name)
def test_nothing_of_this_machine(page: Path) -> None:
    text = page.read_text()
    assert str(ROOT) not in text
    assert not re.search(r"pip install (--upgrade )?kvtop\b", text)


def test_every_page_is_reachable() -> None:
    seen, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = (link.partition("#")[0] for link in _LINK.findall(prose(page)))
        todo += [(page.parent / link).resolve() for link in links if link and "://" not in link]
    assert set(ALL) <= seen
