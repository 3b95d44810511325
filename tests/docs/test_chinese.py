"""The Chinese pages have the headings, the commands and the links of the English ones."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.docs.pages import Block, blocks, headings, prose, translations

PAIRS = translations()
_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_ROW = re.compile(r"^\|.*\|$", re.MULTILINE)


def test_both_pages_exist() -> None:
    assert {english.name for english, _ in PAIRS} == {"README.md", "guide.md"}


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=lambda page: page.name)
def test_same_headings(english: Path, chinese: Path) -> None:
    assert [level for level, _ in headings(english)] == [level for level, _ in headings(chinese)]


def _without_comments(block: Block) -> tuple[str, str]:
    text = re.sub(r"(^|\s+)# .*$", "", block.text, flags=re.MULTILINE)
    return block.info, text if block.is_shell else ""


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=lambda page: page.name)
def test_same_commands(english: Path, chinese: Path) -> None:
    """Comments and drawings are translated; what is typed is the same."""
    before = [_without_comments(block) for block in blocks(english)]
    assert before == [_without_comments(block) for block in blocks(chinese)]


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=lambda page: page.name)
def test_same_keys_options_and_names(english: Path, chinese: Path) -> None:
    """Code in running text: keys to press, options, functions, files. Tables row by row."""
    before, after = (Counter(_CODE.findall(prose(page))) for page in (english, chinese))
    assert set(before) == set(after)
    assert len(_ROW.findall(prose(english))) == len(_ROW.findall(prose(chinese)))


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=lambda page: page.name)
def test_it_is_chinese(english: Path, chinese: Path) -> None:
    assert english.exists()
    assert len(re.findall(r"[\u4e00-\u9fff]", prose(chinese))) > 1000
