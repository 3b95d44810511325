"""What is compared with what, and how the screen of a diff shows it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual.app import App
from textual.pilot import Pilot

from kvtop.events import NodeState, NodeStatus, Role
from kvtop.profile.diff import Change, strength
from kvtop.profile.ring import Filter
from kvtop.profile.scope import Scope, TimeRange
from kvtop.store import Store
from kvtop.widgets.compare import Baseline, Comparison, Pair, Part, covered, named_side, pairs
from kvtop.widgets.diff_graph import delta_text, rate_text
from kvtop.widgets.diff_screen import DiffScreen
from tests.widgets import golden
from tests.widgets.made_up import START, change, fill, make_store, play
from tests.widgets.render import screen_text

FIND = 2
"""The made-up leaf that is SkipList._find."""


def changed() -> Store:
    """Sixty seconds, in ten of which node1 has 120 samples a second more of one function."""
    store = fill(make_store(), 60)
    change(store, START + 40, 10, FIND, 120)
    return store


def baseline(store: Store, start: float = 5, end: float = 15) -> Baseline:
    """A stretch of the run."""
    counts = store.ring.fold(Filter(start=START + start, end=START + end - 0.001))
    return Baseline(store.table, counts, end - start, "22:13:35")


@asynccontextmanager
async def shown(
    store: Store, size: tuple[int, int] = (120, 40), base: Baseline | None = None
) -> AsyncIterator[tuple[DiffScreen, Pilot[object]]]:
    scope = Scope().over(TimeRange(START + 40, START + 50)) if base is not None else Scope()
    screen = DiffScreen(store, scope, lambda: base)
    app: App[object] = App()
    async with app.run_test(size=size) as pilot:
        app.push_screen(screen)
        await pilot.pause()
        await pilot.pause()
        yield screen, pilot


# What is compared


def test_the_pairs_that_there_are() -> None:
    store = changed()
    nodes = [Pair(Part(label="node0"), Part(label="node1"))]
    assert pairs(store, False)[0] == Pair(Part(role=Role.FOLLOWER), Part(role=Role.LEADER))
    assert pairs(store, False)[1:2] == nodes and len(pairs(store, False)) == 4
    assert pairs(store, True, "node2")[0] == Pair(Part(baseline=True), Part(label="node2"))
    assert pairs(make_store(has_cluster=False), False) == []


def test_a_side_covers_the_time_for_which_there_are_samples() -> None:
    ring = fill(make_store(), 20).ring
    assert covered(ring, Scope(10.0), ring.last_time) == pytest.approx(10.0)
    assert covered(ring, Scope(300.0), ring.last_time) == pytest.approx(19.995)
    late = Scope().over(TimeRange(START + 15, START + 90))
    assert covered(ring, late, None) == pytest.approx(4.995)
    assert covered(make_store().ring, Scope(), None) == 0.0


def test_followers_are_taken_by_the_head() -> None:
    store = changed()
    scope = Scope().over(TimeRange(START + 5, START + 15))
    leader = named_side(store, Part(role=Role.LEADER), scope, None, None)
    others = named_side(store, Part(role=Role.FOLLOWER), scope, None, None)
    assert (leader.name, others.name) == ("leader", "mean of 2 followers")
    assert others.side.seconds == pytest.approx(2 * leader.side.seconds)
    alone = named_side(store, Part(label="node1"), scope, None, None)
    assert alone.side == leader.side


def test_an_election_inside_says_that_followers_are_together() -> None:
    store = fill(make_store(), 20)
    store.apply(NodeStatus(START + 20, "node1", 4102, NodeState.UP, Role.FOLLOWER, 8, "node0"))
    store.apply(NodeStatus(START + 20, "node0", 4101, NodeState.UP, Role.LEADER, 8, "node0"))
    change(store, START + 20, 1, FIND)
    others = named_side(store, Part(role=Role.FOLLOWER), Scope(), store.ring.last_time, None)
    assert others.name == "followers together" and "leader changed" in others.remark
    assert others.side.seconds == pytest.approx(20.98, abs=0.1)


def test_a_baseline_outlives_its_samples() -> None:
    store = fill(make_store(), 20)
    base = baseline(store)
    stacks = list(base.side.counts)
    store.ring.clear()
    for _ in range(3):
        store.table.compact()
    assert all(store.table.frames(stack) for stack in stacks)
    base.let_go()
    for _ in range(3):
        store.table.compact()
    with pytest.raises(KeyError):
        store.table.frames(stacks[0])


# Words and colours


def test_changes_in_words() -> None:
    share = Change(179, 486, 0.179, 0.486, 22.3)
    assert delta_text(share, "share") == "+30.7" and rate_text(0.179, "share") == "17.9%"
    rate = Change(359, 26, 35.9, 2.6, -9.0)
    assert delta_text(rate, "time") == "−33.3/s" and rate_text(2.6, "time") == "2.60/s"
    assert delta_text(Change(5, 5, 0.1, 0.10001, 0.0), "share") == "0.0"


@pytest.mark.parametrize(
    ("before", "after", "z", "step"),
    [
        (0.10, 0.30, 9.0, 3),
        (0.00, 0.30, 9.0, 3),
        (0.10, 0.13, 5.0, 2),
        (0.30, 0.31, 3.0, 1),
        (0.31, 0.30, -3.0, -1),
        (0.30, 0.10, -9.0, -3),
        (0.10, 0.30, 2.0, 0),
    ],
)
def test_the_colour_says_how_great_and_whether_it_may_be_noise(
    before: float, after: float, z: float, step: int
) -> None:
    assert strength(Change(1, 1, before, after, z)) == step


# The screen


async def test_shares_and_rates() -> None:
    store = changed()
    async with shown(store, base=baseline(store)) as (_, pilot):
        text = screen_text(pilot.app)
        assert "baseline 22:13:35 (2,000) → selected (3,200) · share" in text
        assert "▲      +30.7" in text and "▼       −7.4" in text and "8 of 24 outside" in text
        await pilot.press("r")
        await pilot.pause()
        text = screen_text(pilot.app)
        # In the same time the others took as long as before: only one function does more.
        assert "▲     +120/s" in text and "▼ " not in text and "1 of 24 outside" in text


async def test_exchange_turns_every_sign() -> None:
    store = changed()
    async with shown(store, base=baseline(store)) as (screen, pilot):
        await pilot.press("e")
        await pilot.pause()
        text = screen_text(pilot.app)
        assert "selected (3,200) → baseline 22:13:35 (2,000)" in text
        assert "▼      −30.7" in text
        await pilot.press("v")
        assert screen.pair.before.role is Role.FOLLOWER


async def test_what_vanished_is_seen_at_the_widths_before() -> None:
    store = make_store()
    for event in play(store, START, START + 1):
        store.apply(event)
    gone = Baseline(store.table, store.ring.fold(), 1.0, "then")
    store.ring.clear()
    change(store, START + 40, 10, FIND)
    async with shown(store, base=gone) as (screen, pilot):
        text = screen_text(pilot.app)
        graph = text[: text.index("Changed functions")]
        assert "recv" not in graph and "_find" in graph
        await pilot.press("W")
        await pilot.pause()
        text = screen_text(pilot.app)
        graph = text[: text.index("Changed functions")]
        assert "recv" in graph and "widths: before" in graph
        state = screen.diff_graph.state
        assert state.change(0).before == 200 and state.change(0).after == 600


def words(screen: DiffScreen) -> str:
    assert screen.shown is not None
    return screen.shown.words


async def test_it_follows_the_newest_until_frozen() -> None:
    store = fill(make_store(), 60)
    async with shown(store) as (screen, pilot):
        await pilot.press("space")
        before = words(screen).removesuffix(" · FROZEN")
        for event in play(store, START + 60, START + 90):
            store.apply(event)
        screen.refresh_data()
        assert "FROZEN" in words(screen)
        assert words(screen).removesuffix(" · FROZEN") == before
        await pilot.press("space")
        assert words(screen) != before and "FROZEN" not in words(screen)
        sides = screen.shown
        for event in play(store, START + 90, START + 95):
            store.apply(event)
        screen.refresh_data()
        assert screen.shown != sides


async def test_every_key_of_the_graph_works_on_both_sides() -> None:
    store = changed()
    async with shown(store, base=baseline(store)) as (screen, pilot):
        for key in ("g", "c", "R", "i", "i", "down", "down", "enter", "W", "r", "a", "w", "y"):
            await pilot.press(key)
            await pilot.pause()
        state = screen.diff_graph.state
        assert state.options.inverted and state.options.fold_recursion
        assert state.change(0).before == 3200 or state.change(0).after == 3200
        await pilot.press("tab", "down", "tab", "slash", *"Skip", "enter")
        await pilot.pause()
        assert all("SkipList" in row.frame.symbol for row in screen.table.shown)


async def test_saving_gets_both_sides() -> None:
    store = changed()
    base = baseline(store)
    saved: list[tuple[Comparison, bool]] = []
    screen = DiffScreen(store, Scope(), lambda: base, save=lambda *what: saved.append(what))
    app: App[object] = App()
    async with app.run_test() as pilot:
        app.push_screen(screen)
        await pilot.press("s", "r", "c", "S")
        await pilot.pause()
    (one, folded), (two, also_folded) = saved
    assert (folded, also_folded) == (False, True)
    assert one.before.side == base.side and one.before.name == "baseline 22:13:35"
    assert (one.normalise, two.normalise) == ("share", "time")
    assert not one.options.inverted and two.options.inverted


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_it_looks_as_it_did(size: tuple[int, int]) -> None:
    store = changed()
    async with shown(store, size, baseline(store)) as (_, pilot):
        golden.check(f"diff-{size[0]}x{size[1]}.txt", screen_text(pilot.app))


async def test_its_colours_are_as_they_were() -> None:
    store = changed()
    async with shown(store, (120, 40), baseline(store)) as (_, pilot):
        golden.check("diff.svg", golden.steady_svg(pilot.app.export_screenshot()))
