"""Every micro benchmark does what it says, once."""

from __future__ import annotations

import random

import pytest

from kvtop.bench import profile_data, profile_micro
from kvtop.bench.micro import Micro, micros
from kvtop.bench.profile_data import make_fold, make_ring, make_text
from kvtop.bench.store_micro import STORE, Trio
from kvtop.collectors.perf_script import ScriptParser
from kvtop.profile.stacks import StackTable
from kvtop.workload.raft.types import Role


def test_names_are_unique_and_in_groups() -> None:
    every = [*STORE, *profile_micro.PROFILE]
    assert len(micros()) == len(every)
    assert all(micro.name.partition(".")[2] for micro in every)


@pytest.mark.parametrize("micro", STORE, ids=lambda micro: micro.name)
def test_the_stores_run(micro: Micro) -> None:
    assert micro.prepare()(1) > 0


@pytest.mark.parametrize("micro", profile_micro.PROFILE, ids=lambda micro: micro.name)
def test_the_profiles_run(micro: Micro, monkeypatch: pytest.MonkeyPatch) -> None:
    # The same on little data.
    monkeypatch.setattr(profile_micro, "make_fold", lambda table, stacks: make_fold(table, 200))
    monkeypatch.setattr(profile_micro, "make_ring", lambda samples, stacks: make_ring(500, 50))
    monkeypatch.setattr(profile_micro, "make_text", lambda samples, stacks: make_text(300, 50))
    assert micro.prepare()(1) > 0


def test_three_cores_commit_what_is_proposed() -> None:
    trio = Trio()
    before = trio.nodes[0].commit_index
    trio.commit([b"one", b"two"])
    assert trio.nodes[0].role is Role.LEADER
    assert trio.nodes[0].commit_index == before + 2
    assert all(node.last_index == before + 2 for node in trio.nodes)


def test_made_text_is_perf_scripts() -> None:
    table = StackTable()
    parser = ScriptParser(table)
    samples = parser.feed(make_text(500, 100))
    assert parser.samples == 500 and not parser.malformed
    assert len({sample.stack for sample in samples}) == 100


def test_made_profiles_are_the_same_in_every_run() -> None:
    one, two = StackTable(), StackTable()
    assert make_fold(one, 300) == make_fold(two, 300)
    random.seed(7)
    assert profile_data.make_text(50, 10) == profile_data.make_text(50, 10)
