"""The tools screen: one tool at a time, rows merged by choice, figures and reasons as they are."""

from __future__ import annotations

from dataclasses import replace

from kvtop.app import KvtopApp
from kvtop.events import (
    CollectorStatus,
    Health,
    NodeState,
    NodeStatus,
    Role,
    Target,
    TargetsChanged,
)
from kvtop.store import Store
from kvtop.tool_events import (
    BlockRow,
    Latency,
    LockRow,
    MemoryRow,
    QueueRow,
    Recording,
    SyscallRow,
    Tool,
    ToolReading,
)
from kvtop.widgets.latency_histogram import bar, bucket_label
from kvtop.widgets.tools_screen import ToolsScreen
from tests.fake_session import FakeSession, config
from tests.widgets.made_up import make_store
from tests.widgets.render import screen_text

T = 5000.0
RECORDING = Recording(T, 10.0, 1.0, 1234.0, 0)


def used() -> Store:
    """A store with a reading of every tool, of one target and one other process."""
    store = make_store()
    store.apply(TargetsChanged(T, (Target("node0", 77, Role.LEADER),)))
    log, socket = "/data/0001.wal", "tcp 127.0.0.1:1→127.0.0.1:2"
    rows = {
        Tool.SYSCALLS: (
            SyscallRow(77, 77, "kv", "write", log, Latency(100, 100, 0.5, 0.02), ()),
            SyscallRow(77, 78, "io", "write", socket, Latency(50, 50, 0.1, 0.01), (("EAGAIN", 7),)),
            SyscallRow(9, 9, "sh", "read", "", Latency(5, 0, 0.0, None), ()),
        ),
        Tool.LOCKS: (
            LockRow("futex", "Queue.get", "queue.py", 77, "kv", Latency(20, 20, 2.0, 0.5)),
            LockRow("spinlock", "__schedule", "[kernel]", 77, "kv", Latency(9, 9, 0.001, 0.0004)),
        ),
        Tool.RUN_QUEUE: (QueueRow(77, 78, "io", 400, 2.5, 1.0, 0.03, 10.0),),
        Tool.BLOCK_IO: (
            BlockRow(
                *("vda", "write sync", "kv", Latency(100, 100, 0.02, 0.004)),
                *(409_600, 3, ((7, 90), (11, 10))),
            ),
        ),
        Tool.MEMORY: (MemoryRow(44.2, 267, "L3 hit", "find", "kvd"),),
    }
    for tool, found in rows.items():
        store.apply(ToolReading(tool, RECORDING, found))
        store.apply(CollectorStatus(T, tool, Health.OK))
    status = NodeStatus(T, "node0", 77, NodeState.UP, Role.LEADER)
    store.apply(replace(status, fdatasync_buckets=((9, 40), (11, 4))))
    return store


async def shown(store: Store, *keys: str, size: tuple[int, int] = (120, 30)) -> str:
    app = KvtopApp(FakeSession(config(), store))
    async with app.run_test(size=size) as pilot:
        await pilot.press("y", *keys)
        await pilot.pause()
        assert isinstance(app.screen, ToolsScreen)
        return screen_text(app)


def line(text: str, word: str) -> list[str]:
    """The words of the first line with this one in it."""
    return next(found for found in text.splitlines() if word in found).strip("│ ").split()


async def test_a_tool_records_only_while_its_tab_is_open() -> None:
    session = FakeSession(config(), used())
    app = KvtopApp(session)
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("y", "tab", "5", "shift+tab", "escape")
        await pilot.pause()
        assert not isinstance(app.screen, ToolsScreen)
    wanted = [Tool.SYSCALLS, Tool.LOCKS, Tool.MEMORY, Tool.BLOCK_IO, None]
    assert session.tools == wanted


async def test_calls_are_merged_by_call_thread_and_file() -> None:
    text = await shown(used())
    assert line(text, "write")[:6] == ["write", "15", "7", "600ms", "4.00ms", "20.0ms"]
    assert "EAGAIN 7" in text and "last 10s" in text
    # What was not timed has no times.
    assert line(text, "read ")[:5] == ["read", "0.50", "–", "–", "–"]
    text = await shown(used(), "g")
    assert line(text, "kv 77")[:4] == ["node0", "kv", "77", "10"] and "sh(9)" in text
    text = await shown(used(), "g", "g", "g", size=(200, 30))
    assert "/data/0001.wal" in text and "tcp 127.0.0.1:1→127.0.0.1:2" in text


async def test_locks_and_the_run_queue() -> None:
    text = await shown(used(), "2")
    assert line(text, "Queue.get") == [
        *("futex", "Queue.get", "queue.py", "2", "2.00s", "100ms", "500ms")
    ]
    text = await shown(used(), "3")
    assert line(text, "io 78") == [
        *("node0", "io", "78", "40", "25.0", "10.0", "1.00s", "2.50ms", "30.0ms")
    ]


async def test_block_io_beside_the_stores_own_histogram() -> None:
    text = await shown(used(), "4", size=(120, 40))
    assert line(text, "write sync")[:6] == ["vda", "write", "sync", "10", "40.0K", "3"]
    assert "100 requests" in text and "44 fdatasyncs" in text
    row = line(text, "128–256 µs")
    assert row[-1] == "90"
    assert line(text, "2.0–4.1 ms")[-1] == "4" and "10" in line(text, "2.0–4.1 ms")


async def test_what_was_recorded_in_part_or_lost_is_said() -> None:
    store = used()
    reading = store.tools.reading(Tool.SYSCALLS)
    assert reading is not None
    partly = replace(RECORDING, seconds=3.0, share=0.25, lost=12)
    store.apply(replace(reading, recording=partly))
    text = await shown(store)
    assert "3s recorded · 25% of the time · LOST 12" in text


async def test_the_reason_stands_where_the_rows_would_be() -> None:
    store = make_store()
    reason = "Tracepoints can be read by root only: start kvtop with sudo."
    store.apply(CollectorStatus(T, Tool.SYSCALLS, Health.UNAVAILABLE, reason))
    text = await shown(store, size=(100, 24))
    assert reason in text and "perf begins" not in text


async def test_memory_and_its_reason() -> None:
    assert line(await shown(used(), "5"), "L3 hit") == ["L3", "hit", "44.2", "267"]


async def test_a_frozen_screen_stands_still() -> None:
    store = used()
    app = KvtopApp(FakeSession(config(), store))
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("y", "space")
        store.apply(ToolReading(Tool.SYSCALLS, RECORDING, ()))
        app.tick()
        await pilot.pause()
        text = screen_text(app)
        assert "FROZEN" in text and "write" in text
        await pilot.press("space")
        await pilot.pause()
        text = screen_text(app)
        assert "FROZEN" not in text and "no system call has returned yet" in text


async def test_a_filter_leaves_what_matches() -> None:
    text = await shown(used(), "slash", *"rea", "enter")
    assert "only /rea/" in text and "read" in text and "EAGAIN" not in text


def test_bars_and_their_labels() -> None:
    assert bar(0, 8) == "" and bar(1, 3) == "███" and bar(1e-9, 8) == "▏"
    assert [bucket_label(n) for n in (0, 6, 9, 12, 20)] == [
        *("<2 µs", "64–128 µs", "0.5–1.0 ms", "4.1–8.2 ms", "1.0–2.1 s")
    ]
