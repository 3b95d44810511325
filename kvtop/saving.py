"""What the keys that save do: take what is shown, write it while the screen goes on, say where."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING

from kvtop import snapshot
from kvtop.recorder import Recorder
from kvtop.recording.meta import RecordingError
from kvtop.session import Session
from kvtop.snapshot import SaveError, Shot
from kvtop.widgets.compare import Comparison
from kvtop.widgets.weights import shown_event

if TYPE_CHECKING:
    from kvtop.app import KvtopApp


def shot(app: KvtopApp) -> Shot:
    """The samples that flamegraph or hot symbols show."""
    if (graph := app.graph_screen) is not None:
        return Shot(
            *(graph.raw_counts(), graph.window, graph.until, graph.label),
            *(graph.flamegraph.unit, graph.event, graph.shown()),
        )
    hot = app.dashboard.hot_symbols
    return Shot(
        *(hot.counts(), hot.window, hot.until, hot.label),
        *(hot.unit, shown_event(hot.store.ring)),
    )


def save_svg(app: KvtopApp) -> None:
    """Write what is shown as an interactive SVG."""
    _work(app, _save(app, snapshot.save_svg))


def save_all(app: KvtopApp) -> None:
    """Write SVG, folded stacks, perf.data and perf script's text."""

    async def save() -> None:
        if await _save(app, snapshot.save_all):
            remark = snapshot.raw_remark(app.session, shot(app))
            if remark:
                app.notify(remark, severity="warning", timeout=8, markup=False)

    _work(app, save())


def save_diff(app: KvtopApp, shown: Comparison, folded: bool) -> None:
    """Write both sides of a comparison as an interactive SVG, or as folded stacks."""
    save = snapshot.save_diff_folded if folded else snapshot.save_diff
    _work(app, _tell_saved(app, save(app.session, shown)))


def toggle_recording(app: KvtopApp) -> None:
    """Record into a new file in the output directory, what is still held first; or end that."""
    recorder = app.session.recorder
    if recorder is None:
        app.notify("This is a replay: the run is in a file already.", severity="warning")
    elif recorder.current is not None:
        _work(app, _end_recording(app, recorder))
    else:
        path = snapshot.unused(app.session.config.output, ".kvtop")
        try:
            recorder.start(path, past=True)
        except RecordingError as error:
            app.notify(f"{error}.", title="Not recorded", severity="error", markup=False)
        else:
            where = f"{path.name}\nin {path.absolute().parent}\nR ends it."
            app.notify(where, title="Recording", timeout=5, markup=False)
    app.tick()


async def _end_recording(app: KvtopApp, recorder: Recorder) -> None:
    if (recorded := await recorder.stop()) is not None and not recorder.problem:
        where = f"{recorded.path.name}, {recorded.size_text}\nkvtop replay shows it."
        app.notify(where, title="Recorded", timeout=5, markup=False)
    app.tick()


def _work(app: KvtopApp, saving: Coroutine[None, None, object]) -> None:
    app.run_worker(saving, group="save", exclusive=True)


async def _save(app: KvtopApp, save: Callable[[Session, Shot], Awaitable[Path]]) -> bool:
    """Save what is shown and say where; False where that failed."""
    shown = shot(app)
    if not shown.counts:
        app.notify("There are no samples in the window to save.", severity="warning")
        return False
    return await _tell_saved(app, save(app.session, shown))


async def _tell_saved(app: KvtopApp, saving: Awaitable[Path]) -> bool:
    try:
        path = await saving
    except SaveError as error:
        app.notify(str(error), title="Not saved", severity="error", markup=False)
        return False
    where = f"{path.name}\nin {path.parent}"
    app.notify(where, title="Saved", timeout=5, markup=False)
    return True
