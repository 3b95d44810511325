"""The examples do what they say."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def _load(name: str) -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(EXAMPLES / name)))


def test_the_core_elects_replicates_and_reads(capsys: pytest.CaptureFixture[str]) -> None:
    _load("raft_core.py").main()
    output = capsys.readouterr().out
    assert "leads in term 1" in output
    for node in range(3):
        assert f"node {node} applied ['x = 1', 'y = 2', 'x = 3']" in output
    assert "reads served: [42]" in output


async def test_rpc_answers_overtake_each_other() -> None:
    assert await _load("rpc_echo.py").main() == [
        "hello",
        "short",
        "long" * 25,
        "no answer within 0.1 s",
        "failed: no method 'unknown'",
    ]


async def test_requests_share_disk_writes() -> None:
    written, syncs = await _load("scheduling.py").main(20, 5)
    assert written == 100
    assert 5 <= syncs < 50


@pytest.mark.e2e
def test_the_clerk_writes_and_reads() -> None:
    assert _load("clerk.py").main() == [
        (b"colour", b"green"),
        (b"log", b"one,two"),
        (b"visits", b"5"),
    ]


def test_every_example_is_tested() -> None:
    tested = Path(__file__).read_text()
    for path in EXAMPLES.glob("*.py"):
        assert f'"{path.name}"' in tested
