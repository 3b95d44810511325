"""A sample of the seeds that ``make sim`` runs, and that a seed decides everything."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.sim.__main__ import main
from tests.sim.cluster import Cluster
from tests.sim.invariants import ALL, Violation
from tests.sim.invariants.leader_append_only import LeaderAppendOnly
from tests.sim.planted import TermNotPersisted
from tests.sim.runner import simulate

_SEEDS = 200
_BATCH = 25


@pytest.mark.parametrize("first", range(0, _SEEDS, _BATCH))
def test_seeds(first: int, record_property: Callable[[str, object], None]) -> None:
    reports = [simulate(seed) for seed in range(first, first + _BATCH)]
    assert not any(report.undecided for report in reports)
    operations = sum(report.operations for report in reports)
    faults = sum(report.faults.total() for report in reports)
    seeds = f"simulated seeds {first}..{first + _BATCH - 1}"
    # What was simulated belongs in the log of every run.
    record_property("measured", f"{seeds}: {operations} operations, {faults} faults, none failed")


def test_the_sample_has_all_faults_and_messages() -> None:
    faults: Counter[str] = Counter()
    messages: Counter[str] = Counter()
    for seed in range(1_000, 1_020):
        report = simulate(seed)
        faults += report.faults
        messages += report.messages
    assert len(faults) == 16
    assert len(messages) == 11


def test_a_seed_replays_exactly() -> None:
    assert simulate(7) == simulate(7)
    assert simulate(7) != simulate(8)


def test_a_seed_replays_exactly_in_another_process() -> None:
    code = "from tests.sim.runner import simulate; print(simulate(7))"
    root = Path(__file__).parents[2]
    for hash_seed in ("1", "2"):
        other = subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert other.stdout.strip() == repr(simulate(7))


def test_invariant_leader_append_only() -> None:
    """No planted mistake breaks this one alone, so break it by hand."""
    assert LeaderAppendOnly in ALL
    cluster = Cluster(invariants=(LeaderAppendOnly,))
    assert cluster.run_until(lambda: cluster.leader is not None)
    leader = cluster.leader
    assert leader is not None
    leader.call(lambda raft: raft.propose(b"lost"))
    with pytest.raises(Violation, match="lost its entry"):
        leader.call(lambda raft: raft.log.truncate_from(raft.last_index))


def test_the_command_prints_seeds_counts_and_failures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "4", "--first", "30", "--jobs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("seeds 30..33 in ")
    assert [line.split(":")[0] for line in lines[1:]] == ["totals", "faults", "messages", "failed"]
    assert lines[-1] == "failed: 0"


def test_the_command_names_the_seed_that_failed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Threads instead of processes: only they see the patch.
    monkeypatch.setattr(
        "tests.sim.__main__.ProcessPoolExecutor", lambda jobs: ThreadPoolExecutor(1)
    )
    monkeypatch.setattr(
        "tests.sim.__main__.simulate", lambda seed: simulate(seed, TermNotPersisted)
    )
    assert main(["--seeds", "1", "--first", "5"]) == 1
    assert "FAILED seed 5: Monotonic" in capsys.readouterr().out
