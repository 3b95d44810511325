"""The commands of every page are executed, on a terminal, in the order of the page."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import Block, blocks, pages
from tests.docs.sandbox import sandbox

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("perf") is None, reason="needs perf"),
]


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run of the cluster: what pages take for granted by many names."""
    path = tmp_path_factory.mktemp("docs") / "out.kvtop"
    kvtop = Path(sys.executable).parent / "kvtop"
    subprocess.run(
        [kvtop, "run", "--duration", "4", "--record", path],
        check=True,
        timeout=90,
        stdout=subprocess.DEVNULL,
    )
    return path


@pytest.fixture(scope="session")
def perf_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A profile of a second."""
    path = tmp_path_factory.mktemp("docs") / "perf.data"
    subprocess.run(
        [
            *("perf", "record", "-q", "-g", "-F", "199", "-e", "cpu-clock", "-o", path),
            *("--", sys.executable, "-c", "for i in range(3_000_000): str(i)"),
        ],
        check=True,
        timeout=60,
    )
    return path


def _shell(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.is_shell]


def _execute(page: Path, tmp_path: Path, recording: Path, perf_data: Path) -> None:
    shell = _shell(page)
    text = "".join(block.text for block in shell)
    with sandbox(tmp_path, text, recording, perf_data) as place:
        for block in shell:
            if block.reason:
                continue
            if block.tag == "background":
                place.start(block.text)
                continue
            code, printed = place.run(block.text)
            assert code == 0, f"{block.where} ended with {code}:\n{block.text}\n{printed[-3000:]}"


FIRST = ("README.md", "guide.md")
"""Pages of every test run; the others are in `make test-all`."""
PAGES = [
    pytest.param(page, id=page.name, marks=() if page.name in FIRST else pytest.mark.slow)
    for page in pages()
    if any(not block.reason for block in _shell(page))
]


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_the_page(page: Path, tmp_path: Path, recording: Path, perf_data: Path) -> None:
    _execute(page, tmp_path, recording, perf_data)
