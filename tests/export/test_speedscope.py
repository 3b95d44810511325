"""The speedscope file against its schema's rules, and against the fold it was made of."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given

from kvtop.export.speedscope import SCHEMA, read_speedscope, write_speedscope
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


@given(STACKS, STACKS)
def test_what_is_written_reads_back(one: Stacks, two: Stacks) -> None:
    table, other = StackTable(), StackTable()
    groups = {"node0": fold(table, one), "node1": fold(table, two)}
    again, unit = read_speedscope(write_speedscope(groups, table, "t"), other)
    assert unit == "samples"
    for name, stacks in (("node0", one), ("node1", two)):
        found = {
            tuple(other.frame(f).symbol for f in other.frames(s)): n for s, n in again[name].items()
        }
        assert found == stacks


def evented(*events: tuple[str, int, float]) -> str:
    rows = [{"type": kind, "frame": frame, "at": at} for kind, frame, at in events]
    profile = {"type": "evented", "name": "p", "unit": "milliseconds", "startValue": 0}
    frames = [{"name": "a"}, {"name": "b", "file": "/x/b.py", "line": 3}]
    return json.dumps({"shared": {"frames": frames}, "profiles": [profile | {"events": rows}]})


def test_an_evented_profile_is_folded_by_time() -> None:
    table = StackTable()
    text = evented(("O", 0, 0), ("O", 1, 2), ("C", 1, 7), ("C", 0, 8), ("O", 0, 20), ("C", 0, 21))
    groups, unit = read_speedscope(text, table)
    a = table.frame_id("a", "")
    b = table.intern(Frame("b", "b.py", Kind.PYTHON, "/x/b.py", 3))
    assert unit == "ms"
    assert groups == {"p": {table.stack_id([a]): 4, table.stack_id([a, b]): 5}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"shared":{"frames":[]},"profiles":[{"type":"sampled","samples":[[1]],"weights":[1]}]}',
        '{"shared":{"frames":[]},"profiles":[{"type":"sampled","samples":[[]],"weights":[]}]}',
        '{"shared":{"frames":[3]},"profiles":[]}',
        evented(("O", 0, 0), ("C", 1, 1)),
        evented(("C", 0, 0)),
        "[" * 100_000,
    ],
)
def test_other_files_are_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="speedscope"):
        read_speedscope(text, StackTable())
