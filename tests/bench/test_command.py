"""The command: its exit codes, its files, and one benchmark for real."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pyperf
import pytest

from kvtop.bench.running import every_name, names_of
from kvtop.bench.system import advice_of
from kvtop.cli import main
from tests.bench.made import file, values

QUICK = ["--processes", "2", "--values", "2", "--warmups", "0", "--loops", "16"]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    return file(tmp_path / "base.json", {"same": values(1e-6, 1), "slow": values(1e-6, 2)})


@pytest.fixture
def now(tmp_path: Path) -> Path:
    return file(tmp_path / "now.json", {"same": values(1e-6, 3), "slow": values(1.2e-6, 4)})


def bench(*words: str | Path) -> int:
    return main(["bench", *map(str, words)])


def test_one_for_real_and_pyperf_reads_it(tmp_path: Path, capfd: Capture) -> None:
    kept, again = tmp_path / "kept.json", tmp_path / "again.json"
    assert bench("codec.frame", "-q", *QUICK, "-o", again, "--save-baseline", kept) == 0
    assert "codec.frame: Mean" in capfd.readouterr().out
    (measured,) = pyperf.BenchmarkSuite.load(str(kept))
    assert measured.get_nvalue() == 4
    metadata = measured.get_metadata()
    assert metadata["description"] == "an RPC frame, cut and packed"
    assert metadata["kvtop_version"] and metadata["cpu_count"]
    compared = subprocess.run(
        [sys.executable, "-m", "pyperf", "compare_to", str(kept), str(again)],
        capture_output=True,
        text=True,
    )
    assert compared.returncode == 0, compared.stderr
    assert "codec.frame" in compared.stdout
    # The very same figures: nothing is slower, however little is allowed.
    assert bench("--from", again, "--baseline", kept, "--fail-on", "0%") == 0


@pytest.mark.parametrize("cpus", ["x", "1-", "-1", "2-1", "0,99999", "", "0-99999"])
def test_cpus_that_do_not_exist_are_told_at_once(cpus: str, capfd: Capture) -> None:
    assert bench("codec.frame", f"--affinity={cpus}") == 2
    error = capfd.readouterr().err
    assert "--affinity" in error and error.count("\n") == 1


def test_slower_than_allowed_is_named_and_fails(baseline: Path, now: Path, capfd: Capture) -> None:
    assert bench("--from", now, "--baseline", baseline, "--fail-on", "5%") == 1
    printed = capfd.readouterr()
    assert "slow is 1.2" in printed.err and "more than 5 %" in printed.err
    assert "same is" not in printed.err
    assert "Geometric mean" in printed.out


def test_what_is_allowed_does_not_fail(baseline: Path, now: Path) -> None:
    assert bench("--from", now, "--baseline", baseline) == 0
    assert bench("--from", now, "--baseline", baseline, "--fail-on", "50") == 0


def test_too_few_values_are_told(tmp_path: Path, capfd: Capture) -> None:
    one = file(tmp_path / "one.json", {"a": [1.0]})
    two = file(tmp_path / "two.json", {"a": [2.0]})
    assert bench("--from", two, "--baseline", one, "--fail-on", "5%") == 0
    assert "too few values to tell" in capfd.readouterr().err


def test_another_machine_is_told(tmp_path: Path, now: Path, capfd: Capture) -> None:
    other = file(tmp_path / "other.json", {"same": values(1e-6, 1)}, cpu_model_name="another CPU")
    assert bench("--from", now, "--baseline", other) == 0
    assert "another machine" in capfd.readouterr().err


def test_the_baseline_without_a_name(
    now: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert bench("--baseline", "--from", now) == 2
    assert bench("--from", now, "--save-baseline") == 0
    assert (tmp_path / "data/kvtop/bench/baseline.json").exists()
    assert bench("--from", now, "--baseline", "--fail-on", "1%") == 0


def test_a_compressed_file(now: Path, tmp_path: Path) -> None:
    assert bench("--from", now, "-o", tmp_path / "now.json.gz") == 0
    assert len(pyperf.BenchmarkSuite.load(str(tmp_path / "now.json.gz"))) == 2


def test_list(capfd: Capture) -> None:
    assert bench("--list", "--macro") == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == every_name()
    assert bench("--list", "skiplist") == 0
    assert all(line.startswith("skiplist.") for line in capfd.readouterr().out.splitlines())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["skiplst"], "did you mean skiplist?"),
        (["nothing-like-it"], "kvtop bench --list"),
        (["--baseline", "skiplist"], "write names before it"),
        (["--save-baseline", "wal.sync"], "write names before it"),
        (["--fail-on", "5%"], "--fail-on needs --baseline"),
        (["--fail-on", "much", "--baseline"], "'much' is no percentage"),
        (["--from", "now.json", "skiplist"], "--from runs nothing"),
        (["--profile-dir", "there"], "needs --profile"),
        (["--from", "/nonexistent.json"], "there is no file"),
        (["--from", "/etc/passwd"], "no file of pyperf's"),
        (["--fast", "--rigorous"], "not allowed with"),
        (["--processes", "0"], "must be 1 or more"),
    ],
)
def test_mistakes_are_told(words: list[str], told: str, capfd: Capture) -> None:
    assert bench(*words) == 2
    assert told in capfd.readouterr().err


@pytest.mark.parametrize("text", ["[]", "{}", '{"version": "1.0", "benchmarks": 3}', "", "\0\0"])
def test_a_file_that_is_none(text: str, tmp_path: Path, now: Path) -> None:
    path = tmp_path / "none.json"
    path.write_text(text)
    assert bench("--from", now, "--baseline", path) == 2


def test_a_benchmark_that_fails_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    from kvtop.bench import running
    from tests.bench.made import benchmark

    def one(name: str, effort: running.Effort) -> pyperf.Benchmark:
        if name == "codec.frame":
            raise running.BenchFailed(f"{name} ended with code 1")
        return benchmark(name, [1.0, 2.0])

    monkeypatch.setattr(running, "run_one", one)
    assert bench("codec", "-q", "-o", tmp_path / "some.json") == 1
    assert "codec.frame ended with code 1" in capfd.readouterr().err
    names = pyperf.BenchmarkSuite.load(str(tmp_path / "some.json")).get_benchmark_names()
    assert names == ["codec.entry", "codec.append"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_between_keeps_what_was_measured(
    number: signal.Signals,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    from kvtop.bench import running
    from tests.bench.made import benchmark

    def one(name: str, effort: running.Effort) -> pyperf.Benchmark:
        if name == "codec.entry":
            signal.raise_signal(number)
        return benchmark(name, [1.0, 2.0])

    monkeypatch.setattr(running, "run_one", one)
    # A shell starts what runs in its background with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    kept = tmp_path / "kept.json"
    words = ["codec", "-q", "-o", tmp_path / "part.json", "--save-baseline", kept]
    if number == signal.SIGINT:
        assert bench(*words) == 130
    else:
        with pytest.raises(SystemExit, match="143"):
            bench(*words)
    names = pyperf.BenchmarkSuite.load(str(tmp_path / "part.json")).get_benchmark_names()
    assert names == ["codec.frame"]
    assert not kept.exists()


def test_names_groups_and_globs() -> None:
    assert names_of(["wal"], False) == ["wal.encode", "wal.sync", "wal.replay"]
    assert names_of(["*.30s", "skiplist.get"], False) == ["skiplist.get", "fold.30s"]
    assert names_of(["cluster"], False) == names_of(["cluster.*"], False)
    assert not [name for name in names_of([], False) if name.startswith("cluster.")]
    assert names_of([], True) == every_name()
    with pytest.raises(KeyError):
        names_of(["skiplist.get", "wall"], False)


def test_advice_of_pyperf() -> None:
    text = """\
System state
============

CPU: use 2 logical CPUs: 0-1

Advices
=======

Perf event: Set max sample rate to 1
CPU Frequency: Use performance governor

Warnings
========

Turbo Boost (MSR): Failed to read MSR
"""
    assert list(advice_of(text)) == ["CPU Frequency: Use performance governor"]
    assert list(advice_of("OK! System ready for benchmarking")) == []
