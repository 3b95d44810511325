"""The simulator is worth its time only if it finds mistakes: every planted one has to be found."""

from __future__ import annotations

import pytest

from kvtop.workload.raft.core import Raft
from tests.sim.planted import BUGS, Planted
from tests.sim.runner import Failure, simulate

_SEEDS = 200


@pytest.mark.parametrize("planted", BUGS, ids=lambda planted: planted.bug.__name__)
def test_the_simulator_finds(planted: Planted) -> None:
    for seed in range(_SEEDS):
        try:
            simulate(seed, planted.bug, planted.parameters(seed))
        except Failure as failure:
            assert failure.reason.split(":")[0] in planted.shows, failure
            # The same seed with the right rules must pass: the bug is what was found.
            simulate(seed, Raft, planted.parameters(seed))
            return
    pytest.fail(f"{_SEEDS} seeds did not show {planted.bug.__name__}")
