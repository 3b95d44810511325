"""The screen over a recording: the same one, with keys that move through time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from typing import ClassVar

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from kvtop.app import KvtopApp
from kvtop.keys import Key
from kvtop.replay_session import ReplaySession
from kvtop.session import Session
from kvtop.widgets.key_bar import KeyHint

FRAME_SECONDS = 0.1
_LONGEST_FRAME = 1.0
KEYS = (
    Key("space", "toggle_pause", "stand still, or play on", "Replay", footer="play"),
    Key("comma", "skip(-5)", "5 seconds back", "Replay", shown=",", footer="-5 s"),
    Key("full_stop", "skip(5)", "5 seconds on", "Replay", shown=".", footer="+5 s"),
    Key("left_curly_bracket", "skip(-60)", "a minute back", "Replay", shown="{"),
    Key("right_curly_bracket", "skip(60)", "a minute on", "Replay", shown="}"),
    Key("left_parenthesis", "speed(0)", "slower", "Replay", shown="(", footer="slower", rank=1),
    Key("right_parenthesis", "speed(1)", "faster", "Replay", shown=")", footer="faster", rank=1),
    Key("0", "edge(0)", "to the beginning", "Replay", footer="begin", rank=2),
    Key("dollar_sign", "edge(1)", "to the end: all of it at once", "Replay", shown="$",
        footer="end", rank=2),
)  # fmt: skip
_NOT_HERE = ("toggle_pause", "kill_leader", "pause_node", "restart_node", "record")
"""Actions of a live run; their keys say that nothing runs."""


class ReplayApp(KvtopApp):
    """Plays a recording."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key.key, key.action, key.text, show=False, key_display=key.label) for key in KEYS
    ]

    def __init__(self, session: Session) -> None:
        assert isinstance(session, ReplaySession)
        super().__init__(session)
        self.replay = session
        self._last = 0.0

    def on_mount(self) -> None:
        """Start the clock."""
        self._last = time.monotonic()
        self.set_interval(FRAME_SECONDS, self._play)
        if cut := self.replay.player.recording.cut:
            self.notify(cut, severity="warning", timeout=8, markup=False)

    def _play(self) -> None:
        now = time.monotonic()
        # A screen that was held up goes on where it was; it does not leap.
        passed, self._last = min(now - self._last, _LONGEST_FRAME), now
        if self.replay.playing:
            self.replay.advance(passed)
            if not self.replay.playing:
                self.tick()

    def hints(self) -> list[KeyHint]:
        """The keys of the replay, and those of the screen that make sense here."""
        mine = [KeyHint(k.label, k.footer, f"app.{k.action}", k.rank) for k in KEYS if k.footer]
        left_out = [f"app.{action}" for action in _NOT_HERE]
        others = [hint for hint in super().hints() if hint.action not in left_out]
        return [*others[:1], *mine, *(hint._replace(rank=hint.rank + 3) for hint in others[1:])]

    def help_rows(self) -> list[tuple[str, str, str]]:
        """The keys of the replay first."""
        mine = [(key.group, key.label, key.text) for key in KEYS]
        labels = [key.label for key in KEYS]
        return mine + [r for r in super().help_rows() if r[0] != "General" or r[1] not in labels]

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The keys of the replay too."""
        yield from super().get_system_commands(screen)
        for key in KEYS:
            title = f"Replay: {key.text}"
            yield SystemCommand(title, f"key {key.label}", partial(self.run_action, key.action))

    def action_toggle_pause(self) -> None:
        """Stand still, or go on."""
        self.replay.toggle()
        self.tick()

    def action_skip(self, seconds: int) -> None:
        """So much back, or on."""
        self._go(self.replay.now + seconds)

    def action_edge(self, end: int) -> None:
        """To the beginning or to the end."""
        player = self.replay.player
        self._go(player.end if end else player.start)

    def action_speed(self, faster: int) -> None:
        """Play faster or slower."""
        self.replay.change_speed(bool(faster))
        self.tick()

    def _go(self, time: float) -> None:
        self.replay.seek(time)
        self.tick()
