"""The run header says what is true, sheds what has no room, and is loud when it must be."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from kvtop.events import CollectorStatus, Flaw, FlawKind, Health, OwnUsage, PipelineStats
from kvtop.widgets.header import Item, RunHeader, clip_words, shed
from kvtop.widgets.help import HelpScreen
from tests.widgets.app import WidgetApp
from tests.widgets.made_up import START, fill, make_store
from tests.widgets.render import widget_text


def test_items_leave_by_rank_and_whole() -> None:
    items = [Item(0, "", "aaaa"), Item(2, "b", "bb"), Item(1, "", "cccc")]
    assert shed(items, 30) == items
    assert [i.text for i in shed(items, 12)] == ["aaaa", "cccc"]
    assert [i.text for i in shed(items, 2)] == ["aaaa"]


def test_sentences_end_at_a_word() -> None:
    assert clip_words("needs Python 3.13 here", 16) == "needs Python…"
    assert clip_words("fits", 16) == "fits"


async def shown(header: RunHeader, width: int) -> str:
    async with WidgetApp(header).run_test(size=(width, 10)) as pilot:
        await pilot.pause()
        return widget_text(header)


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
async def test_no_word_is_cut(width: int) -> None:
    words = set((await shown(RunHeader(fill(make_store(), 5)), 300)).split())
    text = await shown(RunHeader(fill(make_store(), 5)), width)
    assert set(text.split()) <= words
    assert "lost 0" in text


async def test_lost_samples_and_broken_stacks_are_told() -> None:
    store = fill(make_store(), 5)
    last = store.pipeline
    assert last is not None
    store.apply(
        replace(
            last, time=last.time + 1, samples=last.samples + 100, lost=37, broken=last.broken + 50
        )
    )
    text = await shown(RunHeader(store), 160)
    assert "LOST 37" in text


async def test_shares_are_of_the_last_seconds() -> None:
    store = make_store()
    header = RunHeader(store)
    async with WidgetApp(header).run_test(size=(160, 10)) as pilot:
        for second in range(100):
            # All of the first minute's stacks are broken, none afterwards.
            samples = 100 * (second + 1)
            broken = min(samples, 6000)
            store.apply(
                PipelineStats(START + second, samples, 0, broken, 0, 0.1, "cycles", 99, "fp")
            )
            header.refresh_data()
        await pilot.pause()
        assert "broken 0.0%" in widget_text(header)
        assert "cycles @ 99 Hz · fp" in widget_text(header)


async def test_paused_read_only_and_why_there_are_no_python_frames() -> None:
    store = fill(
        make_store(python_frames="Python frames need Python 3.13; this is 3.11.", readonly=True), 5
    )
    header = RunHeader(store)
    async with WidgetApp(header).run_test(size=(160, 10)) as pilot:
        header.set_paused(True)
        await pilot.pause()
        text = widget_text(header)
        assert "PAUSED" in text and "READ-ONLY" in text
        assert "Python frames need Python 3.13; this is 3.11." in text
        header.set_paused(False)
        await pilot.pause()
        assert "PAUSED" not in widget_text(header)


async def test_without_perf_there_is_a_word_and_no_figure() -> None:
    store = make_store()
    store.apply(CollectorStatus(START, "perf_record", Health.UNAVAILABLE, "perf is not installed."))
    text = await shown(RunHeader(store), 120)
    assert "no samples: perf does not work here" in text
    assert "samples/s" not in text


async def test_the_end_of_all_processes_is_not_taken_for_a_fault_of_perf() -> None:
    store = make_store(has_cluster=False)
    store.apply(
        CollectorStatus(
            START, "perf_record", Health.UNAVAILABLE, "Every profiled process has exited."
        )
    )
    text = await shown(RunHeader(store), 120)
    assert "no samples: every process has exited" in text


async def test_a_stream_that_has_ended_has_no_rate() -> None:
    store = fill(make_store(), 5)
    assert "samples/s –" not in await shown(RunHeader(store), 160)
    store.apply(CollectorStatus(START + 6, "perf_record", Health.UNAVAILABLE, "It has ended."))
    assert "samples/s –" in await shown(RunHeader(store), 160)


async def test_a_share_of_no_samples_has_no_sign() -> None:
    last = fill(make_store(), 5).pipeline
    assert last is not None
    store = make_store()
    store.apply(replace(last, samples=0, broken=0, unresolved=0, flaws=()))
    text = await shown(RunHeader(store), 160)
    assert "broken –   unresolved –" in text


async def test_the_effect_on_the_targets_as_far_as_it_is_measured() -> None:
    store = make_store()
    store.apply(OwnUsage(START, 9.4, 1 << 27, 5.1))
    header = RunHeader(store)
    async with WidgetApp(header).run_test(size=(120, 30)):
        for second in range(3):
            last = flawed(1000 * (second + 1), 0, 0, 10 + second)
            store.apply(replace(last, copied=4096 * 1000 * (second + 1), throttled=second))
            header.refresh_data()
        rows = {text: figure for _, figure, text in header.stream_rows()}
    assert rows["of stacks and registers copied by the kernel"] == "3.91M/s"
    assert rows["times the kernel throttled the sampling"] == "2"
    share = 9.4 / (os.cpu_count() or 1)
    assert rows[f"of this machine's {os.cpu_count()} cores go to kvtop"] == f"{share:.1f}%"


def flawed(samples: int, broken: int, unresolved: int, second: float = 1.0) -> PipelineStats:
    """A stream in which glibc breaks stacks and a stripped program has no names."""
    flaws = (
        Flaw(FlawKind.BROKEN, "libc", broken, "libc keeps no frame pointers", "try dwarf"),
        Flaw(FlawKind.UNRESOLVED, "[x]", unresolved, "[x] is stripped", "install [its] symbols"),
    )
    time = START + second
    return PipelineStats(
        *(time, samples, 0, broken, unresolved, 0.1, "cycles", 99, "fp"), flaws=flaws
    )


async def test_cause_and_remedy_of_the_worst_flaw_are_read_without_a_key() -> None:
    for broken, unresolved, told in (
        (400, 20, "broken: libc keeps no frame pointers; try dwarf"),
        (60, 300, "unresolved: [x] is stripped; install [its] symbols"),
    ):
        store = make_store()
        store.apply(flawed(1000, broken, unresolved))
        for width in (80, 120, 200):
            assert told in await shown(RunHeader(store), width)
    store = make_store()
    store.apply(flawed(1000, 40, 20))
    assert "frame pointers" not in await shown(RunHeader(store), 200)


async def test_a_flaw_of_the_past_is_not_told_any_more() -> None:
    store = make_store()
    header = RunHeader(store)
    async with WidgetApp(header).run_test(size=(120, 10)) as pilot:
        for second in range(60):
            store.apply(flawed(1000 * (second + 1), 500, 0, second))
            header.refresh_data()
        await pilot.pause()
        assert "frame pointers" not in widget_text(header)
        assert header.flaws() == []


async def test_everything_about_the_stream_stays_at_eighty_columns() -> None:
    text = await shown(RunHeader(fill(make_store(), 5)), 80)
    for label in ("samples/s", "lost", "broken", "unresolved", "kvtop CPU", "3-node"):
        assert label in text


async def test_a_click_lists_every_flaw_with_its_remedy() -> None:
    store = make_store()
    store.apply(flawed(1000, 400, 20))
    header = RunHeader(store)
    async with WidgetApp(header).run_test(size=(120, 30)) as pilot:
        await pilot.click(RunHeader)
        await pilot.pause()
        assert isinstance(pilot.app.screen, HelpScreen)
        rows = header.stream_rows()
        assert ("2.0%", "[x] is stripped: install [its] symbols") in [row[1:] for row in rows]
        assert ("40.0%", "libc keeps no frame pointers: try dwarf") in [row[1:] for row in rows]
        assert ("40.0%", "broken") in [row[1:] for row in rows]
        await pilot.press("escape")
        assert not isinstance(pilot.app.screen, HelpScreen)
