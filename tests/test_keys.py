"""The one table of keys: no key twice, and the README shows it as it is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from kvtop.keys import KEYS, keys_for, markdown_table


def test_no_key_has_two_actions() -> None:
    assert [key for key, n in Counter(key.key for key in KEYS).items() if n > 1] == []


def test_attach_runs_have_no_cluster_keys() -> None:
    assert not any(key.cluster for key in keys_for(has_cluster=False))
    assert keys_for(has_cluster=True) == KEYS


def test_readme_lists_the_keys() -> None:
    readme = Path(__file__).parent.parent / "README.md"
    assert markdown_table() in readme.read_text()
