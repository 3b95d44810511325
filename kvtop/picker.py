"""``--pick``: the screen on which processes are chosen before a session starts."""

from __future__ import annotations

import asyncio
import os
import platform
from typing import ClassVar

from textual import events, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType

from kvtop import themes
from kvtop.collectors.attach import AttachError, resolve
from kvtop.collectors.targets_list import ProcessList
from kvtop.config import Config
from kvtop.profile.ring import SampleRing
from kvtop.profile.stacks import StackTable
from kvtop.store import RunInfo, Store
from kvtop.widgets.key_bar import KeyBar, KeyHint
from kvtop.widgets.process_picker import ProcessPicker, SearchLine

_READ_EVERY = 2.0
_FIRST = 0.3
"""Seconds until the second reading, which gives the first CPU shares."""
_HINTS = (
    KeyHint("enter", "profile", "app.choose"),
    KeyHint("space", "select", "app.mark"),
    KeyHint("< >", "sort", "app.sort", 1),
    KeyHint("esc", "clear, leave", "app.leave"),
)


class PickerApp(App[tuple[int, ...]]):
    """Returns the PIDs that were picked, all of which may be profiled; None where it was left."""

    CSS = "ProcessPicker { height: 1fr; }"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "clear the search, leave", show=False),
        Binding("ctrl+c", "quit", "leave", show=False, priority=True),
    ]

    def __init__(self, theme: str = "auto") -> None:
        look = themes.choose(theme)
        super().__init__(ansi_color=look.ansi_color)
        if look.theme:
            self.theme = look.theme
        # A table shows part of a store; no run fills this one.
        info = RunInfo("", platform.node(), platform.release(), "", "off", 0.0, 0.0, False)
        self.picker = ProcessPicker(Store(info, SampleRing(StackTable())))
        self._search = SearchLine()
        self._list = ProcessList()

    def compose(self) -> ComposeResult:
        yield self.picker
        yield self._search
        yield KeyBar(_HINTS)

    def on_mount(self) -> None:
        """Begin to read."""
        self.picker.focus()
        self._keep_reading()

    @work
    async def _keep_reading(self) -> None:
        """Now, soon, and then every two seconds."""
        pause = _FIRST
        while True:
            self.picker.set_processes(await asyncio.to_thread(self._list.read))
            await asyncio.sleep(pause)
            pause = _READ_EVERY

    def on_key(self, event: events.Key) -> None:
        """What one types is searched for."""
        text = self._search.text
        if event.key == "backspace":
            self._search_for(text[:-1])
        elif event.key == "slash" and not text:
            return  # Where search begins in every other screen: here it has begun already.
        elif event.character and event.character.isprintable() and event.key != "space":
            self._search_for(text + event.character)

    def _search_for(self, text: str) -> None:
        self._search.set_text(text)
        self.picker.set_search(text)

    def on_process_picker_picked(self, event: ProcessPicker.Picked) -> None:
        """Leave with them where they can be profiled; else say why not."""
        try:
            resolve(event.pids)
        except AttachError as error:
            text = str(error)
            self.notify(f"{text[:1].upper()}{text[1:]}.", severity="warning", markup=False)
            return
        self.exit(event.pids)

    def action_leave(self) -> None:
        """Clear the search; without one, leave."""
        if self._search.text:
            self._search_for("")
        else:
            self.exit(None)

    def action_choose(self) -> None:
        """Take the processes."""
        self.picker.action_choose()

    def action_mark(self) -> None:
        """Select the row."""
        self.picker.action_mark()

    def action_sort(self) -> None:
        """Sort by the next column."""
        self.picker.action_sort_by(1)


async def pick(app: PickerApp, config: Config) -> tuple[int, ...]:
    """Let a person choose; () where they left."""
    no_color = os.environ.get("NO_COLOR")
    try:
        return await app.run_async(mouse=not config.no_mouse) or ()
    finally:
        if no_color is not None:
            # Textual takes it away, and the screen that comes now needs it too.
            os.environ["NO_COLOR"] = no_color
