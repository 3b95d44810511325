"""The list of events: search, marks, what cannot be had, and perf's word on a choice."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Static

from kvtop.widgets.event_picker import Choice, EventPicker
from tests.widgets.made_up import make_store
from tests.widgets.render import widget_text

CHOICES = (
    Choice("cpu-clock", "software", "", ""),
    Choice("page-faults", "software", "", ""),
    Choice("sched:sched_switch", "tracepoint", "", ""),
    Choice("cycles", "hardware", "", "not supported by this machine"),
)


class Picking(App[None]):
    """Opens the picker at once; ``asked`` is what was to be sampled."""

    def __init__(self, found: Sequence[Choice] | str = CHOICES, problem: str = "") -> None:
        super().__init__()
        self.found = found
        self.problem = problem
        self.asked: list[str] = []

    def compose(self) -> ComposeResult:
        yield Static("below")

    def on_mount(self) -> None:
        async def listing() -> Sequence[Choice] | str:
            return self.found

        async def sample(event: str) -> str:
            self.asked.append(event)
            return self.problem

        self.picker = EventPicker(make_store(), ["cpu-clock"], listing, sample)
        self.push_screen(self.picker)


def text_of(app: Picking) -> str:
    return widget_text(app.picker.table) + str(app.picker.query_one(Static).content)


async def press(pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def test_search_and_sample() -> None:
    app = Picking()
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot)
        assert "sched:sched_switch" in text_of(app)
        await press(pilot, *"faults")
        assert "page-faults" in text_of(app) and "sched_switch" not in text_of(app)
        await press(pilot, "enter")
        assert app.asked == ["page-faults"]
        assert not isinstance(app.screen, EventPicker)


async def test_several_are_marked() -> None:
    app = Picking()
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot)
        await press(pilot, *"faults", "space", "enter")
    assert app.asked == ["cpu-clock,page-faults"]


async def test_what_this_machine_lacks_says_so_and_is_not_sampled() -> None:
    app = Picking()
    async with app.run_test(size=(120, 24)) as pilot:
        await press(pilot)
        await press(pilot, *"cycles")
        assert "not supported by this machine" in text_of(app)
        await press(pilot, "enter")
        assert "cycles is not supported by this machine." in text_of(app)
        assert not app.asked and isinstance(app.screen, EventPicker)


async def test_perfs_refusal_stays_on_screen_and_an_event_may_be_typed() -> None:
    app = Picking(problem="perf does not know the event r1a8.")
    async with app.run_test(size=(120, 24)) as pilot:
        await press(pilot)
        await press(pilot, *"r1a8", "enter")
        assert app.asked == ["r1a8"]
        assert "perf does not know the event r1a8." in text_of(app)
        await press(pilot, "escape")
        assert "cpu-clock" in text_of(app) and isinstance(app.screen, EventPicker)
        await press(pilot, "escape")
        assert not isinstance(app.screen, EventPicker)


async def test_a_perf_that_tells_nothing() -> None:
    app = Picking("perf is not installed: sudo apt-get install linux-perf.")
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot)
        text = text_of(app)
        assert "perf is not installed" in text
        assert "there is no list of events here" in text and "asking" not in text
