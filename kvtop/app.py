"""KvtopApp: key bindings, the refresh tick, and the wiring of session to widgets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.timer import Timer

from kvtop import faults, screens, themes
from kvtop.collectors.source_lines import SourceLines
from kvtop.events import Marker, MarkerKind
from kvtop.keys import KEYS, footer_keys, keys_for
from kvtop.profile.frames import Frame
from kvtop.profile.scope import Scope, TimeRange
from kvtop.screens import action_of
from kvtop.session import Session
from kvtop.widgets.counters import CountersPane
from kvtop.widgets.dashboard import Dashboard
from kvtop.widgets.flamegraph import Flamegraph
from kvtop.widgets.header import RunHeader
from kvtop.widgets.help import HelpScreen
from kvtop.widgets.key_bar import KeyBar, KeyHint
from kvtop.widgets.logs import LogsPane
from kvtop.widgets.plots import newest_time
from kvtop.widgets.profile_screen import ProfileScreen
from kvtop.widgets.prompt import Pattern, PromptScreen
from kvtop.widgets.samples import FunctionAsked
from kvtop.widgets.scoped_screen import ScopedScreen
from kvtop.widgets.still import still
from kvtop.widgets.table import LiveTable
from kvtop.widgets.weights import shown_event

if TYPE_CHECKING:
    # At run time only when they are needed: what is seldom opened takes its time to load.
    from kvtop.widgets.compare import Baseline
    from kvtop.widgets.flamegraph_screen import FlamegraphScreen

REFRESH_STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
FIRST_TICKS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
"""Seconds after the start at which to look for the first data, before the refresh interval."""
NOT_OFFERED = ("Keys", "Maximize", "Minimize")
"""Commands of Textual's palette that kvtop's own keys do better."""


class KvtopApp(App[int]):
    """The screen over one session, which is started and stopped by whoever made it."""

    TITLE = "kvtop"
    CSS_PATH = "kvtop.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            key.key,
            action_of(key),
            key.text,
            show=False,
            key_display=key.label,
            priority=key.key == "ctrl+c",
        )
        for key in KEYS
    ]

    def __init__(self, session: Session) -> None:
        look = themes.choose(session.config.theme)
        super().__init__(ansi_color=look.ansi_color)
        if look.theme:
            self.theme = look.theme
        self.session = session
        self.interval = session.config.refresh
        self.scope = Scope(session.config.window)
        self.baseline: Baseline | None = None
        """What a diff compares with, once it was set."""
        self.paused = False
        self.header = RunHeader(session.store, id="header")
        self.dashboard = Dashboard(session.store, self.scope.window, id="dashboard")
        self._tick: Timer | None = None
        self._lines = SourceLines(self._lines_known)

    def compose(self) -> ComposeResult:
        yield self.header
        yield self.dashboard
        yield KeyBar(self.hints())

    def hints(self) -> list[KeyHint]:
        """What the line of keys offers."""
        info = self.session.store.info
        keys = footer_keys(info.has_faults, info.readonly)
        return [KeyHint(k.label, k.footer, f"app.{action_of(k)}", k.rank) for k in keys]

    def on_mount(self) -> None:
        """Start the tick."""
        self._set_interval(self.interval)
        for delay in FIRST_TICKS:
            self.set_timer(delay, self.tick)
        if self.session.config.duration is not None:
            self.set_timer(self.session.config.duration, partial(self.exit, 0))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the keys of faults where kvtop did not start the cluster."""
        if action == "open":
            action = str(parameters[0])
        mine = {key.action for key in keys_for(self.session.store.info.has_faults)}
        return action in mine or action not in {key.action for key in KEYS}

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The command palette: every action of the screen by name, and Textual's own."""
        for command in super().get_system_commands(screen):
            if command.title not in NOT_OFFERED:
                yield command
        if isinstance(screen, ProfileScreen):
            for title, key, run in screen.commands():
                yield SystemCommand(title, f"{screen.NAME}, key {key}", run)
            return
        info = self.session.store.info
        for entry in keys_for(info.has_faults and not info.readonly):
            if entry.action not in ("quit", "command_palette"):
                title = f"{entry.text[:1].upper()}{entry.text[1:]}"
                run = partial(self.run_action, action_of(entry))
                yield SystemCommand(title, f"{entry.group}, key {entry.label}", run)

    @property
    def graph_screen(self) -> FlamegraphScreen | None:
        """The flamegraph over the main screen, if it is open; of two the upper one."""
        from kvtop.widgets.flamegraph_screen import FlamegraphScreen

        return next(
            (s for s in reversed(self.screen_stack) if isinstance(s, FlamegraphScreen)), None
        )

    @property
    def over(self) -> ProfileScreen | None:
        """The screen that hides the main one; dialogs and details above it are of no account."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, ProfileScreen) and not screen.DETAIL:
                return screen
        return None

    def tick(self) -> None:
        """Redraw what moved; of a paused screen nothing does, because its store stands still."""
        self.header.set_banner(self.session.banner)
        self.header.refresh_data()
        for screen in self.screen_stack[-1:]:
            if isinstance(screen, ProfileScreen) and screen.DETAIL:
                screen.refresh_data()
        (self.over or self.dashboard).refresh_data()

    def open_screen(self, screen: ProfileScreen) -> None:
        """Put a screen over the main one, which is brought up to date when it is left."""
        self.push_screen(screen, lambda _: self.tick())

    def action_open(self, name: str) -> None:
        """Open one of `screens.SCREENS`."""
        screens.show(self, name)

    # General

    async def action_quit(self) -> None:
        """Leave; the session ends its children afterwards."""
        self.exit(0)

    def action_help(self) -> None:
        """Show every key."""
        self.push_screen(HelpScreen(self.help_rows()))

    def help_rows(self) -> list[tuple[str, str, str]]:
        """(group, key, text) of every key."""
        keys = keys_for(self.session.store.info.has_faults)
        rows = [(key.group, key.label, key.text) for key in keys]
        rows += [("Panes", key, text) for key, text in self.dashboard.KEYS_HELP]
        for pane in self.dashboard.panes:
            if pane is not self.dashboard.flamegraph:
                rows += [(f"{pane.NAME} pane", key, text) for key, text in pane.KEYS_HELP]
        return rows + screens.help_rows()

    def action_toggle_pause(self) -> None:
        """Show the run as it is now until the same key shows the present again."""
        self.paused = not self.paused
        store = self.session.store
        shown = still(store) if self.paused else store
        self.header.store = shown
        self.dashboard.set_store(shown)
        self.header.set_paused(self.paused)
        self.tick()

    def action_maximize_pane(self) -> None:
        """Give the focused pane all the room, or all panes theirs."""
        self.dashboard.toggle_maximised()

    def action_faster(self) -> None:
        """Refresh more often."""
        shorter = (step for step in REFRESH_STEPS if step < self.interval)
        self._set_interval(max(shorter, default=REFRESH_STEPS[0]))

    def action_slower(self) -> None:
        """Refresh less often."""
        longer = (step for step in REFRESH_STEPS if step > self.interval)
        self._set_interval(min(longer, default=REFRESH_STEPS[-1]))

    def _set_interval(self, seconds: float) -> None:
        self.interval = seconds
        if self._tick is not None:
            self._tick.stop()
        self._tick = self.set_interval(seconds, self.tick)
        self.header.set_interval_shown(seconds)
        if self.over is not None:
            self.notify(f"Refresh every {seconds:g} s", timeout=2)

    # Profile

    @property
    def window(self) -> float:
        """Seconds that the profile views of the main screen look at."""
        return self.dashboard.hot_symbols.window

    def action_window_shorter(self) -> None:
        """Profile a shorter stretch of the past."""
        self.set_scope(self.scope.shorter())

    def action_window_longer(self) -> None:
        """Profile a longer stretch of the past, after the longest all since the mark."""
        self.set_scope(self.scope.longer())

    def action_next_event(self) -> None:
        """Show the samples of the next event in every profile view."""
        ring = self.session.store.ring
        events = ring.events
        if len(events) < 2:
            self.notify("Only one event was sampled. e chooses others.", timeout=3, markup=False)
            return
        shown = shown_event(ring)
        at = events.index(shown) if shown in events else -1
        # While paused the dashboard has a ring of its own, which shows what this one shows.
        self.dashboard.hot_symbols.store.ring.show_event(events[(at + 1) % len(events)])
        if self.over is not None:
            self.over.reload()
        self.tick()

    def action_weight(self) -> None:
        """Count samples, or what they stand for: CPU time, cycles, faults."""
        period = self.scope.weight == "samples"
        self.scope = replace(self.scope, weight="period" if period else "samples")
        self.dashboard.hot_symbols.scope = self.scope
        if isinstance(self.over, ScopedScreen):
            self.over.scope = replace(self.over.scope, weight=self.scope.weight)
            self.over.reload()
        self.tick()

    def action_mark(self) -> None:
        """Mark the present, on the timelines too, and profile what comes after it."""
        store = self.session.store
        now = newest_time(store)
        store.apply(Marker(now, MarkerKind.NOTE, "mark"))
        self.set_scope(self.scope.at_mark(now))
        self.notify("The window begins at this moment. [ goes back.", timeout=3, markup=False)

    def action_clear_range(self) -> None:
        """In every profile view what was shown before the range, or before the mark."""
        scope = self.scope
        self.set_scope(scope.shorter() if scope.marked is not None else scope.over(None))

    def set_scope(self, scope: Scope) -> None:
        """Show another stretch of time in every profile view."""
        self.scope = scope
        self.dashboard.hot_symbols.scope = scope
        if self.over is not None:
            self.over.set_scope(scope)
        self.tick()

    def select_range(self, chosen: TimeRange | None) -> None:
        """Limit the main screen to what was selected on the screen over it."""
        self.scope = self.scope.over(chosen)
        self.dashboard.hot_symbols.scope = self.scope

    def action_baseline(self) -> None:
        """Put what is shown aside, to compare with it."""
        from kvtop.screens.diff import set_baseline

        set_baseline(self)

    def line_of(self, frame: Frame) -> int:
        """The line where a frame's function begins, 0 where unknown (yet)."""
        return self._lines.line_of(frame)

    def _lines_known(self) -> None:
        for screen in self.screen_stack:
            for graph in screen.query(Flamegraph):
                graph.lines_known()

    def on_function_asked(self, event: FunctionAsked) -> None:
        """A pane or the flamegraph asks for a closer look at a function."""
        from kvtop.screens import function

        event.stop()
        function.show(self, event)

    def on_counters_pane_detail_asked(self, event: CountersPane.DetailAsked) -> None:
        """Threads or cores are counted while the counters pane shows them."""
        event.stop()
        self.session.count_by(event.by)

    def action_stream(self) -> None:
        """What the sample stream lacks, and why."""
        self.header.show_stream()

    def action_next_target(self) -> None:
        """Hot symbols of all processes, then of each in turn."""
        self.dashboard.hot_symbols.next_label()

    def action_filter(self) -> None:
        """Filter the focused pane, the hot symbols where none can be filtered, by a regex."""
        pane: LiveTable[Any] | LogsPane = self.dashboard.hot_symbols
        focused = self.dashboard.focused_pane
        if isinstance(focused, LiveTable | LogsPane):
            pane = focused

        def changed(pattern: Pattern | None) -> None:
            pane.set_filter(pattern)

        first = pane.pattern.pattern if pane.pattern is not None else ""
        self.push_screen(PromptScreen(f"Filter {pane.NAME}", first, changed))

    def action_save_svg(self) -> None:
        """Write what is shown as an interactive SVG."""
        from kvtop import saving

        saving.save_svg(self)

    def action_save_all(self) -> None:
        """Write SVG, folded stacks, perf.data and perf script's text."""
        from kvtop import saving

        saving.save_all(self)

    def action_record(self) -> None:
        """Record into a new file, what is still held of before too; or end the recording."""
        from kvtop import saving

        saving.toggle_recording(self)

    # Cluster

    def action_kill_leader(self) -> None:
        """Ask, then ``kill -9`` the leader."""
        faults.kill_leader(self)

    def action_pause_node(self) -> None:
        """SIGSTOP the selected node, or SIGCONT it."""
        faults.pause_node(self)

    def action_restart_node(self) -> None:
        """Start the selected node again, or the one that is down; asks before it ends one."""
        faults.restart_node(self)
