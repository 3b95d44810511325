"""Each finding: made-up figures that call for it, and figures one step short of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kvtop.events import Role
from kvtop.profile import advice
from kvtop.profile.advice import ENOUGH, Facts, Hot, findings
from kvtop.profile.layers import Split

HOT = (Hot("f", 0.2), Hot("g", 0.1))


def split(**weights: int) -> Split:
    """A split by layer; ``memory__allocation=3`` names the rule too."""
    found = Split()
    for key, weight in weights.items():
        layer, _, name = key.replace("log_io", "log I/O").partition("__")
        name = name.replace("_", " ")
        found.layers[layer] = found.layers.get(layer, 0) + weight
        found.names[layer, name] = found.names.get((layer, name), 0) + weight
        found.total += weight
    return found


def facts(cpu: Split, **more: object) -> Facts:
    """Figures of a cluster where nothing stands out but what is given."""
    plain = Facts(
        samples=cpu.total,
        when="30s until 12:00:00",
        split=cpu,
        frames=lambda layer, name: HOT,
        cores={"node0": 0.5, "node1": 0.5, "node2": 0.5},
        roles={"node0": Role.LEADER, "node1": Role.FOLLOWER, "node2": Role.FOLLOWER},
        operations=1000.0,
        writes=0.5,
        p99=0.010,
        fdatasync_p99=0.0005,
        value_size=256,
        switches=3000.0,
        received=cpu.total,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def names(found: Facts) -> list[str]:
    return [finding.name for finding in findings(found)]


CALM = split(consensus=400, network=200, serialisation=100, memory__allocation=80, scheduler=220)


def test_nothing_is_found_where_nothing_stands_out() -> None:
    assert findings(facts(CALM)) == []


def test_nothing_is_found_without_figures() -> None:
    assert findings(Facts(samples=0, when="")) == []
    assert findings(Facts(samples=0, when="", waits=Split(), wait_seconds=0.0)) == []


CASES = {
    "broken stacks": (facts(CALM, broken=100), facts(CALM, broken=99)),
    "lost samples": (facts(CALM, lost=53), facts(CALM, lost=52)),
    "interpreter": (facts(CALM, interpreted=400), facts(CALM, interpreted=399)),
    "serialisation": (
        facts(split(consensus=850, serialisation=150)),
        facts(split(consensus=851, serialisation=149)),
    ),
    "small messages": (
        facts(split(consensus=700, network=300)),
        facts(split(consensus=700, network=300), value_size=1025),
    ),
    "garbage collection": (
        facts(split(consensus=950, memory__garbage_collection=50)),
        facts(split(consensus=951, memory__garbage_collection=49)),
    ),
    "allocation": (
        facts(split(consensus=850, memory__allocation=100, memory__page_faults=50)),
        facts(split(consensus=850, memory__allocation=100, memory__other=50)),
    ),
    "context switches": (facts(CALM, switches=10_000.0), facts(CALM, switches=9_999.0)),
    "unknown code": (
        facts(split(consensus=700, other=300)),
        facts(split(consensus=701, other=299)),
    ),
    "slow disk": (facts(CALM, fdatasync_p99=0.005), facts(CALM, fdatasync_p99=0.0049)),
    "busy leader": (
        facts(CALM, cores={"node0": 0.9, "node1": 0.4, "node2": 0.45}),
        facts(CALM, cores={"node0": 0.9, "node1": 0.4, "node2": 0.46}),
    ),
    "lock waits": (
        facts(
            CALM,
            waits=split(network=10**9, lock__GIL=2 * 10**9, lock__mutex=10**9),
            wait_seconds=30.0,
        ),
        facts(CALM, waits=split(network=10**9, lock__futex=90 * 10**9), wait_seconds=30.0),
    ),
    "no CPU": (
        facts(CALM, waits=split(network=1), ready=75 * 10**8, wait_seconds=10.0),
        facts(CALM, waits=split(network=1), ready=74 * 10**8, wait_seconds=10.0),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_figures_that_call_for_a_finding(name: str) -> None:
    stands_out, short_of_it = CASES[name]
    assert names(stands_out) == [name]
    assert names(short_of_it) == []
    (finding,) = findings(stands_out)
    assert finding.title and finding.remedy
    assert finding.evidence and all(any(c.isdigit() for c in text) for text in finding.evidence[:1])


def test_every_finding_has_a_case() -> None:
    assert len(CASES) == len(advice.TRUST) + len(advice.JUDGES)


def test_few_samples_are_not_judged() -> None:
    for cpu in (
        split(serialisation=ENOUGH - 1),
        split(other=ENOUGH - 1),
        split(network=ENOUGH - 1),
        split(memory__allocation=ENOUGH - 1),
    ):
        assert findings(facts(cpu, broken=cpu.total, interpreted=cpu.total, lost=0)) == []
    assert names(facts(split(serialisation=ENOUGH))) == ["serialisation"]


def test_what_the_profile_lacks_comes_first_then_the_greatest_share() -> None:
    cpu = split(serialisation=300, network=500, other=200)
    found = names(facts(cpu, broken=150, interpreted=600))
    assert found == ["broken stacks", "interpreter", "small messages", "serialisation"]


def test_the_evidence_has_figures_window_and_functions() -> None:
    (finding,) = findings(facts(split(consensus=600, serialisation=400)))
    (evidence,) = finding.evidence
    assert "40.0% of CPU (400 of 1,000 samples, 30s until 12:00:00)" in evidence
    assert "600 µs per operation" in evidence, "1.5 CPU seconds a second * 40% / 1,000"
    assert finding.frames == HOT


def test_a_disk_is_not_blamed_where_nothing_is_written_or_it_is_fast() -> None:
    assert names(facts(CALM, fdatasync_p99=0.009, writes=0.0)) == []
    assert names(facts(CALM, fdatasync_p99=0.0009, p99=0.001)) == []
    assert names(facts(CALM, fdatasync_p99=None)) == []
    assert names(facts(CALM, fdatasync_p99=0.009, p99=None)) == []
