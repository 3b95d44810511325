"""Any moment of a recording, in any order, is what a live screen showed then."""

from __future__ import annotations

from pathlib import Path

import pytest

from kvtop.events import Marker, MarkerKind, SampleBatch, TargetsChanged, WaitBatch
from kvtop.profile.ring import Filter, GroupKey
from kvtop.recording.player import Player
from kvtop.recording.reader import Recording
from kvtop.store import Store
from tests.recording.builders import write
from tests.widgets.made_up import START, make_store, play, targets

END = START + 40


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 seconds of the made-up run."""
    store = make_store()
    events = [TargetsChanged(START, targets()), *play(store, START, END)]
    return write(tmp_path_factory.mktemp("p") / "a.kvtop", events, store.table)


def live(time: float) -> Store:
    """What a live store held once all that happened up to a moment had come."""
    store = make_store()
    store.apply(TargetsChanged(START, targets()))
    newest = START
    for event in play(store, START, END):
        if isinstance(event, SampleBatch | WaitBatch):
            kept = tuple(sample for sample in event.samples if sample.time <= time)
            store.apply(type(event)(kept))
            continue
        newest = max(newest, getattr(event, "time", newest))
        if newest <= time:
            store.apply(event)
    return store


def named(store: Store, counts: dict[int, int]) -> dict[tuple[str, ...], int]:
    table = store.table
    return {
        tuple(table.frame(f).symbol for f in table.frames(stack)): n for stack, n in counts.items()
    }


def assert_shows(player: Player, time: float) -> None:
    shown, wanted = player.store, live(time)
    assert len(shown.ring) == len(wanted.ring)
    assert shown.ring.last_time == wanted.ring.last_time
    assert shown.ring.first_time == wanted.ring.first_time
    window = Filter(start=time - 10)
    assert named(shown, shown.ring.fold(window)) == named(wanted, wanted.ring.fold(window))
    sides = [s.ring.fold_by(Filter(), GroupKey.LABEL) for s in (shown, wanted)]
    assert [(k, sum(v.values())) for k, v in sides[0].items()] == [
        (k, sum(v.values())) for k, v in sides[1].items()
    ]
    assert len(list(shown.ring.iter_samples())) == len(wanted.ring)
    assert len(shown.waits.ring) == len(wanted.waits.ring)
    assert list(shown.markers.items) == list(wanted.markers.items)
    assert list(shown.logs.items) == list(wanted.logs.items)
    assert shown.cluster.nodes == wanted.cluster.nodes
    assert shown.stress.rate.since(0) == wanted.stress.rate.since(0)
    assert shown.pipeline == wanted.pipeline


def test_every_moment_in_any_order(file: Path) -> None:
    player = Player(Recording.open(file))
    store = player.store
    for offset in (0, 5, 5.25, 30, 12, 12, 3, 40, 0, 39.5):
        player.seek(player.start + offset)
        assert_shows(player, player.position)
    assert player.store is store


def test_the_ends_hold(file: Path) -> None:
    player = Player(Recording.open(file))
    player.seek(player.start - 100)
    assert player.position == player.start
    player.seek(player.end + 100)
    assert player.position == player.end
    assert_shows(player, player.end)


def test_revisions_move_when_time_goes_back(file: Path) -> None:
    """A pane that looked before looks again, even where as much is there as was then."""
    player = Player(Recording.open(file))
    store = player.store
    seen = set()
    for offset in (10, 20, 10, 20, 10):
        player.seek(player.start + offset)
        parts = (store, store.counters, store.stress, store.cluster, store.markers, store.logs)
        now = tuple(part.revision for part in parts)
        assert now not in seen
        seen.add(now)


def test_a_marker_of_the_user_stays(file: Path) -> None:
    player = Player(Recording.open(file))
    player.seek(player.start + 20)
    mark = Marker(player.position, MarkerKind.NOTE, "mark")
    player.store.apply(mark)
    player.seek(player.start + 10)
    assert mark not in player.store.markers.items
    player.seek(player.start + 30)
    assert list(player.store.markers.items).count(mark) == 1


def test_a_cut_recording_plays_as_far_as_it_goes(file: Path, tmp_path: Path) -> None:
    part = tmp_path / "part.kvtop"
    part.write_bytes(file.read_bytes()[:-400])
    player = Player(Recording.open(part))
    assert player.recording.cut
    player.seek(player.end)
    assert len(player.store.ring) > 0
