"""Real profiles of a program with planted work: the slower function is found, noise is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e
SOURCE = Path(__file__).parents[1] / "fixtures" / "planted.c"
ROUNDS = 2500


@pytest.fixture(scope="module")
def profiles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """perf.data of the same work twice, and of two thirds more in encode."""
    directory = tmp_path_factory.mktemp("planted")
    program = directory / "planted"
    # At -O0 leaf functions have frames of their own, too.
    subprocess.run(["gcc", "-O0", "-o", program, SOURCE], check=True, timeout=60)
    found = {}
    for name, percent in (("one", 0), ("two", 0), ("slow", 66)):
        found[name] = directory / f"{name}.data"
        perf = ["perf", "record", "-q", "-e", "cpu-clock:u", "-F", "999", "-g", "-o", found[name]]
        subprocess.run([*perf, program, str(ROUNDS), str(percent)], check=True, timeout=60)
    return found


def diff(*argv: str | Path) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "kvtop", "diff", *map(str, argv), "--format", "json"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_planted_work_is_named_with_its_path(profiles: dict[str, Path]) -> None:
    code, found = diff(profiles["one"], profiles["slow"], "--fail-on", "self:encode>2pp")
    assert code == 1
    # 49.8 of 119.8 instead of 30 of 100.
    assert found["conditions"][0]["change"] == pytest.approx(49.8 / 119.8 - 0.3, abs=0.05)
    assert [g["symbol"] for g in found["gained"]] == ["encode"]
    assert found["gained"][0]["paths"][0]["frames"][-3:] == ["main", "serve", "encode"]


def test_the_same_work_holds(profiles: dict[str, Path]) -> None:
    argv = [part for f in ("apply", "encode", "insert") for part in ("--fail-on", f"self:{f}>6pp")]
    code, _ = diff(profiles["one"], profiles["two"], *argv)
    assert code == 0
