"""``kvtop diff`` on files whose difference is known: what it says, writes and returns."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from kvtop.cli import main
from tests.compare.made import Made, slower

BEFORE = "_start;main;serve;encode 4000\n_start;main;serve;decode 3000\n_start;main;wait 3000\n"
AFTER = (
    "_start;main;serve;encode 4500\n_start;main;batch;encode 500\n"
    "_start;main;serve;decode 3000\n_start;main;wait 3010\n"
)


@pytest.fixture
def folded(tmp_path: Path) -> tuple[str, str]:
    one, two = tmp_path / "a.folded", tmp_path / "b.folded"
    one.write_text(BEFORE)
    two.write_text(AFTER)
    return str(one), str(two)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two of the same build, and one whose encode is 10 % slower."""
    directory = tmp_path_factory.mktemp("recordings")
    found = {}
    for name, seed in (("a", 1), ("a2", 2), ("a3", 3), ("b", 4), ("b2", 5)):
        made = Made(seed)
        if name.startswith("b"):
            made = Made(seed, costs=slower(made.costs, "encode", 0.5))
        found[name] = str(made.write(directory / f"{name}.kvtop"))
    return found


def data(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, dict[str, Any]]:
    code = main(["diff", *argv, "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


def test_folded_files_name_the_function_and_its_paths(
    folded: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = data(capsys, *folded, "--fail-on", "self:encode>2pp")
    assert code == 1 and found["failed"] and found["function_basis"] == "share"
    ((guilty,),) = (c["guilty"] for c in found["conditions"])
    assert guilty["symbol"] == "encode"
    assert [p["frames"] for p in guilty["paths"]] == [
        ["_start", "main", "batch", "encode"],
        ["_start", "main", "serve", "encode"],
    ]
    assert guilty["change"] == pytest.approx(5000 / 11010 - 0.4)
    assert sum(p["change"] for p in guilty["paths"]) == pytest.approx(guilty["change"])
    by_name = {f["symbol"]: f for f in found["functions"]}
    assert by_name["encode"]["self"]["significant"]
    assert not by_name["main"]["total"]["significant"]


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("self:encode>2pp", 1),
        ("self:encode>10pp", 0),
        ("self:encode>10%", 1),
        ("total:serve>2pp", 0),
        ("self:decode<-2pp", 1),
        ("self:encode<-2pp", 0),
        ("self:encode|decode>5pp", 0),
    ],
)
def test_exit_codes(folded: tuple[str, str], condition: str, code: int) -> None:
    assert main(["diff", *folded, "--fail-on", condition]) == code


@pytest.mark.parametrize(
    "argv",
    [
        ["--fail-on", "cpu/op>5%"],
        ["--fail-on", "self:nothing>5%"],
        ["--fail-on", "nonsense"],
        ["--fail-on", "self:(>5%"],
        ["--confidence", "100"],
        ["--by", "operation"],
        ["--skip", "3"],
        ["--target", "node*"],
        ["--rows", "0"],
    ],
)
def test_what_cannot_be_judged_is_one_line_and_exit_code_2(
    folded: tuple[str, str], argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", *folded, *argv]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("kvtop: ") and said.err.count("\n") == 1


def test_missing_files_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "torn.kvtop").write_bytes(b"\x1f\x8b\x08\x00")
    for name in ("none.kvtop", "torn.kvtop", "a,,b"):
        assert main(["diff", str(tmp_path / name), "-"]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_small_changes_of_few_samples_are_noise(tmp_path: Path) -> None:
    one, two = tmp_path / "a.folded", tmp_path / "b.folded"
    one.write_text("main;f 50\nmain;g 50\n")
    two.write_text("main;f 60\nmain;g 50\n")
    assert main(["diff", str(one), str(two), "--fail-on", "self:f>1%"]) == 0


def test_a_slower_function_of_a_recording_is_named(
    recordings: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = data(
        capsys, recordings["a"], recordings["b"], "--fail-on", "cpu/op>5%", "--fail-on", "p99>10%"
    )
    assert code == 1
    cpu, p99 = found["conditions"]
    assert cpu["failed"] and not p99["failed"]
    assert cpu["change"] == pytest.approx(0.125, abs=0.02)  # 100 of 800 us
    assert [g["symbol"] for g in cpu["guilty"]] == ["encode"]
    assert cpu["guilty"][0]["change"] == pytest.approx(100e-6, rel=0.25)
    assert cpu["guilty"][0]["paths"][0]["frames"] == ["_start", "main", "serve", "encode"]
    figures = {f["name"]: f for f in found["figures"]}
    assert figures["ops/s"]["before"]["value"] == pytest.approx(1000, rel=0.03)
    assert figures["p99"]["before"]["value"] == pytest.approx(0.01, rel=0.03)
    assert figures["cpu/op"]["before"]["value"] == pytest.approx(800e-6, rel=0.02)
    assert figures["cpu"]["before"]["value"] == pytest.approx(0.8, rel=0.05)
    assert figures["context-switches/op"]["before"]["value"] == pytest.approx(4.0, rel=0.02)
    assert not figures["ops/s"]["significant"]
    assert figures["cpu/op"]["low"] < 0.125 < figures["cpu/op"]["high"]
    own = {f["symbol"]: f["self"] for f in found["functions"]}
    assert own["encode"]["before"]["rate"] == pytest.approx(200e-6, rel=0.1)
    # Its share of others fell; by operation they are as they were.
    assert not own["insert"]["significant"]


def test_two_recordings_of_the_same_build_hold(recordings: dict[str, str]) -> None:
    conditions = ("cpu/op>0%", "ops/s<0%", "p99>0%", "self:encode>0%", "total:serve>0pp")
    argv = [part for c in conditions for part in ("--fail-on", c)]
    assert main(["diff", recordings["a"], recordings["a2"], *argv]) == 0


def test_repeated_runs_are_the_units(
    recordings: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    same = ",".join(recordings[n] for n in ("a", "a2", "a3"))
    other = ",".join(recordings[n] for n in ("b", "b2"))
    code, found = data(capsys, same, other, "--fail-on", "cpu/op>5%")
    assert code == 1 and found["units"] == "runs"
    assert [f["before"]["units"] for f in found["figures"]] == [3] * len(found["figures"])
    code, found = data(capsys, same, recordings["b"], "--fail-on", "cpu/op>5%")
    assert code == 1 and any("one side has one run" in note for note in found["notes"])


def test_targets_limit_counters_and_samples(
    recordings: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    _, whole = data(capsys, recordings["a"], recordings["b"])
    _, node = data(capsys, recordings["a"], recordings["b"], "--target", "node*")

    def cpu(found: dict[str, Any]) -> float:
        return next(f["before"]["value"] for f in found["figures"] if f["name"] == "cpu/op")

    assert cpu(node) == pytest.approx(cpu(whole) / 2, rel=0.01)
    assert node["before"][0]["weight"] < 0.6 * whole["before"][0]["weight"]


def test_skip_leaves_out_the_start(
    recordings: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    _, found = data(capsys, recordings["a"], recordings["b"], "--skip", "10")
    assert found["before"][0]["seconds"] == pytest.approx(30, abs=0.5)
    assert main(["diff", recordings["a"], recordings["b"], "--skip", "1000"]) == 2


def test_short_recordings_cannot_be_judged_by_their_figures(tmp_path: Path) -> None:
    one, two = (str(Made(s, seconds=5).write(tmp_path / f"{s}.kvtop")) for s in (1, 2))
    assert main(["diff", one, two]) == 0
    assert main(["diff", one, two, "--fail-on", "ops/s<-5%"]) == 2
    assert main(["diff", one, two, "--fail-on", "self:encode>50%"]) == 0


def test_every_format_is_written_by_the_name(
    recordings: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for end in ("md", "svg", "json", "txt"):
        out = tmp_path / f"out.{end}"
        assert main(["diff", recordings["a"], recordings["b"], "-o", str(out)]) == 0
        assert capsys.readouterr().out == ""
    text = (tmp_path / "out.txt").read_text()
    assert "cpu/op" in text and "worse" in text and "encode" in text
    assert max(map(len, text.splitlines())) <= 110
    markdown = (tmp_path / "out.md").read_text()
    assert "| cpu/op |" in markdown and "**worse**" in markdown
    root = ET.fromstring((tmp_path / "out.svg").read_text())
    assert any("more" in (e.get("class") or "") for e in root.iter())
    assert main(["diff", recordings["a"], recordings["b"], "-o", "/nowhere/x.md"]) == 1


def test_hostile_names_do_no_harm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = tmp_path / "a.folded", tmp_path / "b.folded"
    one.write_text("main;f 1000\nmain;a`|<b>\x1b[31m 100\n")
    two.write_text("main;f 1000\nmain;a`|<b>\x1b[31m 900\n")
    assert main(["diff", str(one), str(two), "--format", "markdown"]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    rows = [line for line in text.splitlines() if line.startswith("| `a")]
    assert rows and all(row.count("|") == 7 for row in rows)
    assert main(["diff", str(one), str(two)]) == 0
    assert "\x1b" not in capsys.readouterr().out
