"""A function's source with samples per line, worked out while the screen says so.

Where more is measured for it while it is open, it fills in by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from kvtop.profile.frames import Frame
from kvtop.profile.listing import Listing
from kvtop.profile.text import safe_text
from kvtop.widgets.base import Help
from kvtop.widgets.key_bar import KeyBar, KeyHint
from kvtop.widgets.profile_screen import ProfileScreen
from kvtop.widgets.source_view import SourceView

Load = Callable[[], Awaitable[Listing]]
"""Works the listing out; what goes wrong is the listing's remark."""

_AGAIN = 1.0
"""Seconds until a listing that is not all there yet is asked for again."""
_HINTS = (
    KeyHint("?", "help", "screen.help"),
    KeyHint("esc", "back", "screen.close"),
    KeyHint("n", "next hottest", "screen.view('hot(1)')"),
    KeyHint("i", "instructions", "screen.view('instructions')"),
    KeyHint("tab", "next file", "screen.view('file(1)')", 2),
    KeyHint("r", "measure again", "screen.again", 1),
)


class SourceScreen(ProfileScreen):
    """Shows what ``load`` finds; ``figures`` says how much of the samples is the function's."""

    NAME = "Source"
    DETAIL = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,a,backspace", "close", "back"),
        Binding("r", "again", "measure again"),
        Binding("question_mark", "help", "help", key_display="?"),
        # Keys of the main screen that must not reach it from here.
        Binding("p,f,z,t,s,S,space,slash", "nothing", show=False),
        Binding("left_square_bracket,right_square_bracket", "nothing", show=False),
    ]
    KEYS_HELP: ClassVar[list[Help]] = [
        *SourceView.KEYS_HELP,
        ("r", "measure again, with the samples of now"),
        ("", "Python's lines are py-spy's samples: total with what the line calls, self without"),
        ("esc q", "back"),
    ]

    def __init__(self, frame: Frame, figures: Callable[[], str], load: Load) -> None:
        super().__init__()
        self.frame = frame
        self._figures = figures
        self._load = load
        self.view = SourceView(id="source")

    def compose(self) -> ComposeResult:
        yield self.view
        yield KeyBar(_HINTS)

    def on_mount(self) -> None:
        """Begin to work it out."""
        self.view.border_title = Content(safe_text(self.frame.symbol, 100))
        self.view.focus()
        self.action_again()

    @work(exclusive=True)
    async def action_again(self) -> None:
        """Measure, and show it."""
        figures = self._figures()
        self.view.show(Listing(), figures, "Reading samples, line table and source …")
        listing = await self._load()
        self.view.show(listing, figures, *_about(listing))
        while listing.more:
            await asyncio.sleep(_AGAIN)
            listing = await self._load()
            self.view.update(listing, self._figures(), *_about(listing))

    async def action_view(self, action: str) -> None:
        """Run an action of the view."""
        await self.view.run_action(action)


def _about(listing: Listing) -> list[str]:
    """Sentences on what the lines are of."""
    said = []
    if listing.sampler and listing.total:
        said.append(
            f"Per line by {listing.sampler}, not perf: {listing.total:,} samples in "
            f"{listing.seconds or 0:.0f} s with the function on the stack, "
            f"{listing.samples:,} in it itself."
        )
    elif listing.samples:
        known = sum(file.weight for file in listing.files)
        text = f"Per line: {listing.samples:,} samples of the function itself, callees not counted"
        text += f", of {listing.seconds:.1f} s." if listing.seconds is not None else "."
        if listing.files and known < listing.samples:
            text += f" {listing.samples - known:,} of them have no line."
        said.append(text)
    missing = [file.name for file in listing.files if not file.lines]
    if missing:
        said.append(f"{missing[0]} cannot be read here: its lines have numbers only.")
    if listing.remark:
        said.append(listing.remark)
    return said
