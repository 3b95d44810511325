"""``kvtop report`` as it is typed: what it writes where, and what it says when it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from kvtop.cli import main
from kvtop.events import (
    CollectorStatus,
    Event,
    Health,
    PipelineStats,
    ProcessUsage,
    Role,
    SampleBatch,
    StackSample,
    Target,
    TargetsChanged,
)
from kvtop.export.folded import write_folded
from kvtop.profile.stacks import StackTable
from kvtop.report.blocks import Table
from kvtop.report.compose import compose
from kvtop.report.history import History
from kvtop.report.html import write_html
from kvtop.report.markdown import write_markdown
from kvtop.report.source import open_material
from tests.profile.test_stacks import stack
from tests.recording.builders import STARTED, write
from tests.report import made


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return made.record(tmp_path / "made.kvtop")


def test_formats_and_names(recording: Path, tmp_path: Path) -> None:
    assert main(["report", str(recording)]) == 0
    page = recording.with_suffix(".html").read_text()
    assert page.startswith("<!doctype html>") and "39,800 operations" in page
    assert main(["report", str(recording), "--format", "markdown"]) == 0
    assert recording.with_suffix(".md").read_text().startswith("# ")
    named = tmp_path / "pr.md"
    assert main(["report", str(recording), "-o", str(named), "--title", "Before *"]) == 0
    assert named.read_text().startswith("# Before \\*\n")


def test_standard_output(recording: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["report", str(recording), "-o", "-", "--format", "markdown"]) == 0
    assert b"39,800 operations" in capsysbinary.readouterr().out


def test_own_rules_of_layers(recording: Path, tmp_path: Path) -> None:
    rules = tmp_path / "layers.toml"
    rules.write_text("[[rule]]\nlayer = 'wire'\nsymbol = '^tcp_sendmsg$'\n")
    out = tmp_path / "out.md"
    assert main(["report", str(recording), "-o", str(out), "--layers", str(rules)]) == 0
    assert "| wire | 51.5 %" in out.read_text()


def test_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "none")]) == 2
    assert "No such file" in capsys.readouterr().err
    (tmp_path / "odd").write_bytes(b"\0\1\2")
    assert main(["report", str(tmp_path / "odd"), "-o", str(tmp_path / "x.html")]) == 2
    assert not (tmp_path / "x.html").exists()
    page = tmp_path / "page.html"
    page.write_text("a;b 1\n")
    assert main(["report", str(page)]) == 2
    assert "-o FILE" in capsys.readouterr().err
    assert page.read_text() == "a;b 1\n"


def test_a_file_that_cannot_be_written(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(recording), "-o", str(recording / "x.html")]) == 1
    assert "cannot write" in capsys.readouterr().err


def test_a_recording_that_was_cut_off_says_so(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.kvtop"
    cut.write_bytes(recording.read_bytes()[:-200])
    out = tmp_path / "cut.md"
    assert main(["report", str(cut), "-o", str(out)]) == 0
    assert "cut off" in out.read_text() and "cut off" in capsys.readouterr().err


def test_a_profile_has_less_to_tell(tmp_path: Path) -> None:
    table = StackTable()
    counts = {stack(table, "_start", "main", "hot"): 300, stack(table, "_start", "main"): 100}
    file = tmp_path / "a.folded"
    file.write_text(write_folded(counts, table))
    report = compose(open_material(str(file), ()))
    sections = {part.id for part in report.sections}
    assert sections == {"ran", "method", "hot", "layers", "findings", "flames", "again"}
    assert any("left out" in sentence for sentence in report.left_out)
    assert "a.folded holds 400 samples" in report.summary[0]
    hot = next(part for part in report.sections if part.id == "hot").blocks[1]
    assert isinstance(hot, Table) and hot.rows[0][0] == "75.0\u00a0%"


def test_samples_with_times_are_compared_by_halves(tmp_path: Path) -> None:
    lines = []
    for at in range(400):
        symbol = "early" if at < 200 else "late"
        lines.append(
            f"prog 10/10 {100 + at / 100:.6f}: 10000000 cpu-clock: \n"
            f"\t00000001 {symbol}+0x1 (/bin/prog)\n\t00000002 main+0x2 (/bin/prog)\n"
            "\t00000003 _start+0x1 (/bin/prog)\n\n"
        )
    file = tmp_path / "perf.txt"
    file.write_text("".join(lines))
    report = compose(open_material(str(file), ()))
    flames = next(part for part in report.sections if part.id == "flames").blocks
    titles = [block.title for block in flames if hasattr(block, "title")]
    assert titles == ["On the CPU", "Second half against first half"]
    changes = flames[-1]
    assert isinstance(changes, Table)
    rows = {row[0]: row[1:3] for row in changes.rows}
    assert rows == {"early": ("100.0\u00a0%", "0.0\u00a0%"), "late": ("0.0\u00a0%", "100.0\u00a0%")}


def test_an_empty_recording_and_one_of_a_process(tmp_path: Path) -> None:
    table = StackTable()
    empty = write(tmp_path / "empty.kvtop", [], table)
    report = compose(open_material(str(empty), ()))
    assert {part.id for part in report.sections} == {"ran", "target", "method", "findings", "again"}
    assert "holds no samples" in report.left_out[0]
    assert write_html(report) and write_markdown(report)

    hot = stack(table, "_start", "main", "hot")
    samples = tuple(
        StackSample(STARTED + n / 100, 7, 7, "prog", "cpu-clock", 10**7, hot) for n in range(300)
    )
    events: list[Event] = [
        TargetsChanged(STARTED, (Target("prog(7)", 7, Role.OTHER, "prog --now"),)),
        SampleBatch(samples),
        PipelineStats(STARTED + 3, 300, 0, 0, 0, 0.1, "cpu-clock", 100, "fp"),
        ProcessUsage(STARTED, "prog(7)", 7, None, 1 << 20, 1, "S"),
        ProcessUsage(STARTED + 2, "prog(7)", 7, 50.0, 1 << 20, 1, "S"),
    ]
    one = write(tmp_path / "one.kvtop", events, table)
    report = compose(open_material(str(one), ()))
    said = " ".join(report.summary)
    assert (
        "1 process was recorded for 3" in said and "process used 0.5 CPU seconds a second." in said
    )
    assert "hot, has 100.0\u00a0%" in said and "perf lost none" in said
    assert [tile.name for tile in report.tiles] == ["CPU", "Samples"]
    flames = next(part for part in report.sections if part.id == "flames").blocks
    assert [getattr(block, "title", "") for block in flames][:2] == [
        "On the CPU",
        "Second half against first half",
    ]


def test_samples_that_began_anew_are_counted_on(tmp_path: Path) -> None:
    def stats(at: float, samples: int, lost: int) -> PipelineStats:
        return PipelineStats(STARTED + at, samples, lost, 0, 0, 0.1, "cpu-clock", 99, "fp")

    history = History()
    for event in (stats(1, 50, 1), stats(2, 100, 2), stats(3, 10, 0), stats(4, 30, 3)):
        history.add(event)
    assert (history.stream.samples, history.stream.lost, history.stream.streams) == (130, 5, 2)


def test_troubles_have_their_time() -> None:
    history = History()
    for at, health in ((0, Health.STARTING), (1, Health.DEGRADED), (4, Health.OK)):
        reason = "no node answers" if health is Health.DEGRADED else ""
        history.add(CollectorStatus(at, "cluster", health, reason))
    history.add(CollectorStatus(2, "perf_stat", Health.UNAVAILABLE, "not allowed"))
    found = [(one.collector, one.start, one.end, one.whole) for one in history.troubles(9.0)]
    assert found == [("cluster", 1, 4, False), ("perf_stat", 2, 9.0, True)]


def test_the_interpreter_without_python_functions_is_a_program_like_others(tmp_path: Path) -> None:
    file = tmp_path / "a.folded"
    nameless = "python3;_start;main;[unknown]"
    file.write_text(
        f"{nameless};_PyEval_EvalFrameDefault 300\n{nameless} 50\nother;_start;tiny 4\n"
    )
    report = compose(open_material(str(file), ()))
    hot = next(part for part in report.sections if part.id == "hot").blocks
    functions = hot[1]
    assert isinstance(functions, Table)
    assert [row[4] for row in functions.rows][:2] == ["_PyEval_EvalFrameDefault", "[unknown]"]
    assert "function, _PyEval_EvalFrameDefault, has 84.7" in " ".join(report.summary)
