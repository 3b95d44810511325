"""Opens the list of perf's events, to sample others from now on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kvtop.collectors.events_list import EventsError, split_events
from kvtop.widgets.event_picker import Choice, EventPicker
from kvtop.widgets.profile_screen import ProfileScreen

if TYPE_CHECKING:
    from kvtop.app import KvtopApp

HELP: tuple[type[ProfileScreen], ...] = ()


def show(app: KvtopApp) -> None:
    """What was sampled before stays; the key E goes through all of it."""
    session = app.session
    stats = session.store.pipeline
    asked = split_events(session.event) if session.event is not None else []

    async def listing() -> Sequence[Choice] | str:
        try:
            found = await session.list_events()
        except EventsError as error:
            return str(error)
        return [Choice(event.name, event.kind, event.text, event.problem) for event in found]

    async def sample(event: str) -> str:
        problem = await session.sample(event)
        if not problem:
            text = f"perf samples {event} from now on. E shows what was sampled before."
            app.notify(text, timeout=5, markup=False)
        return problem

    now = asked or (list(stats.events) if stats is not None else [])
    app.push_screen(EventPicker(app.dashboard.store, now, listing, sample))
