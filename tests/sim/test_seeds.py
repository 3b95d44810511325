"""A sample of the seeds that ``make sim`` runs, and that a seed decides everything."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.sim.cluster import Cluster
from tests.sim.invariants import ALL, Violation
from tests.sim.invariants.leader_append_only import LeaderAppendOnly
from tests.sim.runner import simulate

_SEEDS = 160
_BATCH = 20


@pytest.mark.parametrize("first", range(0, _SEEDS, _BATCH))
def test_seeds(first: int) -> None:
    for seed in range(first, first + _BATCH):
        simulate(seed)


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
