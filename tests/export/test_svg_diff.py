"""The differential SVG as a file: both weights of every box, colours that mean something, names
that stay text, and the later side to be read again."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings

from kvtop.export.svg import SvgMeta, SvgView, read_svg
from kvtop.export.svg_diff import DiffMeta, write_svg_diff
from kvtop.profile.diff import DiffTree, Side, strength
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.stacks import StackTable
from kvtop.profile.tree import CallTree, TreeOptions
from tests.export.test_svg import HOSTILE, META, SVG, frames_of
from tests.profile.test_stacks import stack
from tests.profile.test_tree import STACKS, Stacks, fold

TIMED = DiffMeta("calm", "busy", (10.0, 20.0))


def example(table: StackTable) -> tuple[dict[int, int], dict[int, int]]:
    """grows: 20 % to 60 %; shrinks: 60 % to 22 %; gone: 18 % to none; steady: 2 % to 18 %."""
    stacks = {name: stack(table, "main", name) for name in ("grows", "shrinks", "gone", "steady")}
    before = {"grows": 200, "shrinks": 400, "gone": 200, "steady": 200}
    after = {"grows": 1200, "shrinks": 390, "steady": 410}
    return (
        {stacks[name]: n for name, n in before.items()},
        {stacks[name]: n for name, n in after.items()},
    )


def boxes(text: str) -> dict[str, tuple[str, str]]:
    """Name of every static box -> its class and the figures in its title."""
    found = {}
    for group in ET.fromstring(text).iter(f"{SVG}g"):
        title = group.find(f"{SVG}title")
        if title is not None and title.text:
            name, _, figures = title.text.partition(" (")
            found[name] = group.get("class", "").removeprefix("box "), figures.rstrip(")")
    return found


def profile(text: str) -> dict[str, object]:
    body = ET.fromstring(text).find(f"{SVG}metadata")
    assert body is not None and body.text
    data: dict[str, object] = json.loads(body.text)
    return data


def test_boxes_have_the_colour_of_their_change_and_both_figures() -> None:
    table = StackTable()
    before, after = example(table)
    found = boxes(write_svg_diff({"": before}, {"": after}, table, META, TIMED))
    assert found["grows"] == ("more3", "200 → 1,200, 20.00 % → 60.00 %")
    assert found["shrinks"] == ("less3", "400 → 390, 40.00 % → 19.50 %")
    assert found["steady"] == ("same", "200 → 410, 20.00 % → 20.50 %, may be noise")
    assert found["main"][0] == "same"
    # As wide as after: what is gone has no width.
    assert "gone" not in found
    rates = DiffMeta("calm", "busy", (10.0, 20.0), "time")
    found = boxes(write_svg_diff({"": before}, {"": after}, table, META, rates))
    assert found["grows"] == ("more3", "200 → 1,200, 20.00 /s → 60.00 /s")
    assert found["shrinks"] == ("less3", "400 → 390, 40.00 /s → 19.50 /s")


def test_without_counts_there_is_no_noise_band() -> None:
    table = StackTable()
    one = stack(table, "main", "one")
    two = stack(table, "main", "two")
    meta = SvgMeta("waits", unit="ms")
    text = write_svg_diff({"": {one: 10, two: 10}}, {"": {one: 11, two: 10}}, table, meta, TIMED)
    assert boxes(text)["one"][0] == "more1" and boxes(text)["two"][0] == "less1"
    assert "what is noise is not known" in text and "may be noise" not in boxes(text)["main"][1]


def test_the_footer_says_what_is_compared_and_what_the_colours_mean() -> None:
    table = StackTable()
    before, after = example(table)
    text = write_svg_diff({"": before}, {"": after}, table, META, TIMED)
    said = " ".join(e.text or "" for e in ET.fromstring(text).iter(f"{SVG}text"))
    assert "calm (1,000 samples of 10 s) → busy (2,000 samples of 20 s)" in said
    for word in ("red: more", "blue: less", "within the noise", "twice or more", "may be noise"):
        assert word in said
    assert {"kvtop --nodes 3", "0.1.0"} <= {str(v) for v in dict(profile(text)["meta"]).values()}  # type: ignore[call-overload]


@settings(max_examples=60)
@given(STACKS, STACKS)
def test_every_node_has_the_weights_and_the_colour_of_the_screen(one: Stacks, two: Stacks) -> None:
    table = StackTable()
    before, after = fold(table, one), fold(table, two)
    sides = Side(before, 5.0), Side(after, 7.0)
    text = write_svg_diff({"": before}, {"": after}, table, META, TIMED, SvgView(glue=True))
    tree = DiffTree(CallTree(table, TreeOptions(fold_glue=False)), *sides)
    expected = {
        f"{tree.after.frame(node).symbol} {c.before:,} → {c.after:,}": strength(c)
        for node in range(1, len(tree.after))
        if (c := tree.change(node)).after
    }
    drawn = boxes(text)
    steps = {"same": 0} | {f"more{n}": n for n in (1, 2, 3)} | {f"less{n}": -n for n in (1, 2, 3)}
    for name, (fill, figures) in drawn.items():
        if name != "all":
            assert expected[f"{name} {figures.partition(', ')[0]}"] == steps[fill]
    data = profile(text)
    assert sum(data["before"]) == sum(before.values())  # type: ignore[call-overload]
    again, _ = read_svg(text, table)
    assert frames_of(table, again) == frames_of(table, {s: n for s, n in after.items() if n})


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name: str) -> None:
    table = StackTable()
    known = table.stack_id([table.intern(Frame(name, name, Kind.PYTHON, name))])
    fold = {name: {known: 5}}
    text = write_svg_diff(fold, fold, table, SvgMeta(*[name] * 9), DiffMeta(name, name))
    root = ET.fromstring(text.encode())
    assert len(list(root.iter(f"{SVG}script"))) == 1 and not list(root.iter(f"{SVG}image"))


def test_two_empty_sides() -> None:
    text = write_svg_diff({}, {}, StackTable(), META, DiffMeta())
    assert boxes(text) == {} and profile(text)["diff"]["seconds"] is None  # type: ignore[index]
