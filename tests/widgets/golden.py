"""Screens as text (or SVG) compared with files beside the tests.

Set ``KVTOP_UPDATE_GOLDENS=1`` to write them anew, then read the diff.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_HERE = Path(__file__).parent / "goldens"


def check(name: str, text: str) -> None:
    """Fail with a readable diff where the text is not what the file holds."""
    path = _HERE / name
    if os.environ.get("KVTOP_UPDATE_GOLDENS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    expected = path.read_text(encoding="utf-8").rstrip("\n")
    assert text.rstrip("\n").splitlines() == expected.splitlines()


def steady_svg(svg: str) -> str:
    """An exported screenshot without what differs from run to run."""
    return re.sub(r"terminal-\d+", "terminal", svg)
