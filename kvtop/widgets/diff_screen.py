"""The differential flamegraph and its table over the whole screen: what changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from kvtop.profile.diff import Normalise, diff_symbols
from kvtop.profile.scope import Scope
from kvtop.profile.text import safe_text
from kvtop.store import Store
from kvtop.widgets.base import Help
from kvtop.widgets.compare import Baseline, Comparison, Named, Pair, named_side, pairs
from kvtop.widgets.diff_graph import DiffGraph
from kvtop.widgets.diff_table import DiffTable
from kvtop.widgets.flamegraph import Flamegraph
from kvtop.widgets.key_bar import KeyBar, KeyHint
from kvtop.widgets.prompt import Pattern, PromptScreen
from kvtop.widgets.scope_text import length, remarks
from kvtop.widgets.scoped_screen import ScopedScreen

Save = Callable[[Comparison, bool], object]
"""Of a comparison, as an SVG (False) or as folded stacks (True)."""
_EVERY = 1.0
"""Seconds of new samples after which a comparison is made anew."""
_HINTS = (
    KeyHint("?", "help", "screen.help"),
    KeyHint("esc", "back", "screen.back"),
    KeyHint("v", "compare", "screen.next_pair"),
    KeyHint("e", "exchange", "screen.exchange", 2),
    KeyHint("r", "share or rate", "screen.normalise", 1),
    KeyHint("W", "widths", "screen.graph('widths')", 2),
    KeyHint("tab", "table", "screen.other"),
    KeyHint("space", "freeze", "screen.freeze", 1),
    KeyHint("/", "search", "screen.search", 1),
    KeyHint("b", "new baseline", "app.baseline", 3),
    KeyHint("s", "save SVG", "screen.save", 3),
)


class DiffScreen(ScopedScreen):
    """Two sides of the store's samples; what is shown "now" follows the newest until frozen.

    ``baseline`` is asked for at every load, so that a new one shows at once; ``label`` is the one
    target that it is compared with, if it is. ``save`` gets both sides and what they are. There
    must be something to compare: `compare.pairs` is not empty.
    """

    NAME = "Diff"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back"),
        Binding("d,f,q", "close", "close", show=False),
        Binding("v", "next_pair", "compare the next two"),
        Binding("e", "exchange", "exchange the sides"),
        Binding("r", "normalise", "shares, or samples per second"),
        Binding("W", "graph('widths')", "widths of before or after"),
        Binding("tab,shift+tab", "other", "graph or table", show=False),
        Binding("space", "freeze", "freeze"),
        Binding("slash", "search", "search", key_display="/"),
        Binding("s", "save", "save as SVG, red and blue"),
        Binding("S", "save(True)", "save both sides as folded stacks"),
        Binding("question_mark", "help", "help", key_display="?"),
        Binding("left_square_bracket", "window(-1)", "shorter window", key_display="["),
        Binding("right_square_bracket", "window(1)", "longer window", key_display="]"),
        # Keys of the main screen that must not reach it from here.
        Binding("k,p,z,t,o", "nothing", show=False),
    ]
    KEYS_HELP: ClassVar[list[Help]] = [
        ("v", "compare the next two: baseline, followers and leader, two targets"),
        ("e", "exchange before and after"),
        ("r", "shares of each side, or samples per second"),
        ("W", "boxes as wide as after, or as before (shows what vanished)"),
        ("tab", "from the graph to the table of functions, and back"),
        ("space", "freeze, or follow the newest samples again"),
        ("[ ]", "shorter or longer window"),
        ("b", "make what is shown now the baseline"),
        ("s", "save as interactive SVG, red where there is more, blue where less"),
        ("S", "save both sides as folded stacks, for flamegraph.pl's red and blue"),
        ("esc d", "back"),
    ]
    DEFAULT_CSS = """
    DiffScreen {
        & > DiffGraph { height: 3fr; overflow-y: scroll; }
        & > DiffTable { height: 2fr; overflow-y: scroll; }
    }
    """

    def __init__(
        self,
        store: Store,
        scope: Scope,
        baseline: Callable[[], Baseline | None],
        *,
        label: str | None = None,
        live: bool = True,
        until: float | None = None,
        save: Save | None = None,
    ) -> None:
        super().__init__(store, scope, live=live, until=until)
        self.normalise: Normalise = "share"
        self._label = label
        self._baseline = baseline
        self.pair = self._pairs()[0]
        self._save = save
        self._seen: float | None = None
        self.shown: Comparison | None = None
        """What is compared, once it is on the screen."""
        self.diff_graph = DiffGraph(store.table, id="diff-graph")
        self.table = DiffTable(store, id="diff-table")

    def compose(self) -> ComposeResult:
        yield self.diff_graph
        yield self.table
        yield KeyBar(_HINTS)

    def on_mount(self) -> None:
        """Show the first comparison."""
        self.diff_graph.focus()
        self._load()

    # Data

    def refresh_data(self) -> None:
        """Follow the newest samples, unless frozen; called on every tick.

        A comparison costs several times a flamegraph and says little new within a second.
        """
        newest = self.store.ring.last_time
        if not self.is_mounted or not self.live or newest is None:
            return
        if self._seen is None or not 0 <= newest - self._seen < _EVERY:
            self._load()

    def baseline_changed(self) -> None:
        """Compare the new baseline with what is shown."""
        self.pair = self._pairs()[0]
        self._load()

    def _pairs(self) -> list[Pair]:
        return pairs(self.store, self._baseline() is not None, self._label)

    def _load(self) -> None:
        self._seen = self.store.ring.last_time
        one, two = (
            named_side(self.store, part, self.scope, self.until, self._baseline())
            for part in (self.pair.before, self.pair.after)
        )
        normalise = self.normalise if self._timed(one, two) else "share"
        stretch, words = self._stretch(), self._words(one, two, normalise)
        options = self.diff_graph.state.options
        self.shown = Comparison(one, two, normalise, stretch, words, options)
        self.diff_graph.set_sides(one.side, two.side, normalise, words)
        glue = options.fold_glue
        rows = diff_symbols(self.store.table, one.side, two.side, normalise, glue)
        self.table.set_rows(rows, normalise)
        if self.live:
            self.diff_graph.state.let_go()
        else:
            self.diff_graph.state.hold()

    @staticmethod
    def _timed(one: Named, two: Named) -> bool:
        """Whether both sides cover a time, so that rates can be compared."""
        return min(one.side.seconds, two.side.seconds) > 0

    def _words(self, one: Named, two: Named, normalise: Normalise) -> str:
        sides = " → ".join(f"{side.name} ({side.side.weight:,})" for side in (one, two))
        parts = [sides, "share" if normalise == "share" else "per second"]
        parts.append(self._stretch())
        parts += [one.remark, two.remark]
        if not self.live and self.scope.range is None:
            parts.append("FROZEN")
        return safe_text(" · ".join(part for part in parts if part))

    def _stretch(self) -> str:
        """Of which time the samples are."""
        said = remarks(self.scope, self.store.info.wall_offset)
        return " · ".join(filter(None, (length(self.scope, self.until), *said)))

    # Keys

    def action_next_pair(self) -> None:
        """Compare the next two."""
        found = self._pairs()
        turned = [pair.turned() for pair in found]
        if self.pair in found:
            at = found.index(self.pair) + 1
        else:
            at = turned.index(self.pair) + 1 if self.pair in turned else 0
        self.pair = found[at % len(found)]
        self._load()

    def action_exchange(self) -> None:
        """Before becomes after."""
        self.pair = self.pair.turned()
        self._load()

    def action_normalise(self) -> None:
        """Shares of each side, or samples per second."""
        self.normalise = "time" if self.normalise == "share" else "share"
        self._load()

    def action_other(self) -> None:
        """From graph to table, and back."""
        (self.diff_graph if self.table.has_focus else self.table).focus()

    def action_search(self) -> None:
        """Type a regex: it is marked in the graph and filters the table."""
        graph = self.diff_graph
        first = graph.state.pattern.pattern if graph.state.pattern is not None else ""

        def changed(pattern: Pattern | None) -> None:
            graph.search(pattern)
            self.table.set_filter(pattern)

        self.app.push_screen(PromptScreen("Search", first, changed))

    def action_back(self) -> None:
        """End the search, zoom out, or close the screen: the first of these that is there."""
        if self.diff_graph.state.pattern is not None:
            self.diff_graph.search(None)
            self.table.set_filter(None)
        else:
            self.diff_graph.action_zoom_out()

    def on_flamegraph_zoomed_out(self, event: Flamegraph.ZoomedOut) -> None:
        """Nothing to zoom out of: back to where one came from."""
        self.action_close()

    def on_unmount(self) -> None:
        """Let go of what a frozen comparison held."""
        self.diff_graph.state.let_go()

    def action_save(self, folded: bool = False) -> None:
        """Save through the application, the way the graph is turned now."""
        if self._save is not None and self.shown is not None:
            options = self.diff_graph.state.options
            self._save(replace(self.shown, options=options), folded)

    async def action_graph(self, action: str) -> None:
        """Run an action of the graph."""
        await self.diff_graph.run_action(action)
