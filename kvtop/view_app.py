"""The screen of ``kvtop view``: the flamegraph over a profile that was read from a file."""

from __future__ import annotations

import asyncio
import platform
import signal
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from kvtop import themes
from kvtop.export.outputs import Content, Output, render, write_file
from kvtop.export.svg import SvgView
from kvtop.opening.model import Profile, Split
from kvtop.profile.ring import GroupKey, SampleRing
from kvtop.profile.shape import shaped
from kvtop.profile.text import safe_text
from kvtop.store import RunInfo, Store
from kvtop.widgets.base import Help
from kvtop.widgets.flame_state import Groups
from kvtop.widgets.flamegraph import Flamegraph
from kvtop.widgets.flamegraph_screen import FlamegraphScreen
from kvtop.widgets.key_bar import KeyBar, KeyHint
from kvtop.widgets.samples import FunctionAsked, Samples
from kvtop.widgets.sandwich_screen import SandwichScreen

_HINTS = (
    KeyHint("?", "help", "screen.help"),
    KeyHint("q", "quit", "screen.close"),
    KeyHint("/", "search", "screen.search"),
    KeyHint("enter", "zoom", "screen.flame('zoom')"),
    KeyHint("esc", "back", "screen.back"),
    KeyHint("w", "callers", "screen.flame('ask(\"callers\")')", 2),
    KeyHint("s", "save SVG", "screen.save"),
    KeyHint("i", "upside down", "screen.flame('invert')", 4),
    KeyHint("c", "callers first", "screen.flame('reverse')", 2),
    KeyHint("g", "glue", "screen.flame('glue')", 3),
    KeyHint("y", "copy name", "screen.flame('copy_name')", 4),
)
_GROUP_HINT = KeyHint("t", "group", "screen.group", 1)
_KEYS: dict[Split, GroupKey | None] = {
    Split.NONE: None,
    Split.COMMAND: GroupKey.LABEL,
    Split.PROCESS: GroupKey.PROCESS,
    Split.THREAD: GroupKey.THREAD,
}
_LIVE_ONLY = ("space", "[ ]", "t", "s", "S", "f q", "a", "esc")
"""Keys of the live screen that do something else here, or nothing."""


SaveKey = Callable[[], object]


class FileScreen(FlamegraphScreen):
    """The flamegraph of a profile that does not change: no window, nothing to freeze."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "nothing", "", show=False),
        Binding("left_square_bracket,right_square_bracket", "nothing", "", show=False),
        Binding("q,f,ctrl+c", "close", "quit", show=False),
    ]
    KEYS_HELP: ClassVar[list[Help]] = [
        ("t", "group by command (of a recording: target), process, thread, or not at all"),
        ("s", "save what is shown as interactive SVG"),
        ("esc", "end the search, the filters, zoom out; never quits"),
        ("q", "quit"),
    ]

    def __init__(self, store: Store, profile: Profile, save: SaveKey) -> None:
        super().__init__(store, save=save, source=self._fold, live=False)
        self.profile = profile
        self.flamegraph.unit = profile.meta.unit

    def compose(self) -> ComposeResult:
        yield self.flamegraph
        group = [_GROUP_HINT] if len(self.profile.splits) > 1 else []
        yield KeyBar([*_HINTS[:5], *group, *_HINTS[5:]])

    @property
    def event(self) -> str:
        """What the weights are of."""
        meta = self.profile.meta
        return " @ ".join(filter(None, (meta.event, meta.frequency)))

    @property
    def split(self) -> Split:
        """What it is grouped by."""
        return next(split for split, key in _KEYS.items() if key is self.grouping)

    def _fold(self, seconds: float, grouping: GroupKey | None) -> Groups:
        split = next(split for split, key in _KEYS.items() if key is grouping)
        return self.profile.groups(split)

    def _caption(self, weight: int) -> str:
        meta = self.profile.meta
        span = f" of {meta.window}" if meta.window else ""
        parts = [meta.title, self.event, f"{weight:,} {meta.unit}{span}"]
        if self.grouping is not None:
            parts.append(f"by {self.profile.called(self.split)}")
        parts += self._left_out()
        return safe_text(" · ".join(filter(None, parts)))

    def on_flamegraph_zoomed_out(self, event: Flamegraph.ZoomedOut) -> None:
        """Nothing to zoom out of: this is the only screen, and q leaves it."""
        event.prevent_default()

    def action_close(self) -> None:
        """Leave."""
        self.app.exit(0)

    def action_group(self) -> None:
        """Group by the next thing that there is more than one of."""
        splits = self.profile.splits
        if len(splits) == 1:
            self.notify("There is nothing in this file to group by.", timeout=3)
            return
        self.grouping = _KEYS[splits[(splits.index(self.split) + 1) % len(splits)]]
        self._load()

    @classmethod
    def help_rows(cls) -> list[tuple[str, str, str]]:
        """What the flamegraph's keys do here too, and its own."""
        rows = [row for row in FlamegraphScreen.help_rows() if row[1] not in _LIVE_ONLY]
        return [*rows, *super().help_rows()]


