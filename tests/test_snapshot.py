"""The black box: minutes of the past, held in bounded memory, are saved piece by piece."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from kvtop.events import SampleBatch, StackSample
from kvtop.profile.diff import Side
from kvtop.profile.ring import Filter, GroupKey
from kvtop.profile.scope import Scope, TimeRange
from kvtop.profile.shape import Shown
from kvtop.profile.tree import TreeOptions
from kvtop.session import Session
from kvtop.snapshot import Shot, raw_remark, save_all, save_diff, save_diff_folded, save_svg
from kvtop.store import Store
from kvtop.widgets.compare import Comparison, Named
from tests.fake_session import FakeSession, config
from tests.widgets.conftest import _utc as _utc
from tests.widgets.made_up import START, change, fill, make_store

MINUTES = 14
RATE = 20


def long_run(store: Store) -> None:
    """Fourteen minutes in which every second runs a function of its own."""
    table = store.table
    for second in range(60 * MINUTES):
        frames = [("main", "app"), (f"second_{second}", "app")]
        stack = table.stack_id([table.frame_id(*frame) for frame in frames])
        store.apply(
            SampleBatch(
                tuple(
                    StackSample(START + second + n / RATE, 1, 1, "app", "cpu-clock", 1, stack)
                    for n in range(RATE)
                )
            )
        )


def shot_of(store: Store, chosen: TimeRange) -> Shot:
    """What the screen saves of a range."""
    start, end = Scope().over(chosen).bounds(store.ring.last_time)
    return Shot(store.ring.fold(Filter(start=start, end=end)), chosen.seconds, chosen.last)


def test_a_session_holds_ten_minutes() -> None:
    ring = Session(config())._ring
    assert ring.seconds == 600.0 and ring.max_samples <= 2_000_000


def test_memory_does_not_grow_with_the_run() -> None:
    store = make_store()
    long_run(store)
    ring = store.ring
    assert len(ring) == pytest.approx(600 * RATE, abs=RATE) and ring.dropped == 0
    first, last = ring.first_time, ring.last_time
    assert first is not None and last is not None and 599 < last - first <= 600
    # Each second has a stack of its own: those that left the ring leave the table as well.
    table = store.table
    for _ in range(2):
        table.compact()
    assert len(table) <= 601 and table.frame_count <= 602


async def test_nine_minutes_ago_can_be_saved_and_eleven_cannot(tmp_path: Path) -> None:
    store = make_store()
    long_run(store)
    session = FakeSession(config(output=tmp_path), store)
    now = START + 60 * MINUTES
    path = await save_svg(session, shot_of(store, TimeRange(now - 540, now - 537)))
    text = path.read_text()
    for second in range(290, 310):
        there = f'"second_{second}"' in text
        assert there == (300 <= second < 303)
    assert "60 samples" in text and "3 s up to" in text
    assert shot_of(store, TimeRange(now - 660, now - 657)).counts == {}


async def test_perf_data_is_asked_for_from_the_beginning_of_the_range(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = fill(make_store(), 60)
    session = FakeSession(config(output=tmp_path), store)
    monkeypatch.setattr("kvtop.session.time.monotonic", lambda: START + 60)
    shot = shot_of(store, TimeRange(START + 10, START + 15))
    directory = await save_all(session, shot)
    assert (directory / "perf.data").read_text() == "50"
    lines = (directory / "perf.folded").read_text().splitlines()
    assert sum(int(line.rpartition(" ")[2]) for line in lines) == sum(shot.counts.values()) == 1000


@pytest.mark.parametrize(
    ("since", "remark"),
    [
        (None, ""),
        (START + 9, ""),
        (START + 11.5, ""),
        (START + 14, "perf.data begins at 22:13:34 only; the other files hold the whole window."),
        (START + 40, "perf.data begins at 22:14:00 only, after all of the window."),
    ],
)
def test_what_the_raw_samples_do_not_reach_is_said(since: float | None, remark: str) -> None:
    store = fill(make_store(), 60)
    session = FakeSession(config(), store)
    session.raw = since
    shot = shot_of(store, TimeRange(START + 10, START + 15))
    assert raw_remark(session, shot) == remark
    assert "Without perf.data" in raw_remark(session, replace(shot, unit="ms"))


def test_at_the_beginning_of_a_run_nothing_is_missing() -> None:
    store = fill(make_store(), 10)
    session = FakeSession(config(), store)
    session.raw = START + 0.5
    counts = store.ring.fold()
    assert raw_remark(session, Shot(counts, 30.0, START + 10)) == ""


def two_sides(store: Store) -> Comparison:
    change(store, START, 1, 0, 10)
    one = Side(store.ring.fold(), 1.0)
    change(store, START + 5, 1, 2, 7)
    two = Side(store.ring.fold(Filter(start=START + 5)), 1.0)
    named = Named(one, "baseline <1>"), Named(two, "now", "the leader changed meanwhile")
    return Comparison(*named, "time", "last 30 s", "one → two", TreeOptions(inverted=True))


async def test_a_diff_is_an_svg_of_both_sides(tmp_path: Path) -> None:
    store = make_store()
    shown = two_sides(store)
    path = await save_diff(FakeSession(config(output=tmp_path), store), shown)
    text = path.read_text()
    assert path.name.endswith(".diff.svg")
    for words in (
        *("append_entries", "_find", "baseline &lt;1&gt; → now", "the leader changed meanwhile"),
        *("last 30 s", "10 samples of 1 s", "red: more after than before", '"rates":true'),
    ):
        assert words in text
    assert '"callers":true' in text


async def test_both_sides_of_a_diff_are_in_one_file(tmp_path: Path) -> None:
    store = make_store()
    shown = two_sides(store)
    path = await save_diff_folded(FakeSession(config(output=tmp_path), store), shown)
    head, *lines = path.read_text().splitlines()
    assert head == "# one → two" and path.name.endswith(".diff.folded")
    fields = [line.rsplit(" ", 2) for line in lines]
    assert [(before, after) for _, before, after in fields] == [("10", "0"), ("0", "7")]
    assert "append_entries" in fields[0][0] and "_find" in fields[1][0]


async def test_what_is_hidden_on_the_screen_is_not_in_the_svg_and_the_footer_says_so(
    tmp_path: Path,
) -> None:
    store = fill(make_store(), 20)
    session = FakeSession(config(output=tmp_path), store)
    counts = store.ring.fold()
    groups = store.ring.fold_by(Filter(), GroupKey.LABEL)
    options = TreeOptions(hidden=re.compile("append_entries"), fold_glue=False)
    shown = Shown(groups, options, ("without /append_entries/",))
    shot = Shot(counts, 20.0, START + 20, shown=shown)
    text = (await save_svg(session, shot)).read_text()
    assert "without /append_entries/" in text and f'"{next(iter(groups))}"' in text
    assert text.count("append_entries") == text.count("without /append_entries/")
    assert '"glue":true' in text and f"{sum(counts.values()):,} samples" in text
    # The raw files have everything.
    directory = await save_all(session, shot)
    assert "append_entries" in (directory / "perf.folded").read_text()
    svg = (directory / "perf.svg").read_text()
    assert "append_entries" in svg and "without /" not in svg
