"""Opens a closer look at one function: callers and callees, or its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtop.collectors.annotate import AnnotateError
from kvtop.profile.callers import sandwich
from kvtop.profile.frames import Frame, Kind
from kvtop.profile.listing import Listing
from kvtop.widgets.flamegraph_screen import FlamegraphScreen
from kvtop.widgets.profile_screen import ProfileScreen
from kvtop.widgets.samples import FunctionAsked, Samples
from kvtop.widgets.sandwich_screen import SandwichScreen, figures_of
from kvtop.widgets.source_screen import SourceScreen

if TYPE_CHECKING:
    from kvtop.app import KvtopApp

HELP: tuple[type[ProfileScreen], ...] = (SandwichScreen, SourceScreen)


def show(app: KvtopApp, asked: FunctionAsked) -> None:
    """The view that a pane or the flamegraph asks for, of the samples that it shows itself."""
    graph = app.screen
    if isinstance(graph, FlamegraphScreen):
        store, samples = graph.store, graph.samples()
    else:
        hot = app.dashboard.hot_symbols
        store, samples = hot.store, hot.samples(live=not app.paused)

    def show_source(frame: Frame, samples: Samples) -> None:
        _show_source(app, frame, samples)

    if asked.view == "callers":
        app.push_screen(SandwichScreen(store, asked.frame, samples, show_source))
    else:
        show_source(asked.frame, samples)


def _show_source(app: KvtopApp, frame: Frame, samples: Samples) -> None:
    """The source of a function, with the samples per line of what a view shows."""
    table = app.session.store.table

    def figures() -> str:
        found = sandwich(table, samples.counts(), table.intern(frame))
        return figures_of(found, samples.caption(), samples.unit)

    async def load() -> Listing:
        start, end = samples.bounds()
        if end is None or (samples.live and frame.kind is Kind.PYTHON):
            # py-spy goes on while the view is open, and its samples are not those of the view.
            end = app.session.now
        try:
            return await app.session.annotate(frame, start or 0.0, end, samples.label)
        except (AnnotateError, OSError) as error:
            return Listing(remark=str(error))

    app.push_screen(SourceScreen(frame, figures, load))
