"""The off-CPU screen: weights in ms, what its caption says, why nothing is there, what is saved."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kvtop.app import KvtopApp
from kvtop.events import (
    CollectorStatus,
    Flaw,
    FlawKind,
    Health,
    Role,
    StackSample,
    Target,
    TargetsChanged,
    WaitBatch,
    WaitState,
    WaitStats,
)
from kvtop.export.svg import read_svg
from kvtop.profile.stacks import StackTable
from kvtop.store import Store
from kvtop.widgets.waits_screen import WaitsScreen
from kvtop.widgets.weights import milliseconds
from tests.fake_session import FakeSession, config
from tests.widgets.made_up import make_store
from tests.widgets.render import screen_text

MS = 1_000_000
T = 5000.0


def waiting() -> Store:
    """Ten seconds in which one thread sleeps 7 s, reads 2 s, and waits for a CPU 1 s."""
    store = make_store(has_cluster=False)
    store.apply(TargetsChanged(T, (Target("db", 77, Role.OTHER),)))
    table = store.table
    libc = "/lib/libc.so.6"
    root = [table.frame_id("_start", "/bin/db"), table.frame_id("main", "/bin/db")]
    sleep = table.stack_id([*root, table.frame_id("nanosleep", libc)])
    read = table.stack_id([*root, table.frame_id("read", libc)])
    samples = []
    for tick in range(10):
        for stack, ms, state in (
            (sleep, 700, WaitState.BLOCKED),
            (read, 200, WaitState.BLOCKED),
            (read, 100, WaitState.READY),
        ):
            samples.append(StackSample(T + tick, 77, 78, "db", state, ms * MS, stack))
    store.apply(WaitBatch(tuple(samples)))
    store.apply(WaitStats(T + 9.5, T - 1, 5120.0, 301.0, 17, 4, 0))
    store.apply(CollectorStatus(T + 9, "off_cpu", Health.OK))
    return store


def written(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


async def shown(store: Store, *keys: str, size: tuple[int, int] = (120, 30)) -> str:
    app = KvtopApp(FakeSession(config("--attach", "77"), store))
    async with app.run_test(size=size) as pilot:
        await pilot.press("o", *keys)
        await pilot.pause()
        assert isinstance(app.screen, WaitsScreen)
        return screen_text(app)


async def test_weights_are_milliseconds_and_the_caption_says_how_they_came_about() -> None:
    text = await shown(waiting())
    assert "all · 10,000 ms" in text
    assert "10,000 ms of 10s" in text
    assert "10.0% waiting for a CPU" in text
    assert "5,120 switches/s" in text and "1 in 17 with its stack" in text
    assert "nanosleep" in text and "read" in text
    text = await shown(waiting(), "down", "down", "down")
    assert "total 7,000 (70.0%)" in text and "   ms" in text


async def test_a_shorter_window_holds_less() -> None:
    text = await shown(waiting(), "[", "[")
    # Both ends count: the moments T+4 .. T+9.
    assert "6,000 ms of 5s" in text


async def test_blocked_and_ready_apart() -> None:
    text = await shown(waiting(), *"ttttt")
    assert "by event" in text
    assert "blocked" in text and "ready" in text


async def test_broken_stacks_are_said_with_their_cause_and_remedy() -> None:
    store = waiting()
    assert "broken" not in await shown(store)
    cause = "libc.so.6 keeps no frame pointers", "try --call-graph dwarf"
    flaws = (Flaw(FlawKind.BROKEN, "libc.so.6", 30, *cause),)
    store.apply(WaitStats(T + 9.6, T - 1, 5120.0, 301.0, 17, 4, 0, 200, flaws))
    text = await shown(store)
    assert "10,000 ms of 10s · 15.0% broken" in text
    assert "15.0% broken: libc.so.6 keeps no frame pointers; try --call-graph dwarf" in text
    store.apply(WaitStats(T + 9.7, T - 1, 5120.0, 301.0, 17, 4, 0, 20_000, flaws))
    text = await shown(store)
    assert "% broken" in text and "frame pointers" not in text


async def test_wakers_are_recorded_when_asked_for_and_a_refusal_is_said() -> None:
    store = waiting()
    store.apply(CollectorStatus(T, "wakers", Health.UNAVAILABLE, "Tracepoints need root."))
    session = FakeSession(config("--attach", "77"), store)
    app = KvtopApp(session)
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("o")
        await pilot.pause()
        assert session.wakers == [] and "Tracepoints" not in screen_text(app)
        await pilot.press("W")
        await pilot.pause()
        text = screen_text(app)
        assert session.wakers == [True] and "with wakers" in text
        assert "wakers are not recorded: Tracepoints need root." in text
        store.apply(CollectorStatus(T, "wakers", Health.OK))
        app.tick()
        await pilot.pause()
        assert "not recorded" not in screen_text(app)
        await pilot.press("W")
        await pilot.pause()
        assert session.wakers == [True, False] and "with wakers" not in screen_text(app)


async def test_the_reason_stands_where_the_boxes_would_be() -> None:
    store = make_store(has_cluster=False)
    reason = "The kernel lets only root use perf: run sudo sysctl kernel.perf_event_paranoid=1."
    store.apply(CollectorStatus(T, "off_cpu", Health.UNAVAILABLE, reason))
    text = await shown(store, size=(60, 20))
    assert "The kernel lets only root use perf" in text and "paranoid=1." in text


async def test_a_reason_that_comes_later_is_shown(tmp_path: Path) -> None:
    store = make_store(has_cluster=False)
    app = KvtopApp(FakeSession(config("--attach", "77"), store))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("o")
        store.apply(CollectorStatus(T, "off_cpu", Health.UNAVAILABLE, "Waits are too many."))
        app.tick()
        await pilot.pause()
        assert "Waits are too many." in screen_text(app)


async def test_what_ended_the_recording_is_said_beside_what_was_recorded() -> None:
    store = waiting()
    store.apply(CollectorStatus(T, "off_cpu", Health.UNAVAILABLE, "Every process has exited."))
    text = await shown(store)
    assert "STOPPED: Every process has exited · 10,000 ms" in text


async def test_filters_are_said_and_hold_for_waits() -> None:
    text = await shown(waiting(), "F", *"read", "enter")
    assert "all · 3,000 ms" in text and "only /read/" in text


async def test_a_saved_file_carries_the_unit(tmp_path: Path) -> None:
    store = waiting()
    app = KvtopApp(FakeSession(config("--attach", "77", output=tmp_path), store))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("o", "s", "S")
        await app.workers.wait_for_complete()
        await pilot.pause()
    files = {"/".join(path.relative_to(tmp_path).parts[1:]): path for path in written(tmp_path)}
    assert set(files) == {"", "perf.folded", "perf.svg"}
    counts, meta = read_svg(files[""].read_text(), StackTable())
    assert meta.unit == "ms" and sum(counts.values()) == 10_000
    assert meta.event == "off-CPU time, 1 in 17 switches has its stack"
    assert not meta.frequency


async def test_the_other_flamegraph_is_left_as_it_was() -> None:
    session = FakeSession(config("--attach", "77"), replace_ring(waiting()))
    app = KvtopApp(session)
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("f", "o")
        assert "off-CPU" in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert session.followed == [True, False]
        text = screen_text(app)
        assert "off-CPU" not in text and "all · 1 samples" in text


def replace_ring(store: Store) -> Store:
    """With one sample on the CPU."""
    stack = store.table.stack_id([store.table.frame_id("work", "/bin/db")])
    store.ring.append(StackSample(T, 77, 78, "db", "cpu-clock", 1, stack), "db", Role.OTHER)
    return store


@given(st.dictionaries(st.integers(0, 999), st.integers(0, 10**12), max_size=50))
def test_rounding_to_milliseconds_keeps_the_sum(counts: dict[int, int]) -> None:
    rounded = milliseconds(counts)
    assert abs(sum(rounded.values()) * MS - sum(counts.values())) <= MS / 2
    assert all(abs(ms * MS - counts[stack]) <= MS for stack, ms in rounded.items())
    assert all(rounded.values())