class ViewApp(App[int]):
    """One profile on the screen."""

    TITLE = "kvtop"
    CSS_PATH = "kvtop.tcss"

    def __init__(self, profile: Profile, directory: Path = Path(), theme: str = "auto") -> None:
        look = themes.choose(theme)
        super().__init__(ansi_color=look.ansi_color)
        if look.theme:
            self.theme = look.theme
        self.profile = profile
        self.directory = directory
        self.store = _store(profile)

    def on_mount(self) -> None:
        """Open the flamegraph, and leave in order when the process is ended from outside."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.exit, 128 + number)
        self.push_screen(FileScreen(self.store, self.profile, self.save_svg))
        for note in self.profile.notes:
            self.notify(f"{note[:1].upper()}{note[1:]}.", severity="warning", markup=False)

    @property
    def file_screen(self) -> FileScreen:
        """The flamegraph, whatever lies over it."""
        return next(s for s in self.screen_stack if isinstance(s, FileScreen))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every action of the flamegraph by name, and Textual's own."""
        yield from super().get_system_commands(screen)
        if isinstance(screen, FileScreen):
            for title, key, run in screen.commands():
                yield SystemCommand(title, f"{screen.NAME}, key {key}", run)

    def on_function_asked(self, event: FunctionAsked) -> None:
        """Callers and callees of a function; its source is not in the file."""
        event.stop()
        if event.view == "callers":
            samples = self.file_screen.samples()
            self.push_screen(SandwichScreen(self.store, event.frame, samples, self._no_source))
        else:
            self._no_source(event.frame, None)

    def _no_source(self, frame: object, samples: Samples | None) -> None:
        self.notify("A file holds no samples per line: the source is shown of a live run.")

    @work(exclusive=True)
    async def save_svg(self) -> None:
        """Write what is shown, the way it is turned, into the directory."""
        screen = self.file_screen
        shown, meta = screen.shown(), self.profile.meta
        groups, table = shaped(shown, self.store.table)
        view = SvgView(callers=shown.options.inverted, glue=not shown.options.fold_glue)
        window = "  ·  ".join(filter(None, (meta.window, *shown.left_out)))
        content = Content(groups, table, replace(meta, window=window), view)
        path = self._unused()
        try:
            write_file(path, await asyncio.to_thread(render, Output.SVG, content))
        except OSError as error:
            text = f"Cannot write {path}: {error.strerror}."
            self.notify(text, title="Not saved", severity="error", markup=False)
        else:
            where = f"{path.name}\nin {path.absolute().parent}"
            self.notify(where, title="Saved", timeout=5, markup=False)

    def _unused(self) -> Path:
        stamp = f"{datetime.now():%Y%m%d-%H%M%S}"
        names = (f"kvtop-{stamp}{extra}.svg" for extra in ("", *(f"-{n}" for n in range(2, 1000))))
        return next(path for name in names if not (path := self.directory / name).exists())


def _store(profile: Profile) -> Store:
    """A store without samples, for the screens that look up frames in it."""
    info = RunInfo(
        title=profile.meta.title,
        host=platform.node(),
        kernel=platform.release(),
        perf_version="",
        python_frames="off",
        started=0.0,
        wall_offset=0.0,
        has_cluster=False,
        readonly=True,
    )
    return Store(info, SampleRing(profile.table))
