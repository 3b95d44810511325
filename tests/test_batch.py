"""Reports without a screen: valid JSON, tables that fit, and text that cannot hurt a terminal."""

from __future__ import annotations

import json

import pytest

from kvtop.batch import format_report, make_report, print_reports
from kvtop.events import (
    CollectorStatus,
    Health,
    Marker,
    MarkerKind,
    NodeState,
    NodeStatus,
    Role,
    SampleBatch,
    StackSample,
    StressStats,
    Target,
    TargetsChanged,
)
from kvtop.profile.text import safe_text
from kvtop.run import _reports
from kvtop.store import Store
from tests.fake_session import FakeSession, config
from tests.widgets.made_up import fill, make_store

HOSTILE = "evil\x1b]0;owned\x07\x1b[2J\u202e\n\r\t[red]name"


def session(*argv: str, store: Store | None = None) -> FakeSession:
    return FakeSession(config("--batch", "--refresh", "0.1", *argv), store)


def hostile_store() -> Store:
    """A store in which every text that comes from outside is hostile."""
    store = make_store(has_cluster=True)
    table = store.table
    frames = [table.frame_id(f"main{HOSTILE}", f"/lib/{HOSTILE}"), table.frame_id(HOSTILE, HOSTILE)]
    stack = table.stack_id(frames)
    at = store.info.started
    for event in (
        TargetsChanged(at, (Target(HOSTILE, 1, Role.OTHER, HOSTILE),)),
        SampleBatch((StackSample(at, 1, 1, HOSTILE, "cpu-clock", 1, stack),)),
        NodeStatus(at, HOSTILE, 1, NodeState.UP, Role.LEADER, 1),
        CollectorStatus(at, "perf_record", Health.DEGRADED, f"perf said {HOSTILE}"),
        Marker(at, MarkerKind.NOTE, HOSTILE),
    ):
        store.apply(event)
    return store


def report_text(made: FakeSession) -> str:
    return format_report(make_report(made, made.config.window))


async def test_json_lines_are_one_object_each(capsys: pytest.CaptureFixture[str]) -> None:
    made = session("--json", "-n", "3")
    assert await print_reports(made, made.config) == 0
    lines = capsys.readouterr().out.splitlines()
    reports = [json.loads(line) for line in lines]
    assert len(reports) == 3
    for report in reports:
        assert [node["name"] for node in report["nodes"]] == ["node0", "node1", "node2"]
        assert report["leader"] == "node1"
        assert report["profile"]["hot_symbols"][0]["self_percent"] > 0
        shares = [spot["self_percent"] for spot in report["profile"]["hot_symbols"]]
        assert sum(shares) == pytest.approx(100, abs=0.1)
        not_there = [r for r in report["counters"] if r["event"] == "cycles"]
        assert not_there and all(r["value"] is None and not r["supported"] for r in not_there)


async def test_json_of_a_run_that_has_nothing_yet(capsys: pytest.CaptureFixture[str]) -> None:
    made = session("--json", "-n", "1", store=make_store())
    await print_reports(made, made.config)
    report = json.loads(capsys.readouterr().out)
    assert report["stress"] is None and report["leader"] is None
    assert report["profile"]["samples"] == 0 and report["profile"]["hot_symbols"] == []
    assert report["own"] is None


def test_tables_fit_100_columns() -> None:
    store = fill(make_store())
    huge = StressStats(
        1061.0, 0.5, 10**9, 10**9, 5 * 10**8, 5 * 10**8, 9.99, 99.9, 999.9, 64, 10**12, 10**12
    )
    store.apply(huge)
    store.apply(
        NodeStatus(1061.0, "node0", 4194304, NodeState.STARTING, Role.CANDIDATE, 99999,
                   commit=10**10, lag=10**6)
    )  # fmt: skip
    long = CollectorStatus(1061.0, "perf_stat", Health.DEGRADED, "word " * 60)
    store.apply(long)
    text = report_text(session(store=store))
    assert max(map(len, text.splitlines())) <= 100
    assert "candidate" in text and "node1" in text and "SkipList._find" in text


def test_a_table_says_which_collector_does_not_work() -> None:
    store = fill(make_store())
    reason = "perf is not there: install linux-perf."
    store.apply(CollectorStatus(1061.0, "perf_record", Health.UNAVAILABLE, reason))
    assert reason in report_text(session(store=store))


def test_hostile_names_are_harmless_in_tables() -> None:
    text = report_text(session(store=hostile_store()))
    assert "evil" in text
    assert all(character.isprintable() or character == "\n" for character in text)
    assert all(len(line) <= 100 for line in text.splitlines())


async def test_hostile_names_are_harmless_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    made = session("--json", "-n", "1", store=hostile_store())
    await print_reports(made, made.config)
    text = capsys.readouterr().out
    assert text.count("\n") == 1
    assert all(character.isprintable() for character in text.rstrip("\n"))
    (spot,) = [s for s in json.loads(text)["profile"]["hot_symbols"] if s["samples"]]
    assert spot["symbol"] == safe_text(HOSTILE)


async def test_it_ends_with_its_targets(capsys: pytest.CaptureFixture[str]) -> None:
    made = session("--json", "--attach", "4242")
    made.ended = True
    await print_reports(made, made.config)
    assert len(capsys.readouterr().out.splitlines()) == 1


async def test_it_ends_after_its_duration(capsys: pytest.CaptureFixture[str]) -> None:
    made = session("--json", "--duration", "0.1")
    await print_reports(made, made.config)
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize("flag", ["--json", "--batch"])
async def test_once_is_one_report_over_the_time_measured(
    capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    made = FakeSession(config("--once", flag, "--duration", "0.2", "-n", "7"))
    assert await print_reports(made, made.config) == 0
    out = capsys.readouterr().out
    if flag == "--json":
        assert json.loads(out)["profile"]["window"] == 0.2
    else:
        assert out.count("samples of") == 1
        assert "in 0.2 s" in out


async def test_once_does_not_wait_for_targets_that_have_exited(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = FakeSession(config("--once", "--duration", "1e6"))
    made.emit(TargetsChanged(made.store.info.started, ()))
    assert await print_reports(made, made.config) == 0
    assert "samples of" in capsys.readouterr().out


async def test_a_recording_that_fails_is_told_and_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    running = session("-n", "1")
    assert await _reports(running, running.config) == 0
    assert running.recorder is not None
    running.recorder.problem = "The recording into x ended early: No space left on device."
    assert await _reports(running, running.config) == 1
    assert capsys.readouterr().err == f"kvtop: {running.recorder.problem}\n"
