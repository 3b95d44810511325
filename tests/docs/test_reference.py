"""docs/reference.md says what kvtop's tables say."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from kvtop.cli import COMMANDS
from kvtop.options import OPTIONS
from tests.docs.pages import ROOT


def _generator() -> ModuleType:
    path = ROOT / "scripts" / "reference_docs.py"
    spec = importlib.util.spec_from_file_location("reference_docs", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_reference_is_up_to_date() -> None:
    module = _generator()
    text = module.PAGE.read_text()
    assert module.rewritten(text) == text, "run: python scripts/reference_docs.py"


def test_reference_has_every_option_and_command() -> None:
    text = (ROOT / "docs" / "reference.md").read_text()
    for option in OPTIONS:
        assert f"KVTOP_{option.name.upper()}" in text
    for name in COMMANDS:
        assert f"### kvtop {name}\n" in text
