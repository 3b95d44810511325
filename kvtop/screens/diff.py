"""Puts samples aside as the baseline, and opens the comparison with it or between targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtop import saving
from kvtop.profile.scope import Scope
from kvtop.profile.text import safe_text
from kvtop.widgets.compare import Baseline, covered, pairs
from kvtop.widgets.diff_screen import DiffScreen
from kvtop.widgets.figures import clock, span
from kvtop.widgets.flamegraph_screen import FlamegraphScreen
from kvtop.widgets.profile_screen import ProfileScreen

if TYPE_CHECKING:
    from kvtop.app import KvtopApp

HELP: tuple[type[ProfileScreen], ...] = (DiffScreen,)


def show(app: KvtopApp) -> None:
    """What changed since the baseline, or what is different between the leader and others."""
    hot = app.dashboard.hot_symbols
    if not pairs(hot.store, app.baseline is not None):
        text = "Nothing to compare yet: b makes what is shown the baseline."
        app.notify(text, severity="warning", markup=False)
        return
    over, scope, label, live = app.over, app.scope, hot.label, not app.paused
    until = hot.store.ring.last_time if app.paused else None
    if isinstance(over, FlamegraphScreen) and over.flamegraph.unit == "samples":
        scope, label, live = over.scope, over.label, over.live
        until = None if live else over.until
    screen = DiffScreen(
        hot.store,
        scope,
        lambda: app.baseline,
        label=label,
        live=live,
        until=until,
        save=lambda shown, folded: saving.save_diff(app, shown, folded),
    )
    app.open_screen(screen)


def set_baseline(app: KvtopApp) -> None:
    """Put what is shown aside, to compare with it."""
    shot, store = saving.shot(app), app.session.store
    if shot.unit != "samples":
        app.notify("Only samples on the CPU can be compared.", severity="warning")
        return
    until = store.ring.last_time if shot.until is None else shot.until
    if not shot.counts or until is None:
        app.notify("There are no samples to compare with.", severity="warning")
        return
    seconds = covered(store.ring, Scope(shot.window), until)
    whose = "" if shot.label is None else f" of {safe_text(shot.label)}"
    at = clock(store.wall(until))
    before = app.baseline
    app.baseline = Baseline(store.table, shot.counts, seconds, f"{at}{whose}")
    if before is not None:
        before.let_go()
    text = f"{sum(shot.counts.values()):,} samples of {span(round(seconds, 1))} until {at}"
    app.notify(f"Baseline: {text}{whose}. d compares.", timeout=4, markup=False)
    if isinstance(app.over, DiffScreen):
        app.over.baseline_changed()
