"""A lost connection in words, and counts that go on over it."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from kvtop.events import Flaw, FlawKind, Marker, MarkerKind, PipelineStats
from kvtop.profile.ring import SampleRing
from kvtop.profile.stacks import StackTable
from kvtop.remote.loss import PAUSES, Loss, continued, pause_before
from kvtop.store import RunInfo, Store

_KINDS = st.sampled_from(FlawKind)
_FLAWS = st.lists(
    st.builds(Flaw, _KINDS, st.sampled_from("abc"), st.integers(1, 99), st.just("c"), st.just("r")),
    max_size=4,
    unique_by=lambda flaw: (flaw.kind, flaw.object),
)


def stats(at: float, samples: int, flaws: tuple[Flaw, ...] = ()) -> PipelineStats:
    return PipelineStats(at, samples, 1, 2, 3, None, "cycles", 99, "fp", flaws, 10, 4)


@given(_FLAWS, _FLAWS)
def test_counts_and_flaws_of_the_streams_before_are_added(old: list[Flaw], new: list[Flaw]) -> None:
    both = continued(stats(1, 50, tuple(old)), stats(9, 7, tuple(new)))
    assert (both.time, both.samples, both.lost, both.broken, both.unresolved) == (9, 57, 2, 4, 6)
    assert (both.copied, both.throttled) == (20, 8)
    assert sum(f.samples for f in both.flaws) == sum(f.samples for f in (*old, *new))
    keys = [(f.kind, f.object) for f in both.flaws]
    assert len(keys) == len(set(keys))
    assert continued(None, stats(9, 7)) == stats(9, 7)


def test_a_loss_says_since_when_why_and_what_comes() -> None:
    wall = time.time()
    loss = Loss(5.0, wall, "ssh to db1 ended: broken pipe.")
    clock = time.strftime("%H:%M:%S", time.localtime(wall))
    assert clock in loss.banner and "LOST" in loss.banner
    assert loss.text(5.0) == (
        f"No connection since {clock}: what is shown is from before. The next attempt is in 5 s. "
        "ssh to db1 ended: broken pipe."
    )
    assert "Start kvtop again." in loss.text(None)
    assert [pause_before(n) for n in (0, 1, 99)] == [PAUSES[0], PAUSES[1], PAUSES[-1]]


def test_a_gap_has_no_rate_of_samples_and_none_is_taken_over_it() -> None:
    info = RunInfo("", "", "", "", "off", 0.0, 0.0, False)
    store = Store(info, SampleRing(StackTable()))
    for at, samples in ((1.0, 10), (2.0, 30)):
        store.apply(stats(at, samples))
    assert store.sample_rate.last == 20
    store.apply(Marker(2.5, MarkerKind.GAP, "connection lost"))
    assert store.sample_rate.last is None
    store.apply(stats(60.0, 40))
    assert store.sample_rate.last is None
    store.apply(stats(61.0, 55))
    assert store.sample_rate.since(2.0) == [(2.0, 20), (2.5, None), (61.0, 15)]
