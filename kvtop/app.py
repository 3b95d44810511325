"""KvtopApp: key bindings, the refresh tick, and the wiring of session to widgets."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import work
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.timer import Timer

from kvtop import themes
from kvtop.collectors.annotate import AnnotateError
from kvtop.collectors.source_lines import SourceLines
from kvtop.events import Marker, MarkerKind, NodeState
from kvtop.keys import KEYS, footer_keys, keys_for
from kvtop.profile.callers import sandwich
from kvtop.profile.diff import Side
from kvtop.profile.frames import Frame
from kvtop.profile.listing import Listing
from kvtop.profile.scope import Scope, TimeRange
from kvtop.profile.text import safe_text
from kvtop.session import READONLY, FaultError, Session
from kvtop.widgets.compare import Baseline, covered, pairs
from kvtop.widgets.dashboard import Dashboard
from kvtop.widgets.dialogs import ConfirmScreen
from kvtop.widgets.diff_screen import DiffScreen
from kvtop.widgets.figures import clock, span
from kvtop.widgets.flamegraph import Flamegraph
from kvtop.widgets.flamegraph_screen import FlamegraphScreen
from kvtop.widgets.header import RunHeader
from kvtop.widgets.help import HelpScreen
from kvtop.widgets.key_bar import KeyBar, KeyHint
from kvtop.widgets.logs import LogsPane
from kvtop.widgets.plots import newest_time
from kvtop.widgets.prompt import Pattern, PromptScreen
from kvtop.widgets.samples import FunctionAsked, Samples
from kvtop.widgets.sandwich_screen import SandwichScreen, figures_of
from kvtop.widgets.source_screen import SourceScreen
from kvtop.widgets.still import still
from kvtop.widgets.table import LiveTable
from kvtop.widgets.time_screen import TimeScreen
from kvtop.widgets.waits_screen import WaitsScreen

if TYPE_CHECKING:
    # At run time only when something is saved: all the formats take their time to load.
    from kvtop.snapshot import Shot

REFRESH_STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
FIRST_TICKS = (0.1, 0.2, 0.3, 0.4)
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
            key.action,
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
        info = self.session.store.info
        keys = footer_keys(info.has_cluster, info.readonly)
        yield KeyBar([KeyHint(k.label, k.footer, f"app.{k.action}", k.rank) for k in keys])

    def on_mount(self) -> None:
        """Start the tick."""
        self._set_interval(self.interval)
        for delay in FIRST_TICKS:
            self.set_timer(delay, self.tick)
        if self.session.config.duration is not None:
            self.set_timer(self.session.config.duration, partial(self.exit, 0))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the keys of the cluster where kvtop did not start one."""
        mine = {key.action for key in keys_for(self.session.store.info.has_cluster)}
        return action in mine or action not in {key.action for key in KEYS}

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The command palette: every action of the screen by name, and Textual's own."""
        for command in super().get_system_commands(screen):
            if command.title not in NOT_OFFERED:
                yield command
        if isinstance(screen, FlamegraphScreen | TimeScreen | DiffScreen):
            name = type(screen).__name__.removesuffix("Screen")
            for title, key, run in screen.commands():
                yield SystemCommand(title, f"{name}, key {key}", run)
            return
        info = self.session.store.info
        for entry in keys_for(info.has_cluster and not info.readonly):
            if entry.action not in ("quit", "command_palette"):
                title = f"{entry.text[:1].upper()}{entry.text[1:]}"
                run = partial(self.run_action, entry.action)
                yield SystemCommand(title, f"{entry.group}, key {entry.label}", run)

    @property
    def graph_screen(self) -> FlamegraphScreen | None:
        """The flamegraph over the main screen, if it is open; of two the upper one."""
        return next(
            (s for s in reversed(self.screen_stack) if isinstance(s, FlamegraphScreen)), None
        )

    @property
    def over(self) -> FlamegraphScreen | TimeScreen | DiffScreen | None:
        """The screen that hides the main one; dialogs above it are of no account."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, FlamegraphScreen | TimeScreen | DiffScreen):
                return screen
        return None

    def tick(self) -> None:
        """Redraw what moved; of a paused screen nothing does, because its store stands still."""
        self.header.refresh_data()
        for screen in self.screen_stack[-1:]:
            if isinstance(screen, SandwichScreen):
                screen.refresh_data()
        (self.over or self.dashboard).refresh_data()

    # General

    async def action_quit(self) -> None:
        """Leave; the session ends its children afterwards."""
        self.exit(0)

    def action_help(self) -> None:
        """Show every key."""
        keys = keys_for(self.session.store.info.has_cluster)
        rows = [(key.group, key.label, key.text) for key in keys]
        rows += [("Panes", key, text) for key, text in self.dashboard.KEYS_HELP]
        for pane in self.dashboard.panes:
            if pane is not self.dashboard.flamegraph:
                rows += [(f"{pane.NAME} pane", key, text) for key, text in pane.KEYS_HELP]
        rows += FlamegraphScreen.help_rows() + TimeScreen.help_rows() + DiffScreen.help_rows()
        rows += SandwichScreen.help_rows() + SourceScreen.help_rows()
        self.push_screen(HelpScreen(rows))

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
        if self.graph_screen is not None:
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

    def action_flamegraph(self) -> None:
        """The last seconds of what the hot symbols show, as a flamegraph; frozen while paused."""
        hot = self.dashboard.hot_symbols
        screen = FlamegraphScreen(
            self.session.store,
            scope=self.scope,
            label=hot.label,
            save=self.action_save_svg,
            live=not self.paused,
            until=hot.store.ring.last_time if self.paused else None,
            tree=self.dashboard.flamegraph.state.tree.copy(),
        )
        self.push_screen(screen, self._came_back)

    def _came_back(self, _: object) -> None:
        """A screen was left: what it hid may be old."""
        self.tick()

    def action_time_map(self) -> None:
        """The heatmap of samples over the curves of the run, on which a range is selected."""
        while self.over is not None and not isinstance(self.over, TimeScreen):
            self.pop_screen()
        if self.over is None:
            hot = self.dashboard.hot_symbols
            screen = TimeScreen(
                hot.store,
                self.scope.range,
                label=hot.label,
                select=self._select_range,
                opened=self.action_flamegraph,
            )
            self.push_screen(screen, self._came_back)

    def _select_range(self, chosen: TimeRange | None) -> None:
        """What was selected on the time map."""
        self.scope = self.scope.over(chosen)
        self.dashboard.hot_symbols.scope = self.scope

    def action_baseline(self) -> None:
        """Put what is shown aside, to compare with it."""
        shot, store = self._shot(), self.session.store
        if shot.unit != "samples":
            self.notify("Only samples on the CPU can be compared.", severity="warning")
            return
        until = store.ring.last_time if shot.until is None else shot.until
        if not shot.counts or until is None:
            self.notify("There are no samples to compare with.", severity="warning")
            return
        seconds = covered(store.ring, Scope(shot.window), until)
        whose = "" if shot.label is None else f" of {safe_text(shot.label)}"
        at = clock(store.wall(until))
        before = self.baseline
        self.baseline = Baseline(store.table, shot.counts, seconds, f"{at}{whose}")
        if before is not None:
            before.let_go()
        text = f"{sum(shot.counts.values()):,} samples of {span(round(seconds, 1))} until {at}"
        self.notify(f"Baseline: {text}{whose}. d compares.", timeout=4, markup=False)
        if isinstance(self.over, DiffScreen):
            self.over.baseline_changed()

    def action_diff(self) -> None:
        """What changed since the baseline, or what is different between the leader and others."""
        hot = self.dashboard.hot_symbols
        if not pairs(hot.store, self.baseline is not None):
            text = "Nothing to compare yet: b makes what is shown the baseline."
            self.notify(text, severity="warning", markup=False)
            return
        over, scope, label, live = self.over, self.scope, hot.label, not self.paused
        until = hot.store.ring.last_time if self.paused else None
        if isinstance(over, FlamegraphScreen) and over.flamegraph.unit == "samples":
            scope, label, live = over.scope, over.label, over.live
            until = None if live else over.until
        screen = DiffScreen(
            hot.store,
            scope,
            lambda: self.baseline,
            label=label,
            live=live,
            until=until,
            save=self._save_diff,
        )
        self.push_screen(screen, self._came_back)

    @work(exclusive=True, group="save")
    async def _save_diff(self, one: Side, two: Side, caption: str) -> None:
        from kvtop.snapshot import save_diff

        await self._tell_saved(save_diff(self.session, one, two, caption))

    def action_off_cpu(self) -> None:
        """Where the threads of what the hot symbols show wait; recorded while it is open."""
        screen = WaitsScreen(
            self.session.store,
            self.session.follow_waits,
            scope=self.scope,
            label=self.dashboard.hot_symbols.label,
            save=self.action_save_svg,
        )
        self.push_screen(screen)

    def line_of(self, frame: Frame) -> int:
        """The line where a frame's function begins, 0 where unknown (yet)."""
        return self._lines.line_of(frame)

    def _lines_known(self) -> None:
        for screen in self.screen_stack:
            for graph in screen.query(Flamegraph):
                graph.lines_known()

    def on_function_asked(self, event: FunctionAsked) -> None:
        """A pane or the flamegraph asks for a closer look at a function."""
        event.stop()
        graph = self.screen
        if isinstance(graph, FlamegraphScreen):
            store, samples = graph.store, graph.samples()
        else:
            hot = self.dashboard.hot_symbols
            store, samples = hot.store, hot.samples(live=not self.paused)
        if event.view == "callers":
            self.push_screen(SandwichScreen(store, event.frame, samples, self._show_source))
        else:
            self._show_source(event.frame, samples)

    def _show_source(self, frame: Frame, samples: Samples) -> None:
        """The source of a function, with the samples per line of what a view shows."""
        table = self.session.store.table

        def figures() -> str:
            found = sandwich(table, samples.counts(), table.intern(frame))
            return figures_of(found, samples.caption(), samples.unit)

        async def load() -> Listing:
            start, end = samples.bounds()
            now = time.monotonic()
            try:
                return await self.session.annotate(frame, start or 0.0, end or now, samples.label)
            except (AnnotateError, OSError) as error:
                return Listing(remark=str(error))

        self.push_screen(SourceScreen(frame, figures, load))

    def action_stream(self) -> None:
        """What the sample stream lacks, and why."""
        self.header.on_click()

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

    @work(exclusive=True, group="save")
    async def action_save_svg(self) -> None:
        """Write what is shown as an interactive SVG."""
        from kvtop.snapshot import save_svg

        await self._save(save_svg)

    @work(exclusive=True, group="save")
    async def action_save_all(self) -> None:
        """Write SVG, folded stacks, perf.data and perf script's text."""
        from kvtop.snapshot import raw_remark, save_all

        if await self._save(save_all) and (remark := raw_remark(self.session, self._shot())):
            self.notify(remark, severity="warning", timeout=8, markup=False)

    def _shot(self) -> Shot:
        """The samples that flamegraph or hot symbols show."""
        from kvtop.snapshot import Shot

        if (graph := self.graph_screen) is not None:
            return Shot(
                *(graph.counts(), graph.window, graph.until, graph.label),
                *(graph.flamegraph.unit, graph.event),
            )
        hot = self.dashboard.hot_symbols
        return Shot(hot.counts(), hot.window, hot.until, hot.label)

    async def _save(self, save: Callable[[Session, Shot], Awaitable[Path]]) -> bool:
        """Save what is shown and say where; False where that failed."""
        shot = self._shot()
        if not shot.counts:
            self.notify("There are no samples in the window to save.", severity="warning")
            return False
        return await self._tell_saved(save(self.session, shot))

    async def _tell_saved(self, saving: Awaitable[Path]) -> bool:
        from kvtop.snapshot import SaveError

        try:
            path = await saving
        except SaveError as error:
            self.notify(str(error), title="Not saved", severity="error", markup=False)
            return False
        where = f"{path.name}\nin {path.parent}"
        self.notify(where, title="Saved", timeout=5, markup=False)
        return True

    # Cluster

    def action_kill_leader(self) -> None:
        """Ask, then ``kill -9`` the leader."""
        leader = self.session.store.cluster.leader
        if self.session.config.readonly:
            self._refuse(FaultError(READONLY))
            return
        if leader is None:
            self._refuse(FaultError("there is no leader at the moment"))
            return
        status = self.session.store.cluster.nodes[leader]
        question = f"kill -9 the leader {leader} (PID {status.pid})?"
        kill = partial(self.session.kill, leader)
        self._ask(question, "Kill the leader", kill, f"{leader} is killed")

    def action_pause_node(self) -> None:
        """SIGSTOP the selected node, or SIGCONT it."""
        name = self.dashboard.cluster.selected_node
        if name is None:
            self._refuse(FaultError("select a node in the cluster pane first"))
        elif self.session.store.cluster.nodes[name].state is NodeState.PAUSED:
            self._fault(self.session.resume(name), f"{name} goes on")
        else:
            self._fault(self.session.pause(name), f"{name} is paused")

    def action_restart_node(self) -> None:
        """Start the selected node again, or the one that is down; asks before it ends one."""
        nodes = self.session.store.cluster.nodes
        down = [node.name for node in nodes.values() if node.state is NodeState.DOWN]
        name = self.dashboard.cluster.selected_node
        if down and name not in down:
            name = down[0]
        if self.session.config.readonly:
            self._refuse(FaultError(READONLY))
        elif name is None:
            self._refuse(FaultError("select a node in the cluster pane first"))
        elif name in down:
            self._fault(self.session.restart(name), f"{name} is started")
        else:
            question = f"kill -9 {name} (PID {nodes[name].pid}), which runs, and start it again?"
            self._ask(question, "Restart", partial(self.session.restart, name), f"{name} restarts")

    def _ask(
        self, question: str, title: str, act: Callable[[], Awaitable[None]], done: str
    ) -> None:
        """Do it only where the answer is yes."""

        def answered(yes: bool | None) -> None:
            if yes:
                self._fault(act(), done)

        self.push_screen(ConfirmScreen(question, title), answered)

    @work(group="fault")
    async def _fault(self, act: Awaitable[None], done: str) -> None:
        try:
            await act
        except FaultError as error:
            self._refuse(error)
        else:
            self.notify(done, timeout=3, markup=False)

    def _refuse(self, error: FaultError) -> None:
        text = str(error)
        sentence = f"{text[:1].upper()}{text[1:].rstrip('.')}."
        self.notify(sentence, severity="warning", markup=False)
