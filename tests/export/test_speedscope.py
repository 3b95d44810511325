"""The speedscope file against its schema's rules, and against the fold it was made of."""

from __future__ import annotations

import json
from collections import Counter

from hypothesis import given

from kvtop.export.speedscope import SCHEMA, write_speedscope
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.stacks import StackTable
from tests.profile.test_tree import STACKS, Stacks, fold


@given(STACKS, STACKS)
def test_each_group_is_a_sampled_profile(one: Stacks, two: Stacks) -> None:
    table = StackTable()
    groups = {"node0": fold(table, one), "node1": fold(table, two)}
    data = json.loads(write_speedscope(groups, table, "title"))
    assert data["$schema"] == SCHEMA and data["name"] == "title"
    names = [frame["name"] for frame in data["shared"]["frames"]]
    assert [p["name"] for p in data["profiles"]] == ["node0", "node1"]
    for profile, stacks in zip(data["profiles"], (one, two), strict=True):
        assert profile["type"] == "sampled" and profile["unit"] == "none"
        assert profile["endValue"] == sum(profile["weights"]) == sum(stacks.values())
        found: Counter[tuple[str, ...]] = Counter()
        for path, weight in zip(profile["samples"], profile["weights"], strict=True):
            found[tuple(names[at] for at in path)] += weight
        assert found == Counter(stacks)


def test_frames_carry_their_place_and_weights_their_unit() -> None:
    table = StackTable()
    frames = [
        table.frame_id("read", "/lib/libc.so.6"),
        table.intern(Frame("run\x1b", "core.py", Kind.PYTHON, "/srv/core.py", 7)),
    ]
    text = write_speedscope({"": {table.stack_id(frames): 3}}, table, "off-CPU", "ms")
    data = json.loads(text)
    assert data["shared"]["frames"] == [
        {"name": "read", "file": "libc.so.6"},
        {"name": "run\\x1b", "file": "/srv/core.py", "line": 7},
    ]
    assert data["profiles"][0]["unit"] == "milliseconds"
    assert data["profiles"][0]["name"] == "off-CPU"
